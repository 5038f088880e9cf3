package apitest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"github.com/pulse-traces/pulse/docs"
)

// description checks answers against docs/openapi.yaml. What it says of objects
// is taken as all that they may hold: clients must expect new members, the
// tests must notice those that nobody described.
type description struct {
	doc *openapi3.T
	// unmatched describes the answers to what no operation takes, by status.
	unmatched map[int]*openapi3.Operation
}

func init() { // the checker reads what it knows only
	openapi3filter.RegisterBodyDecoder("application/javascript", openapi3filter.PlainBodyDecoder)
	openapi3filter.RegisterBodyDecoder("application/x-protobuf", openapi3filter.PlainBodyDecoder)
	openapi3filter.RegisterBodyDecoder("application/x-ndjson", openapi3filter.PlainBodyDecoder)
	openapi3filter.RegisterBodyDecoder("text/csv", openapi3filter.PlainBodyDecoder)
}

func newDescription(t *testing.T) *description {
	t.Helper()
	raw, err := docs.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range doc.Components.Schemas {
		closeObjects(s)
	}
	for _, item := range doc.Paths.Map() {
		for _, op := range item.Operations() {
			for _, r := range op.Responses.Map() {
				for _, c := range r.Value.Content {
					closeObjects(c.Schema)
				}
			}
		}
	}
	d := &description{doc: doc, unmatched: map[int]*openapi3.Operation{}}
	for status, name := range map[int]string{
		http.StatusBadRequest: "BadRequest", http.StatusUnauthorized: "NotSignedIn",
		http.StatusNotFound: "NotFound", http.StatusMethodNotAllowed: "MethodNotAllowed",
	} {
		d.unmatched[status] = &openapi3.Operation{Responses: openapi3.NewResponses(openapi3.WithStatus(status, doc.Components.Responses[name]))}
	}
	return d
}

// closeObjects forbids members that are not described, where some are.
func closeObjects(ref *openapi3.SchemaRef) {
	if ref == nil || ref.Value == nil {
		return
	}
	s := ref.Value
	if len(s.Properties) > 0 && s.AdditionalProperties.Has == nil && s.AdditionalProperties.Schema == nil {
		closed := false
		s.AdditionalProperties.Has = &closed
		for _, p := range s.Properties {
			closeObjects(p)
		}
	}
	closeObjects(s.Items)
}

// find gives the operation of a request, nil if there is none.
func (d *description) find(method, path string) (*openapi3.Operation, string) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	path, _, _ = strings.Cut(path, "?")
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	if strings.HasPrefix(path, "/v1/") || strings.HasPrefix(path, "/dashboard/api/") || strings.Contains(path, "/otel/v1/") { // stray slashes count nowhere else
		path = strings.TrimSuffix(path, "/")
	}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if v, err := url.PathUnescape(s); err == nil {
			segments[i] = v
		}
	}
	templates := d.doc.Paths.InMatchingOrder() // fixed segments before values
	for _, template := range templates {
		if fits(strings.Split(template, "/"), segments) {
			if op := d.doc.Paths.Find(template).GetOperation(method); op != nil {
				return op, template
			}
		}
	}
	return nil, ""
}

func fits(template, segments []string) bool {
	return slices.EqualFunc(template, segments, func(want, got string) bool {
		return want == got || (strings.HasPrefix(want, "{") && got != "")
	})
}

// check reports how an answer differs from what is described.
func (d *description) check(r request, a answer) error {
	if a.status == http.StatusBadRequest && bytes.HasPrefix(a.body, []byte("400 Bad Request")) {
		return nil // net/http could not read the request
	}
	op, template := d.find(r.method, r.path)
	if op == nil {
		if op = d.unmatched[a.status]; op == nil || isPage(a) || len(a.body) == 0 {
			return d.checkUnmatched(r, a)
		}
	}
	req, err := http.NewRequest(r.method, "http://described.test/", nil)
	if err != nil {
		return err
	}
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: req, Route: &routers.Route{Spec: d.doc, Path: template, Method: r.method, Operation: op}},
		Status:                 a.status,
		Header:                 a.header,
		Options:                &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	}
	return brief(openapi3filter.ValidateResponse(context.Background(), input.SetBodyBytes(a.body)))
}

// brief leaves the schema and the value out of an error.
func brief(err error) error {
	if e, ok := errors.AsType[*openapi3.SchemaError](err); ok {
		for inner, ok := errors.AsType[*openapi3.SchemaError](e.Origin); ok; inner, ok = errors.AsType[*openapi3.SchemaError](e.Origin) {
			e = inner
		}
		return fmt.Errorf("at /%s: %s", strings.Join(e.JSONPointer(), "/"), e.Reason)
	}
	return err
}

func isPage(a answer) bool {
	return !strings.HasPrefix(a.header.Get("Content-Type"), "application/json")
}

// checkUnmatched knows the answers without a JSON body that no operation has:
// preflights, the dashboard's pages, and what is unknown below /api/auth.
func (d *description) checkUnmatched(r request, a answer) error {
	api := strings.HasPrefix(r.path, "/v1/") || strings.HasPrefix(r.path, "/api/") || strings.HasPrefix(r.path, "/dashboard/api/")
	switch {
	case r.method == http.MethodOptions && a.status == http.StatusNoContent && len(a.body) == 0:
	case strings.HasPrefix(r.path, "/api/auth/") && a.status == http.StatusNotFound && len(a.body) == 0:
	case r.method == http.MethodHead && len(a.body) == 0:
	case !api && (a.status == http.StatusOK || a.status == http.StatusPartialContent) && isPage(a):
	default:
		return fmt.Errorf("%w: %s", errUndescribed, a)
	}
	return nil
}

var errUndescribed = errors.New("no operation, and not how unmatched requests are answered")
