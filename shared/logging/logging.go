// Package logging makes the process's logger and names the keys of its
// attributes. It must not know what is logged: types that hold payloads, keys
// or tokens implement slog.LogValuer themselves.
//
// A logger is a constructor argument everywhere; nothing below main uses
// slog.Default. A message is a constant, and data are attributes.
package logging

import (
	"io"
	"log/slog"
	"time"
)

// Keys of attributes that more than one package writes, so that one search
// finds every line about a thing.
const (
	KeyError      = "err"         // an error, last on the line
	KeyRequestID  = "request_id"  // of the HTTP request that caused the line
	KeyProject    = "project"     // account.ProjectID
	KeyStream     = "stream"      // traces or spans
	KeyPartition  = "partition"   // of the log, from 0
	KeyRecord     = "record"      // a log record's id within its stream
	KeyDeadLetter = "dead_letter" // a dead letter's id within its stream, as pulse dlq lists it
	KeyCount      = "count"
	KeyBytes      = "bytes"
	KeyAttempt    = "attempt" // 1 at first
	KeyElapsed    = "elapsed" // time.Duration
	KeyReason     = "reason"  // why something was refused or put aside; holds nothing of a client's
)

// NewText makes a logger that writes key=value lines, for people, of at least
// level to w. Times are UTC.
func NewText(w io.Writer, level slog.Leveler) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, options(level, utc)))
}

// NewJSON makes a logger that writes one object a line, for collectors, of at
// least level to w. Times are UTC; a duration is a number of milliseconds, and its key
// ends in _ms.
func NewJSON(w io.Writer, level slog.Leveler) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, options(level, func(groups []string, a slog.Attr) slog.Attr {
		if a.Value.Kind() == slog.KindDuration {
			return slog.Float64(a.Key+"_ms", float64(a.Value.Duration().Microseconds())/1000)
		}
		return utc(groups, a)
	})))
}

func options(level slog.Leveler, replace func([]string, slog.Attr) slog.Attr) *slog.HandlerOptions {
	return &slog.HandlerOptions{Level: level, ReplaceAttr: replace}
}

// utc makes the line's own time comparable between machines.
func utc(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey && a.Value.Kind() == slog.KindTime {
		a.Value = slog.TimeValue(a.Value.Time().UTC().Truncate(time.Millisecond))
	}
	return a
}
