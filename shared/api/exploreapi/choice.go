package exploreapi

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// choice is traces by id, or those that a query finds.
type choice struct {
	ids   []trace.TraceID // each once; nil where there is a query
	query store.TraceQuery
	// given says that there is some of either.
	given bool
}

// chosen reads ids, at most maxIDs, or else q, text, from and to.
func (in *input) chosen(maxIDs int) choice {
	s := choice{query: in.query()}
	for _, name := range []string{"q", "text", "from", "to"} {
		if _, ok := in.member(name); ok {
			s.given = true
		}
	}
	v, ok := in.member("ids")
	if !ok {
		return s
	}
	var list []string
	switch {
	case s.given:
		in.fault("ids", "invalid_value", "Give ids, or q, text, from and to")
	case v.Kind() != '[' || json.Unmarshal(v, &list, api.DecodeOptions) != nil:
		in.fault("ids", "invalid_type", "Invalid input: expected array of strings")
	case len(list) > maxIDs:
		in.fault("ids", "too_big", "Too big: expected array to have <="+strconv.Itoa(maxIDs)+" items")
	}
	s.given, s.ids = true, []trace.TraceID{}
	seen := map[string]bool{}
	for i, id := range list {
		one := input{members: map[string]jsontext.Value{"ids": quoted(id)}}
		if one.text("ids", trace.MaxIDBytes); len(one.issues) > 0 || len(id) > trace.MaxIDBytes {
			in.fault("ids", "invalid_format", "Invalid id at "+strconv.Itoa(i))
			return s
		}
		if !seen[id] {
			seen[id] = true
			s.ids = append(s.ids, trace.TraceID(id))
		}
	}
	return s
}

func quoted(s string) jsontext.Value {
	b, _ := jsontext.AppendQuote(nil, s) // what is not valid is replaced
	return b
}

// place is where work in steps goes on, so that every step can be the last one
// of its process. The zero value is the begin.
type place struct {
	Search string `json:"c,omitzero"` // the cursor of a search
	// Start and ID name the trace that it goes on behind, or, with Inside, in.
	Start  int64         `json:"s,omitzero"` // in microseconds
	ID     trace.TraceID `json:"i,omitzero"`
	Inside bool          `json:"in,omitzero"`
	Spans  string        `json:"p,omitzero"` // the cursor of the spans of the trace that it is in
	Index  int           `json:"n,omitzero"` // of ids, where there are some
}

// String encodes a place; "" for the begin.
func (p place) String() string {
	if p == (place{}) {
		return ""
	}
	b, _ := json.Marshal(p) // texts and numbers always can
	return base64.RawURLEncoding.EncodeToString(b)
}

func placeOf(t *trace.Trace) place { return place{Start: t.Start.UnixMicro(), ID: t.ID} }

// page asks a search for what comes behind p.
func (p place) page(limit int) store.SearchPage {
	page := store.SearchPage{Sort: store.SortStart, Limit: limit, Cursor: p.Search}
	if p.ID != "" {
		page.Behind = &store.TracePlace{Start: time.UnixMicro(p.Start).UTC(), ID: p.ID}
	}
	return page
}

// place reads what String wrote.
func (in *input) place(name string) place {
	const maxChars = 16 << 10
	var p place
	text := in.text(name, maxChars)
	if text == "" {
		return p
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(b, &p) != nil || p.Index < 0 || p.Search != "" && p.ID != "" || p.Inside && p.ID == "" || !p.storable() {
		in.fault(name, "invalid_format", badCursor)
		return place{}
	}
	return p
}

// storable reports whether every engine can compare with p.
func (p place) storable() bool {
	return p.Start >= 0 && p.Start < trace.MaxTime.UnixMicro() && len(p.ID) <= trace.MaxIDBytes && !strings.ContainsRune(string(p.ID), 0)
}

const badCursor = "Invalid cursor: send what the answer before gave, with the same body"
