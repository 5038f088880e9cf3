package pulse

import (
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Options say how to record and send. The zero value is what docs/sdk.md has as
// defaults, and each option that is zero is read from its variable of the
// environment.
type Options struct {
	APIKey, APIURL                    string
	Disabled                          bool
	ServiceName, Environment, Release string
	BatchSize, BatchBytes             int
	FlushInterval                     time.Duration
	QueueBytes                        int
	Timeout, FlushTimeout             time.Duration
	OmitContent                       bool
	MaxContentBytes                   int
	HashImages                        bool
	// Redact is given each content as encoding/json decodes it, with json.Number,
	// and returns what to send instead.
	Redact         func(content any) any
	SpillDirectory string
	// Providers are the providers behind hosts that this package does not know:
	// {"llm.example.com": "mine"}.
	Providers map[string]string
	// Logger is told of trouble, once of each kind. nil is slog.Default().
	Logger *slog.Logger
}

// settings are options with nothing left open.
type settings struct {
	Options
	warned sync.Map
}

func (o Options) settings() *settings {
	s := &settings{Options: o}
	text(&s.APIKey, "", "PULSE_API_KEY")
	text(&s.ServiceName, "", "PULSE_SERVICE_NAME", "OTEL_SERVICE_NAME")
	text(&s.Environment, "", "PULSE_ENVIRONMENT")
	text(&s.Release, "", "PULSE_RELEASE")
	text(&s.SpillDirectory, "", "PULSE_SPILL_DIRECTORY")
	s.flag(&s.Disabled, "PULSE_ENABLED", false)
	s.flag(&s.OmitContent, "PULSE_CAPTURE_CONTENT", false)
	s.flag(&s.HashImages, "PULSE_HASH_IMAGES", true)
	s.whole(&s.BatchSize, "BatchSize", "PULSE_BATCH_SIZE", 100, 1, 1000)
	s.whole(&s.BatchBytes, "BatchBytes", "PULSE_BATCH_BYTES", 1<<20, 1024, maxInt)
	s.whole(&s.QueueBytes, "QueueBytes", "PULSE_QUEUE_BYTES", 64<<20, 1024, maxInt)
	s.whole(&s.MaxContentBytes, "MaxContentBytes", "PULSE_MAX_CONTENT_BYTES", 0, 0, maxInt)
	s.duration(&s.FlushInterval, "FlushInterval", "PULSE_FLUSH_INTERVAL", 5*time.Second, 100*time.Millisecond)
	s.duration(&s.Timeout, "Timeout", "PULSE_TIMEOUT", 10*time.Second, time.Millisecond)
	s.duration(&s.FlushTimeout, "FlushTimeout", "PULSE_FLUSH_TIMEOUT", 5*time.Second, time.Millisecond)
	s.address()
	if !s.Disabled && strings.ContainsFunc(s.APIKey, func(r rune) bool { return r <= ' ' || r > '~' }) {
		s.APIKey = ""
	}
	if !s.Disabled && s.APIKey == "" {
		s.warn("APIKey", "there is no API key (APIKey, PULSE_API_KEY), or none that HTTP can carry: nothing is recorded")
	}
	return s
}

const maxInt = int(^uint(0) >> 1)

func text(to *string, fallback string, variables ...string) {
	for _, name := range variables {
		if *to == "" {
			*to = os.Getenv(name)
		}
	}
	if *to == "" {
		*to = fallback
	}
}

// address reads where Pulse is. Nothing is recorded if that cannot be used: the
// default could be another's.
func (s *settings) address() {
	name := "APIURL"
	if s.APIURL == "" {
		name = "PULSE_API_URL"
	}
	text(&s.APIURL, "http://localhost:3000", "PULSE_API_URL")
	if s.Disabled || isAddress(s.APIURL) {
		return
	}
	s.warn(name, name+" is no address such as http://host[:port] or https://host[:port]: nothing is recorded")
	s.Disabled = true
}

func isAddress(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || strings.ContainsAny(text, " ?#") {
		return false
	}
	_, err = strconv.ParseUint(u.Port(), 10, 16)
	return err == nil || u.Port() == ""
}

// flag reads a boolean variable, of which the option is set by one value.
func (s *settings) flag(to *bool, variable string, set bool) {
	value := strings.ToLower(os.Getenv(variable))
	if *to || value == "" {
		return
	}
	switch value {
	case "true", "1":
		*to = set
	case "false", "0":
		*to = !set
	default:
		s.warn(variable, variable+" is not true, false, 1 or 0; the default is used")
	}
}

func (s *settings) whole(to *int, name, variable string, fallback, least, most int) {
	value := os.Getenv(variable)
	if *to == 0 && value != "" {
		n, err := strconv.Atoi(value)
		if name = variable; err != nil {
			n = least - 1
		}
		*to = n
	} else if *to == 0 {
		*to = fallback
	}
	if *to < least || *to > most {
		s.warn(name, fmt.Sprintf("%s is not a whole number from %d to %d; %d is used", name, least, most, fallback))
		*to = fallback
	}
}

// duration reads a time, which variables have in milliseconds.
func (s *settings) duration(to *time.Duration, name, variable string, fallback, least time.Duration) {
	value := os.Getenv(variable)
	if *to == 0 && value != "" {
		n, err := strconv.ParseInt(value, 10, 32)
		if name = variable; err != nil {
			n = -1
		}
		*to = time.Duration(n) * time.Millisecond
	} else if *to == 0 {
		*to = fallback
	}
	if *to < least {
		s.warn(name, fmt.Sprintf("%s is not a time from %s; %s is used", name, least, fallback))
		*to = fallback
	}
}

// warn tells the program's log of a trouble, once of each kind.
func (s *settings) warn(kind, message string) {
	if _, before := s.warned.LoadOrStore(kind, true); before {
		return
	}
	logger := s.Logger
	if logger == nil {
		logger = slog.Default()
	}
	logger.Warn("pulse: " + message) //nolint:sloglint // the one place that tells the program, of many things
}

// guard keeps what goes wrong in here from the program.
func (s *settings) guard() {
	if p := recover(); p != nil {
		s.warn("internal", fmt.Sprintf("a span could not be recorded: %v", p))
	}
}
