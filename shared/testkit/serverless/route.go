package serverless

import (
	"net/url"
	"strings"
)

// gatewayPath is the path that an HTTP API makes of one that was sent. The
// documentation says that it is decoded. On AWS others have seen more: doubled
// slashes become one; and what was decoded is read as a path again, so that it
// ends at a question mark, a lone percent sign is refused, and the rest is
// decoded a second time. Twice asks for that second reading. False is for what
// is refused.
func gatewayPath(escaped string, twice bool) (string, bool) {
	path, err := url.PathUnescape(escaped)
	if err != nil {
		return "", false
	}
	if twice {
		path, _, _ = strings.Cut(path, "?")
		if path, err = url.PathUnescape(path); err != nil {
			return "", false
		}
	}
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	return path, true
}

// kinds of segments, the more special the lower.
const (
	literal = iota
	variable
	greedy // takes all that follows, which may be empty but for its slash
)

func kindOf(segment string) int {
	switch {
	case strings.HasPrefix(segment, "{") && strings.HasSuffix(segment, "+}"):
		return greedy
	case strings.HasPrefix(segment, "{") && strings.HasSuffix(segment, "}"):
		return variable
	}
	return literal
}

func variableName(segment string) string { return strings.TrimRight(segment[1:], "+}") }

// match tells whether a route takes a request, and the values in its path.
func (r Route) match(method, path string) (map[string]string, bool) {
	if r.Method != method && r.Method != "ANY" {
		return nil, false
	}
	if r.Path == "" {
		return nil, true
	}
	want, got := strings.Split(r.Path, "/"), strings.Split(path, "/")
	values := map[string]string{}
	for i, segment := range want {
		kind := kindOf(segment)
		switch {
		case i >= len(got):
			return nil, false
		case kind == greedy:
			values[variableName(segment)] = strings.Join(got[i:], "/")
			return values, true
		case kind == variable && got[i] != "":
			values[variableName(segment)] = got[i]
		case kind == variable || segment != got[i]:
			return nil, false
		}
	}
	return values, len(want) == len(got)
}

// compareRoutes puts the route first that an HTTP API prefers where several
// match: a whole path before a greedy one before $default, a method before ANY,
// and from the left what is fixed before what varies.
func compareRoutes(a, b Route) int {
	if d := rank(a) - rank(b); d != 0 {
		return d
	}
	if (a.Method == "ANY") != (b.Method == "ANY") {
		if a.Method == "ANY" {
			return 1
		}
		return -1
	}
	as, bs := strings.Split(a.Path, "/"), strings.Split(b.Path, "/")
	for i := range min(len(as), len(bs)) {
		if d := kindOf(as[i]) - kindOf(bs[i]); d != 0 {
			return d
		}
	}
	return len(bs) - len(as) // of two greedy ones the longer
}

func rank(r Route) int {
	segments := strings.Split(r.Path, "/")
	switch {
	case r.Path == "":
		return 2
	case kindOf(segments[len(segments)-1]) == greedy:
		return 1
	}
	return 0
}

// choose gives the route of a request; routes are in the order of compareRoutes.
func choose(routes []Route, method, path string) (Route, map[string]string, bool) {
	for _, r := range routes {
		if values, ok := r.match(method, path); ok {
			return r, values, true
		}
	}
	return Route{}, nil, false
}
