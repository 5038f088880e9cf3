package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

var (
	spansAsync = route{"/v1/spans/async", "application/json", http.StatusAccepted, renewSpans}
	spansBatch = route{"/v1/spans/batch", "application/json", http.StatusAccepted, renewSpans}
	otlpProto  = route{"/v1/traces", "application/x-protobuf", http.StatusOK, func(body []byte) {
		renewAfter(body, "\x0a\x10\xff\xfe", perTrace, copyID)
		renewAfter(body, "\x12\x08\xff\xfd", 1, copyID)
	}}
	otlpJSON = route{"/v1/traces", "application/json", http.StatusOK, func(body []byte) {
		renewAfter(body, `"traceId":"fffe`, perTrace, encodeID)
		renewAfter(body, `"spanId":"fffd`, 1, encodeID)
	}}
)

// perTrace is how many calls a trace of OTLP's benchmarks has.
const perTrace = 5

// renewSpans gives the spans of a body new ids, in place.
func renewSpans(body []byte) {
	renewAfter(body, `"trace_id":"fffe`, perTrace, encodeID)
	renewAfter(body, `"span_id":"fffd`, 1, encodeID)
}

func copyID(dst, id []byte)   { copy(dst, id) }
func encodeID(dst, id []byte) { hex.Encode(dst, id) }

// renewAfter puts a new id behind each marker, the same for so many in a row.
func renewAfter(body []byte, marker string, row int, put func(dst, id []byte)) {
	var id []byte
	for at, n := 0, 0; ; n++ {
		i := bytes.Index(body[at:], []byte(marker))
		if i < 0 {
			return
		}
		at += i + len(marker)
		if n%row == 0 {
			id = idBytes(ids.Add(1))
		}
		put(body[at:], id)
	}
}

// call is a model call whose span has about 2 KB.
func (g *generator) call() record {
	r := g.record()
	r.RequestBody["messages"] = []message{{"system", g.system[0][:300]}, {"user", g.text(66)}}
	return r
}

// export is an OTLP request of calls, as an instrumentation of the GenAI
// conventions sends them.
func export(calls []record) ptraceotlp.ExportRequest {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "shop")
	rs.Resource().Attributes().PutStr("deployment.environment.name", "production")
	ss := rs.ScopeSpans().AppendEmpty()
	ss.Scope().SetName("opentelemetry.instrumentation.openai_v2")
	for i := range calls {
		c := &calls[i]
		s := ss.Spans().AppendEmpty()
		s.SetTraceID(pcommon.TraceID{0xff, 0xfe}) // renewed when it is sent
		s.SetSpanID(pcommon.SpanID{0xff, 0xfd})
		s.SetName("chat " + c.ModelRequested)
		s.SetKind(ptrace.SpanKindClient)
		start, _ := time.Parse(time.RFC3339, c.Timestamp)
		s.SetStartTimestamp(pcommon.NewTimestampFromTime(start))
		s.SetEndTimestamp(pcommon.NewTimestampFromTime(start.Add(time.Duration(c.LatencyMS) * time.Millisecond)))
		a := s.Attributes()
		for k, v := range map[string]string{
			"gen_ai.operation.name": "chat", "gen_ai.provider.name": c.Provider, "gen_ai.request.model": c.ModelRequested,
			"gen_ai.response.model": c.ModelUsed, "gen_ai.conversation.id": c.SessionID,
			"gen_ai.input.messages":  messagesOf("", c.RequestBody["messages"].([]message)...),
			"gen_ai.output.messages": messagesOf(c.FinishReason, message{"assistant", c.OutputText}),
		} {
			a.PutStr(k, v)
		}
		a.PutInt("gen_ai.usage.input_tokens", int64(c.InputTokens))
		a.PutInt("gen_ai.usage.output_tokens", int64(c.OutputTokens))
		a.PutDouble("gen_ai.request.temperature", 0.2)
	}
	return ptraceotlp.NewExportRequestFromTraces(td)
}

// spans is the same calls as `/v1/spans/async` and `/v1/spans/batch` take them.
func spans(calls []record) ([]byte, error) {
	type span struct {
		SpanID       string         `json:"span_id"`
		TraceID      string         `json:"trace_id"`
		SessionID    string         `json:"session_id"`
		Timestamp    string         `json:"timestamp"`
		DurationMS   int            `json:"duration_ms"`
		Source       string         `json:"source"`
		Service      string         `json:"service"`
		Kind         string         `json:"kind"`
		EventType    string         `json:"event_type"`
		Status       string         `json:"status"`
		Provider     string         `json:"provider"`
		Model        string         `json:"model"`
		ModelUsed    string         `json:"model_used"`
		InputTokens  int            `json:"input_tokens"`
		OutputTokens int            `json:"output_tokens"`
		OutputText   string         `json:"output_text"`
		FinishReason string         `json:"finish_reason"`
		Metadata     map[string]any `json:"metadata"`
	}
	list := make([]span, len(calls))
	for i := range calls {
		c := &calls[i]
		list[i] = span{
			"fffd000000000000", "fffe0000000000000000000000000000", c.SessionID, c.Timestamp, c.LatencyMS, "sdk", "shop", "llm_call",
			"provider_call", "success", c.Provider, c.ModelRequested, c.ModelUsed, c.InputTokens, c.OutputTokens, c.OutputText, c.FinishReason,
			map[string]any{"temperature": 0.2, "messages": c.RequestBody["messages"]},
		}
	}
	return json.Marshal(list)
}

// messagesOf is messages as the conventions have them.
func messagesOf(finish string, messages ...message) string {
	type part struct {
		Type    string `json:"type"`
		Content string `json:"content"`
	}
	type turn struct {
		Role         string `json:"role"`
		Parts        []part `json:"parts"`
		FinishReason string `json:"finish_reason,omitempty"`
	}
	turns := make([]turn, len(messages))
	for i, m := range messages {
		turns[i] = turn{m.Role, []part{{"text", m.Content}}, finish}
	}
	b, err := json.Marshal(turns)
	if err != nil {
		panic(err) // plain values always encode
	}
	return string(b)
}

// callRate times b.seconds is how many calls each route is sent.
const callRate = 20_000

// otlp measures the same model calls through OTLP, in both encodings, and
// through the routes of spans: the one that answers when the log has them, as
// OTLP's does, and the one that answers when they are stored.
func (b *bench) otlp(ctx context.Context) error {
	g := newGenerator(seed+3, time.Now().Add(-time.Minute), time.Minute)
	const variants = 32
	var batches, protos, jsons [][]byte
	for range variants {
		calls := make([]record, batchSize)
		for i := range calls {
			calls[i] = g.call()
		}
		batch, err := spans(calls)
		if err != nil {
			return err
		}
		request := export(calls)
		proto, err := request.MarshalProto()
		if err != nil {
			return err
		}
		text, err := request.MarshalJSON()
		if err != nil {
			return err
		}
		batches, protos, jsons = append(batches, batch), append(protos, proto), append(jsons, text)
	}
	_, async, err := b.throughput(ctx, b.sub("otlp-async"), spansAsync, batches)
	if err != nil {
		return err
	}
	_, batch, err := b.throughput(ctx, b.sub("otlp-batch"), spansBatch, batches)
	if err != nil {
		return err
	}
	for _, e := range []struct {
		name   string
		route  route
		bodies [][]byte
		decode func([]byte) error
		target string
	}{
		{"protobuf", otlpProto, protos, func(body []byte) error { return ptraceotlp.NewExportRequest().UnmarshalProto(body) }, "≥ 0.40"},
		{"JSON", otlpJSON, jsons, func(body []byte) error { return ptraceotlp.NewExportRequest().UnmarshalJSON(body) }, ""},
	} {
		bare, err := perCore(e.bodies, e.decode, b.seconds/4)
		if err != nil {
			return err
		}
		home := b.sub("otlp-" + e.name)
		acked, queryable, err := b.throughput(ctx, home, e.route, e.bodies)
		if err != nil {
			return err
		}
		size := len(e.bodies[0]) / batchSize
		b.add(row{
			fmt.Sprintf("OTLP %s, model calls of %s B, acknowledged", e.name, thousands(size)), perSecond(acked),
			perSecond(bare) + " bare decode by the collector's pdata, on one processor", ratio(acked, bare), e.target,
		})
		b.add(row{
			"the same until queryable", perSecond(queryable),
			fmt.Sprintf("%s `/v1/spans/async`, %s `/v1/spans/batch`, the same calls", perSecond(async), perSecond(batch)),
			ratio(queryable, async) + ", " + ratio(queryable, batch), "≥ 0.8",
		})
		if e.name == "protobuf" {
			if err := b.remap(ctx, home, queryable); err != nil {
				return err
			}
		}
	}
	return nil
}

// throughput sends a new server callRate calls for each of b.seconds, and gives
// the calls a second that it acknowledged, and that could be read in the end.
func (b *bench) throughput(ctx context.Context, home string, to route, bodies [][]byte) (acked, queryable float64, err error) {
	s, err := startServer(ctx, b.binary, home, access{})
	if err != nil {
		return 0, 0, err
	}
	defer s.stop()
	start := time.Now()
	sent, err := ingest(ctx, s, to, load{most: b.calls()}, bodies)
	if err != nil {
		return 0, 0, err
	}
	if err := s.waitFor(ctx, "/v1/spans", sent.acked); err != nil {
		return 0, 0, err
	}
	return sent.rate(), float64(sent.acked) / time.Since(start).Seconds(), nil
}

// calls is how many calls each route is sent: of as many the stores are as large.
func (b *bench) calls() int { return int(callRate * b.seconds.Seconds()) }

// remap measures `pulse remap` over what throughput stored at queryable a second:
// where nothing changes, and where each span has been read by another version of
// the mapping, which said the same: what most of an update's remap is.
func (b *bench) remap(ctx context.Context, home string, queryable float64) error {
	for _, c := range []struct {
		what   string
		before func() error
	}{
		{"`pulse remap` of what came as OTLP protobuf, where nothing changes", func() error { return nil }},
		{"the same after a new version of the mapping, which says the same", func() error { return otherMapping(filepath.Join(home, ".data", "pulse.db")) }},
	} {
		if err := c.before(); err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, b.binary, "remap")
		cmd.Dir = home
		cmd.Env = append(os.Environ(), "PULSE_HOME="+home, "PULSE_MODE=single")
		start := time.Now()
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("remap: %w: %s", err, out)
		}
		remapped := float64(b.calls()) / time.Since(start).Seconds()
		b.add(row{c.what, perSecond(remapped), perSecond(queryable) + " its ingest until queryable", ratio(remapped, queryable), "≥ 1.0"})
	}
	return nil
}

// otherMapping makes the spans of a database look as if another version of the
// mapping had read them.
func otherMapping(path string) (err error) {
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.Exec(`UPDATE spans SET mapping_version = mapping_version + 1 WHERE mapping_version > 0`)
	return err
}

// perCore gives how many calls a second one processor decodes.
func perCore(bodies [][]byte, decode func([]byte) error, d time.Duration) (float64, error) {
	n := 0
	start := time.Now()
	for time.Since(start) < d {
		if err := decode(bodies[n%len(bodies)]); err != nil {
			return 0, err
		}
		n++
	}
	return float64(n*batchSize) / time.Since(start).Seconds(), nil
}
