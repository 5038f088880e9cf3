package ingestapi

import (
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/otlp"
	"github.com/pulse-traces/pulse/shared/trace"
)

// DecodeLine reads a line of an export: traces and spans as /v1/traces/batch and
// /v1/spans/batch take them, resourceSpans and resourceLogs as /v1/traces and
// /v1/logs do, of any number. Members that are absent or null hold nothing, and
// others are ignored. Spans that came without a time of their own get the line's
// startTime, or now. A fault.Invalid names the first thing that cannot be stored;
// then there are no spans. The spans keep parts of body.
func DecodeLine(body []byte, now time.Time) ([]trace.Span, error) {
	body, err := api.CheckJSON(body)
	if err != nil {
		return nil, err
	}
	var line struct {
		StartTime     jsontext.Value   `json:"startTime"`
		Traces        []jsontext.Value `json:"traces"`
		Spans         []jsontext.Value `json:"spans"`
		ResourceSpans jsontext.Value   `json:"resourceSpans"`
		ResourceLogs  jsontext.Value   `json:"resourceLogs"`
	}
	if err := json.Unmarshal(body, &line, api.DecodeOptions); err != nil {
		return nil, api.InvalidJSON(err)
	}
	if line.StartTime.Kind() == '"' {
		text, _ := jsontext.AppendUnquote(nil, line.StartTime)
		if at, ok := trace.ParseTime(string(text)); ok {
			now = at
		}
	}
	var out []trace.Span
	for _, part := range []struct {
		records []jsontext.Value
		decode  func([]byte) ([]trace.Span, error)
	}{{line.Traces, decodeTraces}, {line.Spans, decodeSpans}} {
		for some := range slices.Chunk(part.records, trace.MaxBatch) {
			list := []byte("[")
			for i, v := range some { // byte for byte, which an encoder would not do
				if i > 0 {
					list = append(list, ',')
				}
				list = append(list, v...)
			}
			spans, err := part.decode(append(list, ']'))
			if err != nil {
				return nil, err
			}
			out = append(out, spans...)
		}
	}
	if there(line.ResourceSpans) {
		sent, err := otlp.DecodeTraces(slices.Concat([]byte(`{"resourceSpans":`), line.ResourceSpans, []byte("}")), otlp.JSON)
		if err != nil {
			return nil, err
		}
		out = append(out, sent.Map(now)...)
		if sent.Rejected > 0 {
			return nil, fault.New(fault.Invalid, sent.Reason)
		}
	}
	if there(line.ResourceLogs) {
		sent, err := otlp.DecodeLogs(slices.Concat([]byte(`{"resourceLogs":`), line.ResourceLogs, []byte("}")), otlp.JSON)
		if err != nil {
			return nil, err
		}
		out = append(out, sent.Map(now)...)
		if sent.Rejected > 0 {
			return nil, fault.New(fault.Invalid, sent.Reason)
		}
	}
	return out, nil
}

func there(v jsontext.Value) bool { return len(v) > 0 && v.Kind() != 'n' }
