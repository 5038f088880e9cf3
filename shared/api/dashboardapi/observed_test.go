package dashboardapi_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// observed is a file of what the earlier service was asked and answered.
type observed struct {
	Examples []struct {
		Request struct {
			Method, Path string
			Headers      map[string]string
			Body         json.RawMessage
			RawBody      *string
		}
		Response struct {
			Status int
			Body   json.RawMessage
		}
		Note string
	}
}

// deviations are where Pulse answers otherwise, by file and note, and why.
var deviations = map[string]int{
	"signup/name of wrong type":                                    400, // a client's mistake was a 500
	"signup/JSON null":                                             400,
	"signup/Content-Type is ignored":                               403, // what a form of another site can send
	"signup/empty body":                                            403, // sent without a content type
	"projects/bad JSON is a 500 here":                              400,
	"projects/empty body is a 500 here":                            403,
	"projects/JSON null is a 500 here":                             400,
	"api-keys/no body (this is what the original dashboard sends)": 201, // the button works
	"api-keys/GET by id does not exist":                            405,
	"users/JSON null":                                              400,
	"users/email of wrong type":                                    400,
}

// TestObserved sends again what the earlier service was sent. Statuses and
// errors must be the same, and answers must hold at least the same fields.
func TestObserved(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, name := range []string{"signup", "projects", "api-keys", "users"} {
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile(filepath.Join("testdata", "observed", name+".json"))
			if err != nil {
				t.Fatal(err)
			}
			var file observed
			if err := json.Unmarshal(raw, &file); err != nil {
				t.Fatal(err)
			}
			f := setup(t)
			var ann person
			if name != "signup" { // there, Ann is the first to sign up
				ann = f.person(t, "Ann")
				f.person(t, "Cy")
			}
			for _, e := range file.Examples {
				if !strings.HasPrefix(e.Request.Path, "/dashboard/api/") {
					continue
				}
				f.advance(time.Second)
				c := call{method: e.Request.Method, path: e.Request.Path, body: string(e.Request.Body), header: map[string]string{}}
				if e.Request.RawBody != nil {
					c.body = *e.Request.RawBody
				}
				c.header["Content-Type"] = e.Request.Headers["Content-Type"]
				if e.Request.Headers["Cookie"] != "" && !strings.Contains(e.Note, "tampered") {
					c.cookie = ann.cookie
				}
				if e.Request.Headers["X-Project-Id"] != "" {
					c.project = ann.project
				}
				if id, ok := strings.CutPrefix(c.path, "/dashboard/api/api-keys/"); ok && id != "nope" {
					c.path = "/dashboard/api/api-keys/" + string(ann.keyID)
				}
				want, deviates := e.Response.Status, false
				if status, ok := deviations[name+"/"+e.Note]; ok {
					want, deviates = status, true
					seen[name+"/"+e.Note] = true
				}
				got := f.do(t, c)
				if got.status != want {
					t.Errorf("%s %s (%s): got %d %s, want %d", c.method, c.path, e.Note, got.status, got.body, want)
					continue
				}
				if deviates || len(e.Response.Body) == 0 {
					continue
				}
				var was, is any
				if err := json.Unmarshal(e.Response.Body, &was); err != nil {
					t.Fatal(err)
				}
				if err := json.Unmarshal([]byte(got.body), &is); err != nil {
					t.Errorf("%s: %v", e.Note, err)
					continue
				}
				sameShape(t, e.Note, was, is)
			}
		})
	}
	for d := range deviations {
		if !seen[d] {
			t.Errorf("deviation %q is of no example", d)
		}
	}
}

// sameShape demands that is has every field that was has, with a value of the
// same kind, and that errors read the same.
func sameShape(t *testing.T, at string, was, is any) {
	t.Helper()
	switch was := was.(type) {
	case map[string]any:
		object, ok := is.(map[string]any)
		if !ok {
			t.Errorf("%s: got %v, want an object", at, is)
			return
		}
		for name, v := range was {
			if name == "error" && object[name] != v {
				t.Errorf("%s: error %q, want %q", at, object[name], v)
			}
			sameShape(t, at+"."+name, v, object[name])
		}
	case []any:
		list, ok := is.([]any)
		if !ok || len(was) > 0 && len(list) == 0 {
			t.Errorf("%s: got %v, want a filled list", at, is)
			return
		}
		for _, v := range list {
			sameShape(t, at+"[]", was[0], v)
		}
	case string:
		if _, ok := is.(string); !ok {
			t.Errorf("%s: got %v, want a text", at, is)
		}
	default:
		if is != was {
			t.Errorf("%s: got %v, want %v", at, is, was)
		}
	}
}
