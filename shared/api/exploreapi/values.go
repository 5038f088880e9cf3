package exploreapi

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/reqctx"
	"github.com/pulse-traces/pulse/shared/api/view"
	"github.com/pulse-traces/pulse/shared/filter"
	"github.com/pulse-traces/pulse/shared/store"
)

// fieldBody is a field of the filter language.
type fieldBody struct {
	Name    filter.Field `json:"name"`
	Type    string       `json:"type"`    // text, enum, duration, money or count
	Options []string     `json:"options"` // of an enum
	Top     []valueCount `json:"top"`     // of the newest traces; none of fields that are not counted by
}

func (g *Group) fieldList(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	const top = 10
	g.Barrier(ctx)
	got, err := g.Counts.TraceFacets(ctx, reqctx.Project(ctx), store.TraceQuery{}, store.GroupFields(), top)
	if err != nil {
		return err
	}
	meta, err := g.Counts.MetaFields(ctx, reqctx.Project(ctx), maxFields, top)
	if err != nil {
		return err
	}
	fields := filter.Fields()
	for _, m := range meta {
		f := filter.MetaField(m.Key)
		fields, got.Counts[f] = append(fields, f), m.Top
	}
	answer := struct {
		Fields []fieldBody `json:"fields"`
	}{}
	for _, f := range fields {
		b := fieldBody{Name: f, Type: f.Type(), Options: f.Options(), Top: []valueCount{}}
		for _, c := range got.Counts[f] {
			b.Top = append(b.Top, valueCount{c.Name, c.Count})
		}
		answer.Fields = append(answer.Fields, b)
	}
	return api.WriteJSON(w, http.StatusOK, answer)
}

// keyName is an API key as whoever reads a trace may know it.
type keyName struct {
	ID   account.KeyID `json:"id"`
	Name string        `json:"name"`
}

// keys names what the field key holds: a key that is not among them was deleted.
func (g *Group) keys(w http.ResponseWriter, r *http.Request) error {
	list, err := g.Keys.Keys(r.Context(), reqctx.Project(r.Context()))
	if err != nil {
		return err
	}
	answer := struct {
		Keys []keyName `json:"keys"`
	}{Keys: make([]keyName, len(list))}
	for i := range list {
		answer.Keys[i] = keyName{list[i].ID, list[i].Name}
	}
	return api.WriteJSON(w, http.StatusOK, answer)
}

func (g *Group) values(w http.ResponseWriter, r *http.Request) error {
	const (
		defaultValues = 20
		maxValues     = 100
		// scanned is more than is answered: traces that have one value of the prefix
		// may have others that are more frequent.
		scanned = 1000
	)
	in, err := g.readInput(r)
	if err != nil {
		return err
	}
	q := in.query()
	field, prefix := groupField(in, "field"), in.text("prefix", maxTextChars)
	limit := in.integer("limit", 1, maxValues, defaultValues)
	if _, ok := in.member("field"); !ok {
		in.fault("field", "invalid_type", "Invalid input: expected string")
	}
	if err := in.err(); err != nil {
		return err
	}
	answer := struct {
		Values []valueCount `json:"values"`
		Exact  bool         `json:"exact"` // false: of the newest traces only
	}{Values: []valueCount{}}
	ctx := r.Context()
	g.Barrier(ctx)
	// A star in the prefix is one, not any text: the pattern finds more than is
	// asked for, and what it finds is looked at again.
	switch options := field.Options(); {
	case options != nil && !slices.ContainsFunc(options, func(o string) bool { return strings.HasPrefix(o, prefix) }):
		answer.Exact = true
		return api.WriteJSON(w, http.StatusOK, answer)
	case options == nil && prefix != "":
		q.Filter.Terms = append(q.Filter.Terms, filter.Term{Field: field, Op: filter.OpIs, Values: []filter.Value{{Text: prefix + "*", Glob: true}}})
	}
	got, err := g.Counts.TraceFacets(ctx, reqctx.Project(ctx), q, []filter.Field{field}, scanned)
	if err != nil {
		return queryFault(err)
	}
	answer.Exact = got.ScannedTo == nil
	for _, c := range got.Counts[field] {
		if strings.HasPrefix(c.Name, prefix) && c.Name != "" && len(answer.Values) < limit {
			answer.Values = append(answer.Values, valueCount{c.Name, c.Count})
		}
	}
	return api.WriteJSON(w, http.StatusOK, answer)
}

// tailPause is how often a question for newer traces looks while it waits.
const tailPause = time.Second

// beforeAll is the place before every trace.
var beforeAll = place{ID: " "}

// tail answers the traces that are newer than a place, newest first. Without one
// it answers none, and where they begin.
func (g *Group) tail(w http.ResponseWriter, r *http.Request) error {
	in, err := g.readInput(r)
	if err != nil {
		return err
	}
	q, after := in.query(), in.place("after")
	if after.Search != "" || after.Spans != "" || after.Inside {
		in.fault("after", "invalid_format", badCursor)
	}
	if err := in.err(); err != nil {
		return err
	}
	answer := struct {
		Items []view.TraceRow `json:"items"`
		Next  string          `json:"next"`
		More  bool            `json:"more"` // between items and the place there are others
	}{Items: []view.TraceRow{}}
	ctx := r.Context()
	end := g.Now().Add(g.Wait)
	for {
		g.Barrier(ctx)
		hits, more, err := g.newer(ctx, q, after)
		if err != nil {
			return queryFault(err)
		}
		next := after
		switch {
		case len(hits) > 0:
			next = placeOf(&hits[0].Trace)
		case after == place{}:
			next = beforeAll
		}
		answer.Next, answer.More = next.String(), more
		if after == (place{}) {
			return api.WriteJSON(w, http.StatusOK, answer)
		}
		if len(hits) > 0 || !g.Now().Before(end) {
			for i := range hits {
				answer.Items = append(answer.Items, view.TraceRowOf(&hits[i]))
			}
			return api.WriteJSON(w, http.StatusOK, answer)
		}
		select {
		case <-ctx.Done():
			return api.WriteJSON(w, http.StatusOK, answer)
		case <-time.After(tailPause):
		}
	}
}

// newer gives the newest traces behind a place, the newest of all without one,
// and whether there are more behind it than those.
func (g *Group) newer(ctx context.Context, q store.TraceQuery, after place) (hits []store.TraceHit, more bool, err error) {
	limit := 1
	if after.ID != "" {
		limit = maxRows + 1
		if from := time.UnixMicro(after.Start).UTC(); q.Time.From == nil || q.Time.From.Before(from) {
			q.Time.From = &from
		}
	}
	found, err := g.Traces.SearchTraces(ctx, reqctx.Project(ctx), q, store.SearchPage{Sort: store.SortStart, Limit: limit})
	if err != nil || after.ID == "" {
		return found.Hits, false, err
	}
	hits = slices.DeleteFunc(found.Hits, func(h store.TraceHit) bool {
		at := h.Start.UnixMicro()
		return at < after.Start || at == after.Start && h.ID <= after.ID
	})
	return hits[:min(len(hits), maxRows)], len(hits) > maxRows, nil
}
