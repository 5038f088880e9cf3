package otlp_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/pulse-traces/pulse/shared/otlp"
	"github.com/pulse-traces/pulse/shared/otlp/otlptest"
	"github.com/pulse-traces/pulse/shared/trace"
)

var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func corpus(t testing.TB) []otlptest.Scenario {
	t.Helper()
	all, err := otlptest.Load()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// mapRequest decodes and maps one request.
func mapRequest(t testing.TB, r *otlptest.Request) []trace.Span {
	t.Helper()
	enc := otlp.Protobuf
	if r.JSON() {
		enc = otlp.JSON
	}
	switch r.Signal {
	case "traces":
		traces, err := otlp.DecodeTraces(r.Body, enc)
		if err != nil {
			t.Fatalf("%s: %v", r.File, err)
		}
		spans := traces.Map(now)
		if traces.Rejected > 0 {
			t.Errorf("%s: %d rejected: %s", r.File, traces.Rejected, traces.Reason)
		}
		return spans
	case "logs":
		logs, err := otlp.DecodeLogs(r.Body, enc)
		if err != nil {
			t.Fatalf("%s: %v", r.File, err)
		}
		return logs.Map(now)
	}
	return nil
}

// stored is what a store does: spans of one id are merged.
type stored struct {
	at    map[string]int
	spans []trace.Span
}

func (s *stored) add(spans ...trace.Span) {
	if s.at == nil {
		s.at = map[string]int{}
	}
	for _, span := range spans {
		key := string(span.TraceID) + " " + string(span.ID)
		if i, ok := s.at[key]; ok {
			s.spans[i] = trace.Merge(&s.spans[i], &span)
			continue
		}
		s.at[key] = len(s.spans)
		s.spans = append(s.spans, span)
	}
}

// completed gives a span as a server shows it, with what those know who tell of
// its call.
func completed(spans []trace.Span, standings []trace.Standing, i int) trace.Span {
	var from []*trace.Span
	for _, j := range standings[i].From {
		from = append(from, &spans[j])
	}
	return trace.Complete(&spans[i], from...)
}

// shown is what a server shows of stored spans: calls completed by those who
// tell of them.
func shown(t testing.TB, spans []trace.Span) []otlptest.Span {
	t.Helper()
	standings := trace.Resolve(spans)
	out := make([]otlptest.Span, len(spans))
	for i := range spans {
		s := completed(spans, standings, i)
		out[i] = wire(t, &s, standings[i].Counts)
	}
	return out
}

func wire(t testing.TB, s *trace.Span, counted bool) otlptest.Span {
	t.Helper()
	p := &s.Payload
	w := otlptest.Span{
		TraceID: string(s.TraceID), SpanID: string(s.ID), Name: s.Name, Kind: string(s.Kind), Provider: s.Provider,
		ModelRequested: s.Model, ModelUsed: s.ModelUsed, StartTime: s.Start, TimeToFirstTokenMS: s.TimeToFirstTokenMS,
		FinishReason: s.FinishReason, ProviderRequestID: s.ProviderRequestID, Status: string(s.Status), StatusMessage: p.StatusMessage,
		Error: p.Error, UserID: s.UserID, Tags: s.Tags, ToolName: s.ToolName, ToolCallID: s.ToolUseID, ToolInput: p.ToolInput,
		ToolResponse: p.ToolResponse, CostNanoUSD: s.CostNanoUSD, Counted: counted, Metadata: p.Metadata, Attributes: p.Attributes, Events: p.Events,
	}
	if s.ParentID != "" {
		parent := string(s.ParentID)
		w.ParentSpanID = &parent
	}
	if s.SessionID != "" {
		session := string(s.SessionID)
		w.SessionID = &session
	}
	if u := s.Usage; u != nil {
		w.Usage = &otlptest.Usage{
			InputTokens: u.InputTokens(), OutputTokens: u.OutputTokens(), CacheRead: u.CacheRead, CacheWrite5m: u.CacheWrite5m,
			CacheWrite1h: u.CacheWrite1h, Reasoning: u.Reasoning,
		}
	}
	for _, m := range []struct {
		from json.RawMessage
		to   *[]otlptest.Message
	}{{p.InputMessages, &w.InputMessages}, {p.OutputMessages, &w.OutputMessages}} {
		if m.from != nil {
			if err := json.Unmarshal(m.from, m.to); err != nil {
				t.Fatalf("messages %s: %v", m.from, err)
			}
		}
	}
	return w
}

// isG1 reports whether a family speaks the earlier service's own form, which
// package ingestapi reads.
func isG1(s *otlptest.Scenario) bool { return s.Requests[0].Path == "/v1/traces/async" }

// TestCorpus reads every capture and compares what is shown with what the
// programs did. It prints a score per family.
func TestCorpus(t *testing.T) {
	t.Parallel()
	type score struct{ scenarios, perfect, checks, faults int }
	scores := map[string]*score{}
	var families []string
	for _, s := range corpus(t) {
		if isG1(&s) {
			continue
		}
		f := scores[s.Family]
		if f == nil {
			f = &score{}
			scores[s.Family] = f
			families = append(families, s.Family)
		}
		var store stored
		for i := range s.Requests {
			store.add(mapRequest(t, &s.Requests[i])...)
		}
		res := s.Compare(shown(t, store.spans))
		f.scenarios++
		f.checks += res.Checks
		f.faults += len(res.Faults)
		if len(res.Faults) == 0 {
			f.perfect++
		}
		for _, fault := range res.Faults {
			t.Errorf("%s/%s %v", s.Family, s.Name, fault)
		}
	}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	total := score{}
	for _, name := range families {
		f := scores[name]
		fmt.Fprintf(w, "%s\t%d/%d\t%d/%d\t%.1f%%\n", name, f.perfect, f.scenarios, f.checks-f.faults, f.checks,
			100*float64(f.checks-f.faults)/float64(f.checks))
		total = score{total.scenarios + f.scenarios, total.perfect + f.perfect, total.checks + f.checks, total.faults + f.faults}
	}
	fmt.Fprintf(w, "all\t%d/%d\t%d/%d\n", total.perfect, total.scenarios, total.checks-total.faults, total.checks)
	_ = w.Flush()
	t.Logf("family, scenarios without a fault, checks passed:\n%s", table.String())
}
