package dashboardapi_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pulse-traces/pulse/shared/account"
)

func TestProjects(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ann := f.person(t, "Ann")
	create := func(body string) answer {
		t.Helper()
		f.advance(time.Second)
		return f.do(t, call{method: "POST", path: "/dashboard/api/projects", body: body, cookie: ann.cookie})
	}
	type created struct{ ProjectID, APIKey, Name string }
	a := create(`{"name":"  Second  "}`)
	second := decode[created](t, a)
	if a.status != 201 || second.Name != "Second" || !strings.HasPrefix(second.APIKey, account.KeyPrefix) || len(second.APIKey) != 45 {
		t.Errorf("created %d %+v", a.status, second)
	}
	if a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("Cache-Control %q", a.header.Get("Cache-Control"))
	}
	third := decode[created](t, create(`{"name":"Second"}`))
	f.do(t, call{method: "GET", path: "/v1/traces", header: map[string]string{"Authorization": "Bearer " + second.APIKey}}).
		is(t, 200, `{"project":"`+second.ProjectID+`"}`)

	for _, tc := range []struct{ name, body, message string }{
		{"Empty", `{}`, "Missing required field: name"},
		{"EmptyName", `{"name":""}`, "Missing required field: name"},
		{"Number", `{"name":5}`, "Missing required field: name"},
		{"NullName", `{"name":null}`, "Missing required field: name"},
		{"Null", `null`, "Missing required field: name"},
		{"Array", `[{"name":"x"}]`, "Missing required field: name"},
		{"Blank", `{"name":"   "}`, "Project name cannot be empty"},
		{"Long", `{"name":"` + strings.Repeat("ä", 201) + `"}`, "[body.name] Too big: expected at most 200 characters"},
		{"NUL", `{"name":"a\u0000"}`, "[body.name] Invalid input: NUL characters are not allowed"},
		{"BadJSON", `{x`, "Invalid JSON body"},
		{"NoBody", ``, "Invalid JSON body"},
	} {
		t.Run(tc.name, func(t *testing.T) { create(tc.body).isError(t, 400, tc.message) })
	}
	if got := create(`{"name":"` + strings.Repeat("ä", 200) + `"}`); got.status != 201 {
		t.Errorf("200 characters: %d %s", got.status, got.body)
	}

	list := decode[struct {
		Projects []struct{ ID, Name, CreatedAt, Role string }
	}](t, f.do(t, call{method: "GET", path: "/dashboard/api/projects", cookie: ann.cookie})).Projects
	if len(list) != 4 || list[0].ID != string(ann.project) || list[1].ID != second.ProjectID || list[2].ID != third.ProjectID ||
		list[1].Role != "admin" || list[1].CreatedAt != "2026-03-01T12:00:01.000Z" {
		t.Errorf("list, which must be oldest first: %+v", list)
	}

	if err := f.db.Close(); err != nil {
		t.Fatal(err)
	}
	got := f.do(t, call{method: "GET", path: "/dashboard/api/projects", cookie: ann.cookie})
	if got.status < 500 || strings.Contains(got.body, "sql") {
		t.Errorf("without a database: %d %s", got.status, got.body)
	}
}

type keyRow struct {
	ID, ProjectID, ProjectName, Name, CreatedAt string
	Key                                         *string
	LastUsedAt, Last4                           string
	Unreadable                                  bool
}

func (f *fixture) keys(t *testing.T, p person) []keyRow {
	t.Helper()
	return decode[struct{ Keys []keyRow }](t, f.do(t, call{method: "GET", path: "/dashboard/api/api-keys"}.as(p))).Keys
}

func TestKeys(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ann := f.person(t, "Ann")

	f.do(t, call{method: "GET", path: "/dashboard/api/api-keys"}.as(ann)).is(t, 200,
		`{"keys":[{"id":"`+string(ann.keyID)+`","projectId":"`+string(ann.project)+`","projectName":"Ann's","key":"`+ann.key+
			`","name":"Default Key","createdAt":"2026-03-01T12:00:00.000Z","last4":"`+ann.key[41:]+`"}]}`)

	create := func(body string) answer {
		t.Helper()
		f.advance(time.Second)
		return f.do(t, call{method: "POST", path: "/dashboard/api/api-keys", body: body}.as(ann))
	}
	var want []string
	for body, name := range map[string]string{
		`{"name":"CI"}`: "CI", `{"name":"  "}`: "  ", `{"name":5}`: "5", ``: "API Key", ` `: "API Key", `{}`: "API Key",
		`null`: "API Key", `[]`: "API Key", `{"name":""}`: "API Key", `{"name":null}`: "API Key",
	} {
		a := create(body)
		made := decode[struct{ APIKey, ID, Name string }](t, a)
		if a.status != 201 || made.Name != name {
			t.Errorf("%q: got %d %s, want the name %q", body, a.status, a.body, name)
		}
		f.do(t, call{method: "GET", path: "/v1/traces", header: map[string]string{"Authorization": "Bearer " + made.APIKey}}).
			is(t, 200, `{"project":"`+string(ann.project)+`"}`)
		want = append(want, made.APIKey)
	}
	var got []string
	for _, k := range f.keys(t, ann)[1:] {
		got = append(got, *k.Key)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("list, which must be oldest first:\n%s", diff)
	}

	for _, tc := range []struct{ name, body, message string }{
		{"BadJSON", `{`, "Invalid request body"},
		{"ObjectName", `{"name":{"a":1}}`, "Invalid request body"},
		{"BooleanName", `{"name":true}`, "Invalid request body"},
		{"LongName", `{"name":"` + strings.Repeat("x", 201) + `"}`, "[body.name] Too big: expected at most 200 characters"},
		{"LongNumber", `{"name":` + strings.Repeat("1", 201) + `}`, "[body.name] Too big: expected at most 200 characters"},
		{"NUL", `{"name":"\u0000"}`, "[body.name] Invalid input: NUL characters are not allowed"},
	} {
		t.Run("Create"+tc.name, func(t *testing.T) { create(tc.body).isError(t, 400, tc.message) })
	}
}

func TestKeyRenameAndDelete(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ann := f.person(t, "Ann")
	path := "/dashboard/api/api-keys/" + string(ann.keyID)
	rename := func(path, body string) answer {
		t.Helper()
		return f.do(t, call{method: "PATCH", path: path, body: body}.as(ann))
	}
	rename(path, `{"name":"  Renamed "}`).is(t, 200, `{"success":true}`)
	if name := f.keys(t, ann)[0].Name; name != "  Renamed " {
		t.Errorf("name %q", name)
	}
	for _, tc := range []struct{ name, body, message string }{
		{"Empty", `{"name":""}`, "Missing or invalid 'name' field"},
		{"Number", `{"name":3}`, "Missing or invalid 'name' field"},
		{"Missing", `{}`, "Missing or invalid 'name' field"},
		{"BadJSON", `{`, "Invalid request body"},
		{"Null", `null`, "Invalid request body"},
		{"NoBody", ``, "Invalid request body"},
		{"Long", `{"name":"` + strings.Repeat("x", 201) + `"}`, "[body.name] Too big: expected at most 200 characters"},
	} {
		t.Run("Rename"+tc.name, func(t *testing.T) { rename(path, tc.body).isError(t, 400, tc.message) })
	}
	for _, id := range []string{"nope", "%00", "%ff", "a%2Fb"} {
		rename("/dashboard/api/api-keys/"+id, `{"name":"x"}`).isError(t, 404, "API key not found")
		f.do(t, call{method: "DELETE", path: "/dashboard/api/api-keys/" + id}.as(ann)).isError(t, 404, "API key not found")
	}

	use := call{method: "GET", path: "/v1/traces", header: map[string]string{"Authorization": "Bearer " + ann.key}}
	if got := f.do(t, use); got.status != 200 {
		t.Fatalf("before: %d %s", got.status, got.body)
	}
	if last := f.keys(t, ann)[0].LastUsedAt; last != "2026-03-01T12:00:00.000Z" {
		t.Errorf("last use %q", last)
	}
	f.do(t, call{method: "DELETE", path: path}.as(ann)).is(t, 200, `{"success":true}`)
	f.do(t, use).isError(t, 401, "Invalid API key") // at once, though it was cached
	f.do(t, call{method: "DELETE", path: path}.as(ann)).isError(t, 404, "API key not found")
	if left := f.keys(t, ann); len(left) != 0 {
		t.Errorf("%d keys left; the last one may go too", len(left))
	}
	f.do(t, call{method: "GET", path: path}.as(ann)).isError(t, 405, "Method not allowed: use DELETE, PATCH")
}

func TestKeyStorage(t *testing.T) {
	t.Parallel()

	t.Run("HashOnly", func(t *testing.T) {
		t.Parallel()
		f := setup(t, func(o *options) { o.sealKey = "" })
		ann := f.person(t, "Ann") // its key was sealed before the setting changed
		made := decode[struct{ APIKey string }](t, f.do(t, call{method: "POST", path: "/dashboard/api/api-keys"}.as(ann)))
		stored, err := f.db.KeyByHash(t.Context(), account.HashKey(made.APIKey))
		if err != nil || stored.Sealed != "" {
			t.Errorf("a copy is kept: %v", err)
		}
		for _, k := range f.keys(t, ann) {
			if k.Key != nil || k.Last4 != "" || k.Unreadable {
				t.Errorf("listed: %+v", k)
			}
		}
	})
	t.Run("OtherEncryptionKey", func(t *testing.T) {
		t.Parallel()
		before := setup(t)
		ann := before.person(t, "Ann")
		f := setup(t, func(o *options) { o.sealKey, o.db = strings.Repeat("z", 32), before.db })
		made := decode[struct{ APIKey string }](t, f.do(t, call{method: "POST", path: "/dashboard/api/api-keys"}.as(ann)))
		var readable, unreadable int
		for _, k := range f.keys(t, ann) {
			switch {
			case k.Unreadable && k.Key == nil && k.ID == string(ann.keyID):
				unreadable++
			case !k.Unreadable && k.Key != nil && *k.Key == made.APIKey:
				readable++
			}
		}
		if readable != 1 || unreadable != 1 {
			t.Errorf("%d readable, %d unreadable; want one each", readable, unreadable)
		}
		f.do(t, call{method: "GET", path: "/v1/traces", header: map[string]string{"Authorization": "Bearer " + ann.key}}).
			is(t, 200, `{"project":"`+string(ann.project)+`"}`)
	})
}
