package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

func reads(t *testing.T, open OpenFunc) {
	cases(t, open, map[string]func(t *testing.T, s store.Store){
		"RandomFiltersEqualBruteForce": func(t *testing.T, s store.Store) {
			p, other := newProject(t, s, "a"), newProject(t, s, "b")
			rng := rand.New(rand.NewPCG(8, 1))
			spans := randomSpans(rng, 400)
			write(t, s, p, spans...)
			write(t, s, other, randomSpans(rng, 50)...)
			m := model{}
			m.add(spans...)
			page := store.Page{Limit: 1000, Detail: store.Full}
			for range 150 {
				tf := store.TraceFilter{
					Time: randomRange(rng), Source: pick(rng, "", "", trace.SourceSDK, trace.SourceCodex),
					SessionID: pick[trace.SessionID](rng, "", "", "", "x1", "x2"), Service: pick(rng, "", "", "", "web"), Provider: pick(rng, "", "", "openai", "sdk"),
					Model: pick(rng, "", "", "m1", "unknown"), Status: pick(rng, "", trace.StatusError, trace.StatusSuccess),
				}
				want := m.listTraces(tf)
				got := must[store.TraceList](t)(s.ListTraces(t.Context(), p, tf, page))
				same(t, fmt.Sprintf("traces of %+v", tf), want, got.Traces)
				same(t, fmt.Sprintf("total of traces of %+v", tf), int64(len(want)), got.Total)

				sf := store.SpanFilter{
					Time: randomRange(rng), SessionID: pick[trace.SessionID](rng, "", "", "", "x1", "x2"), TraceID: pick[trace.TraceID](rng, "", "", "", "t1", "r00003"),
					Service: pick(rng, "", "", "", "web"), Source: pick(rng, "", "", trace.SourceCodex), Kind: pick(rng, "", "", trace.KindToolUse, trace.KindLLMCall),
					ToolName: pick(rng, "", "", "Bash"), Status: pick(rng, "", "", trace.StatusError),
				}
				wantSpans := m.listSpans(sf)
				gotSpans := must[store.SpanList](t)(s.ListSpans(t.Context(), p, sf, page))
				same(t, fmt.Sprintf("spans of %+v", sf), wantSpans, gotSpans.Spans)
				same(t, fmt.Sprintf("total of spans of %+v", sf), int64(len(wantSpans)), gotSpans.Total)

				ef := store.SessionFilter{
					Time: randomRange(rng), Source: pick(rng, "", trace.SourceCodex),
					Sort: pick(rng, "", store.SortRecent, store.SortOldest, store.SortDuration, store.SortErrors, store.SortVolume),
				}
				if ef.Time.From != nil && ef.Time.To != nil && !ef.Time.From.Before(*ef.Time.To) {
					ef.Time = store.TimeRange{}
				}
				wantSessions := m.listSessions(ef)
				offset := rng.IntN(5)
				gotSessions := must[store.SessionList](t)(s.ListSessions(t.Context(), p, ef, store.Page{Limit: 4, Offset: offset}))
				same(t, fmt.Sprintf("sessions of %+v", ef), wantSessions[min(offset, len(wantSessions)):min(offset+4, len(wantSessions))], gotSessions.Sessions)
				same(t, fmt.Sprintf("total of sessions of %+v", ef), int64(len(wantSessions)), gotSessions.Total)
			}
			for i := range 12 {
				id := trace.SessionID(fmt.Sprint("x", i))
				spans := m.listSpans(store.SpanFilter{SessionID: id})
				slices.Reverse(spans)
				list := must[store.SpanList](t)(s.SessionSpans(t.Context(), p, id, page))
				same(t, "session spans", spans, list.Spans)
				same(t, "total of session spans", int64(len(spans)), list.Total)
				traces := m.listTraces(store.TraceFilter{SessionID: id})
				slices.Reverse(traces)
				tl := must[store.TraceList](t)(s.SessionTraces(t.Context(), p, id, page))
				same(t, "session traces", traces, tl.Traces)
				same(t, "total of session traces", int64(len(traces)), tl.Total)
			}
		},
		"RangesIncludeFromAndExcludeTo": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			at := start.Add(90*time.Minute + time.Microsecond)
			write(t, s, p, llmTrace("t", at), span("s", at))
			for _, c := range []struct {
				from, to time.Time
				want     int64
			}{
				{at, at.Add(time.Microsecond), 1},
				{at.Add(-time.Hour), at, 0},
				{at.Add(time.Microsecond), at.Add(time.Hour), 0},
				{start, start.AddDate(0, 0, 1), 1},
				{at, at, 0},
				{at.Add(time.Hour), start, 0},
				{at.Add(-time.Nanosecond), at.Add(time.Nanosecond), 1},
				{at.Add(time.Nanosecond), at.Add(time.Hour), 0},
			} {
				r := store.TimeRange{From: &c.from, To: &c.to}
				traces := must[store.TraceList](t)(s.ListTraces(t.Context(), p, store.TraceFilter{Time: r}, store.Page{Limit: 10}))
				spans := must[store.SpanList](t)(s.ListSpans(t.Context(), p, store.SpanFilter{Time: r}, store.Page{Limit: 10}))
				calls := must[store.CallAnalytics](t)(s.CallAnalytics(t.Context(), p, r, store.PeriodHour))
				got := []int64{traces.Total, int64(len(traces.Traces)), spans.Total, int64(len(spans.Spans)), calls.Sums.Calls}
				same(t, fmt.Sprintf("%v to %v", c.from, c.to), slices.Repeat([]int64{c.want}, 5), got)
			}
		},
		"OffsetPages": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			spans := randomSpans(rand.New(rand.NewPCG(9, 1)), 120)
			write(t, s, p, spans...)
			m := model{}
			m.add(spans...)
			var traces []trace.Trace
			var list []trace.Span
			for offset := 0; offset < 130; offset += 7 {
				page := store.Page{Limit: 7, Offset: offset, Detail: store.Full}
				traces = append(traces, must[store.TraceList](t)(s.ListTraces(t.Context(), p, store.TraceFilter{}, page)).Traces...)
				list = append(list, must[store.SpanList](t)(s.ListSpans(t.Context(), p, store.SpanFilter{}, page)).Spans...)
			}
			same(t, "traces", m.listTraces(store.TraceFilter{}), traces)
			same(t, "spans", m.listSpans(store.SpanFilter{}), list)
		},
		"CursorsNeitherSkipNorRepeatWhileDataArrives": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			var spans []trace.Span
			for i := range 60 { // pairs at the same time
				sp := span(numbered("s", i), minute(i/2))
				sp.TraceID = trace.TraceID(numbered("t", i))
				spans = append(spans, sp)
			}
			write(t, s, p, spans...)
			m := model{}
			m.add(spans...)
			arrived := 0
			later := func() { // newer than all of a list, older than all of a session
				arrived++
				newer, older := span(numbered("newer", arrived), minute(100+arrived)), span(numbered("older", arrived), minute(-arrived))
				newer.TraceID, older.TraceID = trace.TraceID(newer.ID), trace.TraceID(older.ID)
				newer.SessionID = "other"
				write(t, s, p, newer, older)
			}
			type answer struct {
				ids  []string
				next string
			}
			ofTraces := func(l store.TraceList, err error) answer {
				a := answer{next: l.Next}
				ok(t, err)
				for _, tr := range l.Traces {
					a.ids = append(a.ids, string(tr.ID))
				}
				return a
			}
			ofSpans := func(l store.SpanList, err error) answer {
				a := answer{next: l.Next}
				ok(t, err)
				for _, sp := range l.Spans {
					a.ids = append(a.ids, string(sp.ID))
				}
				return a
			}
			ctx := t.Context()
			from := store.TimeRange{From: &start}
			for name, ask := range map[string]struct {
				list      func(store.Page) answer
				prefix    string
				ascending bool
			}{
				"ListTraces":    {func(pg store.Page) answer { return ofTraces(s.ListTraces(ctx, p, store.TraceFilter{Time: from}, pg)) }, "t", false},
				"ListSpans":     {func(pg store.Page) answer { return ofSpans(s.ListSpans(ctx, p, store.SpanFilter{Time: from}, pg)) }, "s", false},
				"SessionTraces": {func(pg store.Page) answer { return ofTraces(s.SessionTraces(ctx, p, "session", pg)) }, "t", true},
				"SessionSpans":  {func(pg store.Page) answer { return ofSpans(s.SessionSpans(ctx, p, "session", pg)) }, "s", true},
			} {
				var got []string
				pages := 0
				for cursor := ""; ; pages++ {
					a := ask.list(store.Page{Limit: 7, Cursor: cursor, Offset: pages}) // a cursor wins over the offset
					got = append(got, a.ids...)
					if a.next == "" {
						break
					}
					cursor = a.next
					later()
				}
				// What arrived before the first page is in it; only the 60 count.
				got = slices.DeleteFunc(got, func(id string) bool { return !strings.HasPrefix(id, ask.prefix+"0") })
				var want []string
				for i := range 60 {
					want = append(want, numbered(ask.prefix, i))
				}
				if !ask.ascending {
					slices.Reverse(want)
				}
				same(t, name, want, got)
			}
		},
		"TheLastPageHasNoNext": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			write(t, s, p, llmTrace("1", minute(1)), llmTrace("2", minute(2)))
			for limit, want := range map[int]bool{1: true, 2: false, 3: false} {
				list := must[store.TraceList](t)(s.ListTraces(t.Context(), p, store.TraceFilter{}, store.Page{Limit: limit}))
				if (list.Next != "") != want {
					t.Errorf("limit %d: next %q", limit, list.Next)
				}
			}
		},
		"MalformedCursorIsInvalid": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			for _, cursor := range []string{"x", "AQ", "🎉", strings.Repeat("A", 5000)} {
				page := store.Page{Limit: 1, Cursor: cursor}
				_, err := s.ListTraces(t.Context(), p, store.TraceFilter{}, page)
				wantCode(t, err, fault.Invalid)
				_, err = s.ListSpans(t.Context(), p, store.SpanFilter{}, page)
				wantCode(t, err, fault.Invalid)
				_, err = s.SessionSpans(t.Context(), p, "x", page)
				wantCode(t, err, fault.Invalid)
				_, err = s.SessionTraces(t.Context(), p, "x", page)
				wantCode(t, err, fault.Invalid)
			}
		},
		"TracesWithoutStartAreInNoListButCanBeRead": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			begin := span("s", minute(1))
			begin.TraceID, begin.EventType = "t", "session_start"
			write(t, s, p, begin)
			list := must[store.TraceList](t)(s.ListTraces(t.Context(), p, store.TraceFilter{}, store.Page{Limit: 10}))
			session := must[store.TraceList](t)(s.SessionTraces(t.Context(), p, "session", store.Page{Limit: 10}))
			if len(list.Traces)+len(session.Traces) != 0 || list.Total+session.Total != 0 {
				t.Fatal("a trace of lifecycle events only is listed")
			}
			if got := must[trace.Trace](t)(s.Trace(t.Context(), p, "t")); got.SpanCount != 1 || len(got.Spans) != 1 {
				t.Fatalf("%+v", got)
			}
		},
		"LongTracesAreCutAndKeepTheirMainSpan": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			const n = 20_000
			var spans []trace.Span
			for i := range n {
				sp := span(numbered("s", i), start.Add(time.Duration(i)*time.Second))
				sp.TraceID = "long"
				spans = append(spans, sp)
			}
			spans[n-1].Kind = trace.KindLLMCall
			spans[n-1].Payload.OutputText = ptr("answer")
			for part := range slices.Chunk(spans, 5000) {
				write(t, s, p, part...)
			}
			check := func(what string, tr trace.Trace, limit int) {
				t.Helper()
				if tr.SpanCount != n || !tr.SpansTruncated || len(tr.Spans) != limit || tr.Main.SpanID != spans[n-1].ID {
					t.Fatalf("%s: %d spans of %d, truncated %v, main %s", what, len(tr.Spans), tr.SpanCount, tr.SpansTruncated, tr.Main.SpanID)
				}
				same(t, what, append(slices.Clone(spans[:limit-1]), spans[n-1]), tr.Spans)
			}
			page := store.Page{Limit: 10, Detail: store.Full}
			check("Trace", must[trace.Trace](t)(s.Trace(t.Context(), p, "long")), store.MaxTraceSpans)
			check("ListTraces", must[store.TraceList](t)(s.ListTraces(t.Context(), p, store.TraceFilter{}, page)).Traces[0], store.MaxListedSpans)
			check("SessionTraces", must[store.TraceList](t)(s.SessionTraces(t.Context(), p, "session", page)).Traces[0], store.MaxListedSpans)
		},
		"ServicesOfATraceAreAllFound": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			m := model{}
			for i := range trace.MaxTraceServices + 8 { // more than its row lists
				sp := called(numbered("s", i), "", minute(i), 0)
				sp.Service = ptr(numbered("service", i))
				write(t, s, p, sp)
				m.add(sp)
			}
			older := span("older", minute(1))
			older.TraceID, older.Service = "t2", ptr("older")
			write(t, s, p, older, called("other", "", minute(2), 0))
			m.add(older, called("other", "", minute(2), 0))
			for i := range trace.MaxTraceServices + 8 {
				checkService(t, s, p, m, numbered("service", i))
			}
			checkService(t, s, p, m, "older")
			checkService(t, s, p, m, "absent")
		},
		"OthersRowsAreNotFound": func(t *testing.T, s store.Store) {
			p, other := newProject(t, s, "a"), newProject(t, s, "b")
			sp := span("s", start)
			sp.TraceID = "t"
			write(t, s, p, sp, llmTrace("l", start))
			for _, id := range []trace.SpanID{"s", "l", "absent"} {
				_, err := s.Span(t.Context(), other, id)
				wantCode(t, err, fault.NotFound)
			}
			_, err := s.Span(t.Context(), p, "l") // one of FormTrace is no span to clients
			wantCode(t, err, fault.NotFound)
			for _, id := range []trace.TraceID{"t", "l", "s", ""} {
				_, err := s.Trace(t.Context(), other, id)
				wantCode(t, err, fault.NotFound)
			}
			model{}.check(t, s, other)
			page := store.Page{Limit: 10}
			traces := must[store.TraceList](t)(s.SessionTraces(t.Context(), other, "session", page))
			spans := must[store.SpanList](t)(s.SessionSpans(t.Context(), other, "session", page))
			if len(traces.Traces)+len(spans.Spans) != 0 || traces.Total+spans.Total != 0 {
				t.Fatal("another project's session is seen")
			}
		},
	})
}

// checkService compares what a filter on a service finds with the model.
func checkService(t *testing.T, s store.Store, p account.ProjectID, m model, service string) {
	t.Helper()
	tf, sf := store.TraceFilter{Service: service}, store.SpanFilter{Service: service}
	traces := must[store.TraceList](t)(s.ListTraces(t.Context(), p, tf, store.Page{Limit: 100}))
	if want := m.listTraces(tf); len(traces.Traces) != len(want) || traces.Total != int64(len(want)) {
		t.Errorf("%s: %d traces of %d, want %d", service, len(traces.Traces), traces.Total, len(want))
	}
	spans := must[store.SpanList](t)(s.ListSpans(t.Context(), p, sf, store.Page{Limit: 100}))
	if want := m.listSpans(sf); len(spans.Spans) != len(want) || spans.Total != int64(len(want)) {
		t.Errorf("%s: %d spans of %d, want %d", service, len(spans.Spans), spans.Total, len(want))
	}
}
