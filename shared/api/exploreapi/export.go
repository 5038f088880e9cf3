package exploreapi

import (
	"bytes"
	"context"
	"encoding/csv"
	"math/big"
	"net/http"
	"strconv"
	"strings"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/reqctx"
	"github.com/pulse-traces/pulse/shared/api/view"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

const (
	maxExportIDs = 1000
	// exportBytes is about how much of payloads a page holds.
	exportBytes = 4 << 20
	// lineBytes is about how much of them a line does.
	lineBytes = 1 << 20
)

// exportFormat is what an export is written in.
type exportFormat string

const (
	formatLines exportFormat = "jsonl"
	formatTable exportFormat = "csv"
)

// exporting is a page of an export under way.
type exporting struct {
	g       *Group
	project account.ProjectID
	sel     choice
	limit   int
	left    int // bytes that the page still takes
	maxSpan int // 0 for no bound
	out     bytes.Buffer
}

func (g *Group) export(w http.ResponseWriter, r *http.Request) error {
	in, err := g.readInput(r)
	if err != nil {
		return err
	}
	ctx := r.Context()
	e := &exporting{g: g, project: reqctx.Project(ctx), sel: in.chosen(maxExportIDs), limit: in.integer("limit", 1, maxRows, maxRows), left: exportBytes, maxSpan: g.MaxPayloadBytes}
	if e.maxSpan > 0 { // the last span of a page may be as large as any
		e.left = e.maxSpan / 2
	}
	format, at := enum(in, "format", []exportFormat{formatLines, formatTable}, formatLines), in.place("cursor")
	named, inside := e.sel.ids != nil, at.Inside || at.Spans != ""
	if at.Index > len(e.sel.ids) || named != (at.Search == "" && at.ID == "") && at != (place{}) || inside && format != formatLines {
		in.fault("cursor", "invalid_format", badCursor)
	}
	if err := in.err(); err != nil {
		return err
	}
	g.Barrier(ctx)
	page := e.page
	if named {
		page = e.named
	}
	one, contentType := e.lines, "application/x-ndjson"
	if format == formatTable {
		one, contentType = e.row, "text/csv; charset=utf-8"
		if at == (place{}) {
			writeRow(&e.out, tableColumns)
		}
	}
	next, count, err := page(ctx, at, one)
	if err != nil {
		return queryFault(err)
	}
	if next != (place{}) {
		w.Header().Set("Pulse-Next-Cursor", next.String())
	}
	if count != "" {
		w.Header().Set("Pulse-Total", count)
	}
	api.WriteBody(w, http.StatusOK, contentType, e.out.Bytes())
	return nil
}

// writeFunc writes a trace. Where it ends before the trace does, it gives the
// cursor of the spans that it goes on with.
type writeFunc func(ctx context.Context, h *store.TraceHit, spans string) (string, error)

// named writes the traces that ids name, from a place on.
func (e *exporting) named(ctx context.Context, at place, one writeFunc) (next place, count string, err error) {
	if at.Index == 0 && at.Spans == "" {
		count = strconv.Itoa(len(e.sel.ids))
	}
	end := min(len(e.sel.ids), at.Index+e.limit)
	for ; at.Index < end && e.left > 0; at = (place{Index: at.Index + 1}) {
		hit, _, err := e.g.Traces.FindTrace(ctx, e.project, e.sel.ids[at.Index])
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return at, "", err
		}
		if at.Spans, err = one(ctx, &hit, at.Spans); err != nil || at.Spans != "" {
			return at, count, err
		}
	}
	if at.Index == len(e.sel.ids) {
		return place{}, count, nil
	}
	return at, count, nil
}

// page writes the traces that a query finds, from a place on.
func (e *exporting) page(ctx context.Context, at place, one writeFunc) (next place, count string, err error) {
	limit := e.limit
	if at.Inside {
		limit--
		start := at.page(1).Behind.Start
		hit := store.TraceHit{Trace: trace.Trace{ID: at.ID, Start: &start}}
		if at.Spans, err = one(ctx, &hit, at.Spans); err != nil || at.Spans != "" {
			return at, "", err
		}
		if at.Inside = false; limit == 0 || e.left <= 0 {
			return at, "", nil
		}
	}
	hits, err := e.g.Traces.SearchTraces(ctx, e.project, e.sel.query, at.page(limit))
	if err != nil {
		return at, "", err
	}
	if at == (place{}) {
		count = strconv.FormatInt(hits.Total, 10)
		if !hits.Exact {
			count += "+"
		}
	}
	for i := range hits.Hits {
		hit := &hits.Hits[i]
		here := placeOf(&hit.Trace)
		if here.Spans, err = one(ctx, hit, ""); err != nil {
			return at, "", err
		}
		last := i == len(hits.Hits)-1
		switch {
		case here.Spans != "":
			here.Inside = true
			return here, count, nil
		case e.left <= 0 && (!last || hits.Next != ""):
			return here, count, nil
		}
	}
	return place{Search: hits.Next}, count, nil
}

// lines writes a trace as lines of JSON.
func (e *exporting) lines(ctx context.Context, h *store.TraceHit, spans string) (string, error) {
	for {
		got, err := e.g.Export.SentSpans(ctx, e.project, h.ID, store.SentPage{Cursor: spans, MaxBytes: min(e.left, lineBytes)})
		if err != nil || len(got.Spans) == 0 { // it was deleted meanwhile
			return "", err
		}
		l := line{TraceID: h.ID, StartTime: timeOrNull(h.Start), More: got.Next != ""}
		for i := range got.Spans {
			s := &got.Spans[i]
			size := store.SentBytes(s)
			if e.maxSpan > 0 && size > e.maxSpan {
				l.omit(s, omittedTooLarge)
				continue
			}
			e.left -= size
			l.add(s)
		}
		b, err := api.Marshal(l)
		if err != nil {
			return "", fault.Wrap(fault.Internal, "", err)
		}
		e.out.Write(append(b, '\n'))
		if spans = got.Next; spans == "" || e.left <= 0 {
			return spans, nil
		}
	}
}

var tableColumns = []string{
	"trace_id", "start_time", "name", "status", "kind", "provider", "model", "duration_ms", "ttft_ms", "input_tokens", "output_tokens", "cost_usd", "spans", "errors",
	"session_id", "user_id", "environment", "services", "tags", "error", "input", "output",
}

// row writes a trace as a row of a table.
func (e *exporting) row(_ context.Context, h *store.TraceHit, _ string) (string, error) {
	r := view.TraceRowOf(h)
	failed := ""
	if r.Worst != nil {
		failed = text(r.Worst.Error)
	}
	cells := []string{
		string(r.TraceID), r.StartTime, text(r.Name), string(r.Status), string(r.Kind), text(r.Provider), text(r.Model), decimal(&r.DurationMS), decimal(r.TTFTMS),
		text(view.Digits(r.InputTokens)), text(view.Digits(r.OutputTokens)), dollars(h.CostNanoUSD), strconv.FormatInt(r.SpanCount, 10), strconv.FormatInt(r.ErrorCount, 10),
		text(r.SessionID), text(r.UserID), text(r.Environment), strings.Join(r.Services, ", "), strings.Join(r.Tags, ", "), failed, text(r.Preview.Input), text(r.Preview.Output),
	}
	writeRow(&e.out, cells)
	return "", nil
}

func text[T ~string](p *T) string {
	if p == nil {
		return ""
	}
	return string(*p)
}

func decimal(f *float64) string {
	if f == nil {
		return ""
	}
	return strconv.FormatFloat(*f, 'f', -1, 64)
}

// dollars writes an amount exactly.
func dollars(nano *int64) string {
	if nano == nil {
		return ""
	}
	const nanos = 1e9
	s := big.NewRat(*nano, nanos).FloatString(9)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// writeRow writes a row in which no cell is a formula to a spreadsheet: those that
// begin like one are put behind an apostrophe, which makes them text.
func writeRow(out *bytes.Buffer, cells []string) {
	row := make([]string, len(cells))
	for i, cell := range cells {
		if row[i] = cell; cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r\n") || strings.HasPrefix(cell, "＝") || strings.HasPrefix(cell, "＋") ||
			strings.HasPrefix(cell, "－") || strings.HasPrefix(cell, "＠") {
			row[i] = "'" + cell
		}
	}
	w := csv.NewWriter(out)
	w.UseCRLF = true
	_ = w.Write(row) // a buffer takes everything
	w.Flush()
}
