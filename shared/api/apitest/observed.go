package apitest

import (
	"embed"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"path"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// testdata/observed holds calls as they were recorded at the earlier service,
// by topic; testdata/reads those that only read, with the records they read
// beside them; testdata/values.json valid records with one field changed.
//
//go:embed testdata
var testdata embed.FS

// example is a recorded call.
type example struct {
	Request struct {
		Method, Path, Host string
		Headers            map[string]string
		Body               json.RawMessage
		RawBody            *string
	}
	Response struct {
		Status   int
		Headers  [][2]string
		Body     json.RawMessage
		BodyText *string
	}
	Note string
}

func (e *example) header(name string) []string {
	var values []string
	for _, h := range e.Response.Headers {
		if strings.EqualFold(h[0], name) {
			values = append(values, h[1])
		}
	}
	return values
}

func load[T any](t *testing.T, dir, topic string) []T {
	t.Helper()
	raw, err := testdata.ReadFile(path.Join("testdata", dir, topic+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Examples []T }
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatalf("%s: %v", topic, err)
	}
	return file.Examples
}

// story is a sequence of topics that build on each other.
type story struct {
	topics []string
	// accounts are those that exist before: name, e-mail and project. The first
	// owns what was made before the recording.
	accounts [][3]string
	// signIns are session tokens whose sign-in was not recorded, by e-mail.
	signIns map[string]string
	// projects are those of keys whose making was not recorded.
	projects map[string]string
}

var stories = []story{
	{topics: []string{"health", "not-found-and-methods", "cors", "static-dashboard"}},
	{topics: []string{"routing-and-json-edge-cases"}},
	{topics: []string{"auth-api-key"}},
	{topics: []string{"traces-batch", "traces-async", "traces-get", "spans-batch", "spans-async", "spans-get"}},
	{topics: []string{"scale-mode-differences"}},
	{topics: []string{"gen2-otlp"}},
	{topics: []string{"signup"}},
	{
		topics: []string{
			"auth-sign-in", "auth-get-session", "projects", "api-keys", "users", "project-context-and-roles",
			"auth-sign-up-email", "local-login", "auth-sign-out",
		},
		accounts: [][3]string{{"Ann Admin", "ann@example.com", "First Project"}, {"Cy", "cy@example.com", "Cy's"}},
		signIns:  map[string]string{"Kt9rsALyI5TEa4e6zskr1dXjSGTAP0mX": "bob@example.com", "KkhBL2KPHzy4w4FnEeRhKE1M86eziV7S": "ann@example.com"},
		projects: map[string]string{"pulse_sk_df50fc74-9249-45a3-9cdc-0f20caaf0778": "7e0b711d-0e0d-406a-87ac-a650551936c2"},
	},
}

// observed sends again what the earlier service was sent. Answers must have the
// same status and hold at least the same, but for the listed deviations.
func (s *suite) observed(t *testing.T) {
	t.Parallel()
	for _, st := range stories {
		t.Run(st.topics[0], func(t *testing.T) {
			t.Parallel()
			r := &replay{suite: s, story: st, names: newNames()}
			domain := uuid.NewString()[:8] + ".example.com" // other runs have had those accounts
			r.names.bind("@example.com", "@"+domain)
			r.names.bind("@Example.com", "@"+domain)
			r.names.bind("%40example.com", "%40"+domain)
			r.addAccounts(t)
			for _, topic := range st.topics {
				t.Run(topic, func(t *testing.T) {
					used := map[string]bool{}
					for i, e := range load[example](t, "observed", topic) {
						if e.Request.Method != "" { // others are notes
							r.call(t, fmt.Sprintf("%s/%d", topic, i), &e, used)
						}
					}
					for at := range deviations {
						if strings.HasPrefix(at, topic+"/") && !used[at] {
							t.Errorf("deviation %q is of no example", at)
						}
					}
				})
			}
		})
	}
}

type replay struct {
	*suite
	story story
	names *names
	owner person // of keys and cookies whose making was not recorded
}

var (
	keyForm    = regexp.MustCompile(`pulse_sk_[0-9a-f]{8}-[0-9a-f-]{27}`)
	cookieForm = regexp.MustCompile(`better-auth\.session_token=([^;]+)`)
)

// prepare makes what a request takes for granted.
func (r *replay) prepare(t *testing.T, text, cookie string) {
	for _, key := range keyForm.FindAllString(text, -1) {
		if _, known := r.names.pairs[key]; known {
			continue
		}
		r.ensureOwner(t)
		p := r.owner
		r.addProject(t, &p)
		r.names.bind(key, p.key)
		if project := r.story.projects[key]; project != "" {
			r.names.bind(project, p.project)
		}
	}
	m := cookieForm.FindStringSubmatch(cookie)
	if m == nil {
		return
	}
	token, _, _ := strings.Cut(m[1], ".")
	if _, known := r.names.pairs[token]; known {
		return
	}
	r.ensureOwner(t)
	now := r.owner.cookie
	if email := r.story.signIns[token]; email != "" {
		now = r.signIn(t, r.names.translate(email), recordedPassword)
	}
	_, value, _ := strings.Cut(now, "=")
	r.names.bindCookie(m[1], value)
}

func (r *replay) addAccounts(t *testing.T) {
	t.Helper()
	for i, a := range r.story.accounts {
		email := r.names.translate(a[1])
		r.want(t, person{}, http.MethodPost, "/dashboard/api/signup",
			fmt.Sprintf(`{"name":%q,"email":%q,"password":%q,"projectName":%q}`, a[0], email, recordedPassword, a[2]), http.StatusCreated, nil)
		if i == 0 {
			r.owner = person{email: email, cookie: r.signIn(t, email, recordedPassword)}
		}
	}
}

// recordedPassword is the one of every account in the examples.
const recordedPassword = "password123"

func (r *replay) ensureOwner(t *testing.T) {
	t.Helper()
	if r.owner.cookie == "" {
		r.owner = r.signUp(t)
	}
}

func (r *replay) call(t *testing.T, at string, e *example, used map[string]bool) {
	t.Helper()
	want := e.Response.Status
	d, deviates := deviations[at]
	if deviates {
		used[at] = true
		want = d.status
		if d.status == notSent {
			return
		}
	}
	if r.refusesLocal(e.Request.Path) {
		want, deviates = http.StatusForbidden, true
	}
	body := string(e.Request.Body)
	if e.Request.RawBody != nil {
		body = *e.Request.RawBody
	}
	if m := bulkyBody.FindStringSubmatch(body); m != nil {
		body = records(m[2], m[1])
	}
	if body == manySpans {
		body = `{"resourceSpans":[{"scopeSpans":[{"spans":[` + strings.Repeat("{},", 1000) + `{}]}]}]}`
	}
	r.prepare(t, fmt.Sprint(e.Request.Path, e.Request.Headers, body), e.Request.Headers["Cookie"])
	req := request{method: e.Request.Method, path: r.names.translate(e.Request.Path), host: e.Request.Host, header: http.Header{}}
	if body != "" && body != "null" || e.Request.RawBody != nil {
		req.body = strings.NewReader(r.names.translate(body))
	}
	for name, value := range e.Request.Headers {
		req.header.Set(name, r.names.translate(value))
	}
	if strings.HasPrefix(req.path, "/dashboard/api/") && req.method == http.MethodPost {
		nextMillisecond()
	}
	got := r.do(t, req)
	text := e.Response.BodyText
	if !deviates && want == http.StatusNotFound && text != nil && *text == "404 Not Found" { // in JSON now, which the description checks
		deviates = true
		if got.status == http.StatusMethodNotAllowed {
			want = got.status
		}
	}
	if got.status != want {
		t.Errorf("%s (%s): %s %s: %s, want %d", at, e.Note, req.method, req.path, got, want)
		return
	}
	r.bindCookies(e, got)
	if deviates {
		return
	}
	for _, problem := range r.differences(e, got) {
		t.Errorf("%s (%s): %s %s: %s", at, e.Note, req.method, req.path, problem)
	}
}

// nextMillisecond returns in a new millisecond: the server orders what it
// creates by its age, and a test is quick.
func nextMillisecond() {
	for last := time.Now().UnixMilli(); time.Now().UnixMilli() == last; {
		runtime.Gosched()
	}
}

// bulkyBody is how the examples stand in for long inputs.
var bulkyBody = regexp.MustCompile(`^"<array of (\d+) valid (traces|spans)>"$`)

// manySpans is the same for an export of more than the earlier service took.
const manySpans = `"<1001 spans in one export>"`

// records makes a body with n records of a form.
func records(form, n string) string {
	count := 0
	_, _ = fmt.Sscan(n, &count) // digits, or none made
	list := make([]string, count)
	for i := range list {
		if form == "traces" {
			list[i] = traceRecord(uuid.NewString())
		} else {
			list[i] = spanRecord(uuid.NewString())
		}
	}
	return "[" + strings.Join(list, ",") + "]"
}

func traceRecord(id string) string {
	return fmt.Sprintf(`{"trace_id":%q,"timestamp":"2026-01-25T12:00:00Z","provider":"openai","model_requested":"gpt-4o",`+
		`"request_body":{"messages":[]},"status":"success","latency_ms":150,"session_id":"shared-session"}`, id)
}

func spanRecord(id string) string {
	return fmt.Sprintf(`{"span_id":%q,"trace_id":"shared-trace","session_id":"shared-spans","timestamp":"2026-01-25T12:00:00Z","source":"claude_code",`+
		`"kind":"tool_use","event_type":"post_tool_use","status":"success"}`, id)
}

func (r *replay) bindCookies(e *example, got answer) {
	old := cookieForm.FindStringSubmatch(strings.Join(e.header("Set-Cookie"), "; "))
	now := cookieForm.FindStringSubmatch(strings.Join(got.header.Values("Set-Cookie"), "; "))
	if old != nil && now != nil && old[1] != "" {
		r.names.bindCookie(old[1], now[1])
	}
}

// differences lists what of the recorded answer is not in got.
func (r *replay) differences(e *example, got answer) []string {
	var out []string
	for _, name := range []string{"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Allow-Headers", "Access-Control-Expose-Headers", "Access-Control-Max-Age"} {
		if want, is := strings.Join(e.header(name), ", "), got.header.Get(name); want != is {
			out = append(out, fmt.Sprintf("%s: %q, want %q", name, is, want))
		}
	}
	for _, method := range strings.Split(strings.Join(e.header("Access-Control-Allow-Methods"), ""), ",") {
		if !strings.Contains(got.header.Get("Access-Control-Allow-Methods"), method) {
			out = append(out, "Access-Control-Allow-Methods lacks "+method)
		}
	}
	if want, is := cookieShapes(e.header("Set-Cookie")), cookieShapes(got.header.Values("Set-Cookie")); want != is {
		out = append(out, fmt.Sprintf("Set-Cookie: %q, want %q", is, want))
	}
	if len(e.Response.Body) > 0 || e.Response.BodyText != nil && *e.Response.BodyText != "" {
		want, _, _ := mime.ParseMediaType(strings.Join(e.header("Content-Type"), ""))
		if is, _, _ := mime.ParseMediaType(got.header.Get("Content-Type")); is != want {
			out = append(out, fmt.Sprintf("Content-Type: %q, want %q", is, want))
		}
	}
	switch text := e.Response.BodyText; {
	case len(e.Response.Body) > 0:
		out = append(out, r.names.missing(e.Response.Body, got.body)...)
	case text != nil && !bulky.MatchString(*text) && string(got.body) != r.names.translate(*text):
		out = append(out, fmt.Sprintf("body %q, want %q", got.body, *text))
	}
	return out
}

// cookieShapes gives the names and attributes of cookies, without their values.
func cookieShapes(cookies []string) string {
	var shapes []string
	for _, c := range cookies {
		name, rest, _ := strings.Cut(c, "=")
		value, attributes, _ := strings.Cut(rest, ";")
		if value == "" {
			name += " cleared"
		}
		shapes = append(shapes, name+";"+attributes)
	}
	return strings.Join(shapes, "\n")
}
