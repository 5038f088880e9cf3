package exploreapi

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/reqctx"
	"github.com/pulse-traces/pulse/shared/api/view"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/filter"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// Parts of a histogram.
const (
	defaultBuckets = 60
	maxBuckets     = 200
	defaultSeries  = 8
	maxSeries      = 50
)

// between fills in the ends of a range that are open: now, and the first trace.
func (g *Group) between(ctx context.Context, q *store.TraceQuery) error {
	if q.Time.To == nil {
		now := g.Now().UTC().Truncate(time.Microsecond)
		q.Time.To = &now
	}
	if q.Time.From == nil {
		status, err := g.Counts.TraceStatus(ctx, reqctx.Project(ctx))
		if err != nil {
			return err
		}
		if q.Time.From = status.First; status.First == nil {
			q.Time.From = q.Time.To
		}
	}
	return nil
}

type seriesBody struct {
	Key   string     `json:"key"` // "" where nobody said
	Other bool       `json:"other,omitzero"`
	V     []*float64 `json:"v"`
}

func (g *Group) histogram(w http.ResponseWriter, r *http.Request) error {
	in, err := g.readInput(r)
	if err != nil {
		return err
	}
	q, zone := in.query(), in.zone("tz")
	buckets := in.integer("buckets", 1, maxBuckets, defaultBuckets)
	h := store.Histogram{
		By: groupField(in, "by"), Measure: enum(in, "measure", store.Measures(), store.MeasureCount),
		Top: in.integer("top", 1, maxSeries, defaultSeries),
	}
	if err := in.err(); err != nil {
		return err
	}
	ctx := r.Context()
	g.Barrier(ctx)
	if err := g.between(ctx, &q); err != nil {
		return err
	}
	answer := struct {
		T         []int64      `json:"t"`  // when each bucket begins; the first one may be cut
		To        *int64       `json:"to"` // when the last one ends, which may be cut; null without buckets
		Series    []seriesBody `json:"series"`
		ScannedTo *string      `json:"scannedTo"`
	}{T: []int64{}, Series: []seriesBody{}}
	if h.Edges = edgesOf(*q.Time.From, *q.Time.To, buckets, zone); h.Edges != nil {
		last := len(h.Edges) - 1
		q.Time = store.TimeRange{From: &h.Edges[0], To: &h.Edges[last]}
		got, err := g.Counts.TraceHistogram(ctx, reqctx.Project(ctx), q, h)
		if err != nil {
			return queryFault(err)
		}
		to := h.Edges[last].UnixMilli()
		answer.T, answer.To, answer.ScannedTo = milliseconds(h.Edges[:last]), &to, timeOrNull(got.ScannedTo)
		for _, s := range got.Series {
			answer.Series = append(answer.Series, seriesBody{s.Key, s.Other, s.Values})
		}
	}
	return api.WriteJSON(w, http.StatusOK, answer)
}

type valueCount struct {
	Value string `json:"value"`
	Count int64  `json:"count"`
}

func (g *Group) facets(w http.ResponseWriter, r *http.Request) error {
	in, err := g.readInput(r)
	if err != nil {
		return err
	}
	const (
		defaultValues = 10
		maxValues     = 100
	)
	q, fields, limit := in.query(), in.fields("fields"), in.integer("limit", 1, maxValues, defaultValues)
	if err := in.err(); err != nil {
		return err
	}
	ctx := r.Context()
	g.Barrier(ctx)
	got, err := g.Counts.TraceFacets(ctx, reqctx.Project(ctx), q, fields, limit)
	if err != nil {
		return queryFault(err)
	}
	answer := struct {
		Facets    map[filter.Field][]valueCount `json:"facets"`
		Exact     bool                          `json:"exact"`
		ScannedTo *string                       `json:"scannedTo"`
	}{map[filter.Field][]valueCount{}, got.ScannedTo == nil, timeOrNull(got.ScannedTo)}
	for _, f := range fields {
		list := []valueCount{}
		for _, c := range got.Counts[f] {
			list = append(list, valueCount{c.Name, c.Count})
		}
		answer.Facets[f] = list
	}
	return api.WriteJSON(w, http.StatusOK, answer)
}

// maxFields is how many fields one question asks for.
const maxFields = 32

// fields reads a list of fields that traces can be counted by; all but those of
// the metadata if absent.
func (in *input) fields(name string) []filter.Field {
	if _, ok := in.member(name); !ok {
		return store.GroupFields()
	}
	return list(in, name, maxFields, groupField)
}

// rejectedBody is what was refused in a minute for one reason.
type rejectedBody struct {
	At     string `json:"at"` // the minute's begin
	Reason string `json:"reason"`
	Count  int64  `json:"count"`
}

const (
	rejectedFor = 24 * time.Hour
	maxRejected = 20
)

func (g *Group) status(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	g.Barrier(ctx)
	answer := struct {
		Traces       int64    `json:"traces"`
		FirstTraceAt *string  `json:"firstTraceAt"`
		CompleteTo   *string  `json:"completeTo"`
		LagMS        *float64 `json:"lagMs"`
		// Rejected is the latest of the last day.
		Rejected []rejectedBody `json:"rejected"`
	}{CompleteTo: g.completeTo(ctx), Rejected: []rejectedBody{}}
	if lag, ok := g.lag(ctx); ok {
		ms := float64(lag.Microseconds()) / 1000
		answer.LagMS = &ms
	}
	status, err := g.Counts.TraceStatus(ctx, reqctx.Project(ctx))
	if err != nil {
		return err
	}
	answer.Traces, answer.FirstTraceAt = status.Traces, timeOrNull(status.First)
	rejected, err := g.Rejected.Rejections(ctx, reqctx.Project(ctx), g.Now().Add(-rejectedFor), maxRejected)
	if err != nil {
		return err
	}
	for _, r := range rejected {
		answer.Rejected = append(answer.Rejected, rejectedBody{view.Timestamp(r.Minute), r.Reason, r.Count})
	}
	return api.WriteJSON(w, http.StatusOK, answer)
}

// match is where an id was found.
type match struct {
	ProjectID   account.ProjectID `json:"projectId"`
	ProjectName string            `json:"projectName"`
	Kind        string            `json:"kind"` // trace, span or session
	TraceID     *string           `json:"traceId"`
	SpanID      *string           `json:"spanId"`
	SessionID   *string           `json:"sessionId"`
}

// resolve looks for an id in all projects of the user.
func (g *Group) resolve(w http.ResponseWriter, r *http.Request) error {
	const missing = "None of your projects has a trace, span or session of this id"
	id, err := api.PathID(r, missing)
	if err != nil {
		return err
	}
	ctx := r.Context()
	g.Barrier(ctx)
	projects, err := g.Projects.UserProjects(ctx, reqctx.User(ctx).ID)
	if err != nil {
		return err
	}
	matches := []match{}
	for _, p := range projects {
		at, err := g.Counts.Locate(ctx, p.ID, id)
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return err
		}
		m := match{p.ID, p.Name, "session", orNull(string(at.Trace)), orNull(string(at.Span)), orNull(string(at.Session))}
		switch {
		case at.Span != "":
			m.Kind = "span"
		case at.Trace != "":
			m.Kind = "trace"
		}
		matches = append(matches, m)
	}
	if len(matches) == 0 {
		return fault.New(fault.NotFound, missing)
	}
	return api.WriteJSON(w, http.StatusOK, struct {
		Matches []match `json:"matches"`
	}{matches})
}

const noTrace = "Trace not found"

func (g *Group) neighbours(w http.ResponseWriter, r *http.Request) error {
	id, err := api.PathID(r, noTrace)
	if err != nil {
		return err
	}
	in := queryInput(r)
	in.noPayloads = g.NoPayloadSearch
	q := in.query()
	if err := in.err(); err != nil {
		return err
	}
	ctx := r.Context()
	g.Barrier(ctx)
	got, err := g.Counts.TraceNeighbours(ctx, reqctx.Project(ctx), trace.TraceID(id), q)
	if err != nil {
		return api.Missing(queryFault(err), noTrace)
	}
	return api.WriteJSON(w, http.StatusOK, struct {
		Next     *string `json:"next"`
		Previous *string `json:"previous"`
		LastGood *string `json:"lastGood"`
	}{orNull(string(got.Next)), orNull(string(got.Previous)), orNull(string(got.LastGood))})
}

// queryInput reads the parameters of a GET as if they were members of a body, all
// of them texts; of a repeated one the first.
func queryInput(r *http.Request) *input {
	in := &input{members: map[string]jsontext.Value{}}
	for name, values := range r.URL.Query() {
		quoted, _ := jsontext.AppendQuote(nil, strings.ToValidUTF8(values[0], "\uFFFD")) // valid UTF-8 always can
		in.members[name] = quoted
	}
	return in
}
