package apitest

import (
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// names remembers what stands in this run for the ids, keys and cookies of an
// observed one.
type names struct{ pairs map[string]string }

func newNames() *names { return &names{map[string]string{}} }

func (n *names) bind(old, now string) { n.pairs[old] = now }

// bindCookie binds the value of a session cookie, as it is sent and unescaped,
// and the token in it.
func (n *names) bindCookie(old, now string) {
	n.bind(old, now)
	oldPlain, err := url.PathUnescape(old)
	nowPlain, err2 := url.PathUnescape(now)
	if err != nil || err2 != nil {
		return
	}
	n.bind(oldPlain, nowPlain)
	oldToken, _, _ := strings.Cut(oldPlain, ".")
	nowToken, _, _ := strings.Cut(nowPlain, ".")
	n.bind(oldToken, nowToken)
}

// translate puts this run's names into a text, longer ones first.
func (n *names) translate(text string) string {
	var olds []string
	for old := range n.pairs {
		olds = append(olds, old)
	}
	slices.SortFunc(olds, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, old := range olds {
		pairs = append(pairs, old, n.pairs[old])
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// given are members whose values the server chooses: each is bound where it is
// first seen, and must be the same ever after.
var given = map[string]bool{"id": true, "projectId": true, "userId": true, "apiKey": true, "key": true, "token": true, "accountId": true}

// passing are members whose values differ from run to run.
var passing = map[string]bool{
	"createdAt": true, "updatedAt": true, "expiresAt": true, "expires_at": true, "login_url": true, "lastUsedAt": true, "userAgent": true, "ipAddress": true,
}

// missing lists what of want is not in got: names and values count, more names
// do not. Numbers may differ in the 12th digit (costs are integers here), the
// details of a fault in all but their places.
func (n *names) missing(want, got []byte) []string {
	var w, g any
	if err := json.Unmarshal(want, &w); err != nil {
		return []string{"the example: " + err.Error()}
	}
	if err := json.Unmarshal(got, &g); err != nil {
		return []string{fmt.Sprintf("not JSON: %s", got)}
	}
	c := comparison{names: n}
	c.compare("", "", w, g)
	return c.out
}

type comparison struct {
	names *names
	out   []string
}

func (c *comparison) report(path, format string, args ...any) {
	c.out = append(c.out, path+": "+fmt.Sprintf(format, args...))
}

// linkToken is the secret of a login link.
var linkToken = regexp.MustCompile(`token=[0-9a-f]{32}$`)

// bulky is how the examples stand in for long lists and texts: "<4 spans>".
var bulky = regexp.MustCompile(`^<(\d+ )?.*>$`)

func (c *comparison) compare(path, name string, want, got any) {
	differ := func() { c.report(path, "is %v, want %v", got, want) }
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			differ()
			return
		}
		for name, v := range w {
			if name == "..." || (strings.HasPrefix(path, "/details") && name != "path") {
				continue
			}
			have, ok := g[name]
			if !ok {
				c.report(path+"/"+name, "is missing")
				continue
			}
			c.compare(path+"/"+name, name, v, have)
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			differ()
			return
		}
		if path == "/topTools" || path == "/spansByKind" || path == "/topModels" { // ties stood in any order
			w, g = counts(w), counts(g)
		}
		if path == "/details" { // faults stood in the order of the fields
			sortByPath(w)
			sortByPath(g)
		}
		for i := range w {
			c.compare(fmt.Sprint(path, "/", i), "", w[i], g[i])
		}
	case float64:
		g, ok := got.(float64)
		if !ok || math.Abs(g-w) > 1e-12*math.Max(math.Abs(g), math.Abs(w)) {
			differ()
		}
	case string:
		if !c.sameText(name, w, got) {
			differ()
		}
	default:
		if got != want {
			differ()
		}
	}
}

func (c *comparison) sameText(name, want string, got any) bool {
	if m := bulky.FindStringSubmatch(want); m != nil {
		list, ok := got.([]any)
		return !ok || fmt.Sprint(len(list), " ") == m[1]
	}
	text, ok := got.(string)
	switch {
	case !ok:
		return false
	case passing[name]:
		if was, is := linkToken.FindString(want), linkToken.FindString(text); was != "" && is != "" {
			c.names.bind(was, is)
		}
		return true
	case given[name]:
		if now, bound := c.names.pairs[want]; bound {
			return now == text
		}
		c.names.bind(want, text)
		return true
	}
	return text == c.names.translate(want)
}

func sortByPath(issues []any) {
	slices.SortFunc(issues, func(a, b any) int {
		return strings.Compare(fmt.Sprint(a.(map[string]any)["path"]), fmt.Sprint(b.(map[string]any)["path"]))
	})
}

// counts keeps of rows how often each came.
func counts(rows []any) []any {
	out := make([]any, len(rows))
	for i, r := range rows {
		m := r.(map[string]any)
		if out[i] = m["count"]; out[i] == nil {
			out[i] = m["requests"]
		}
	}
	return out
}
