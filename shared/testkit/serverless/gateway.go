package serverless

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"
)

const (
	// maxRequestBytes is the largest body that an HTTP API takes.
	maxRequestBytes = 10 << 20
	// maxEventBytes is the largest event that Lambda takes, as JSON.
	maxEventBytes = 6 << 20
	// integrationTimeout is how long an HTTP API waits for a function.
	integrationTimeout = 29 * time.Second
)

// Invoker calls a function by the ID that it has in the template.
type Invoker func(ctx context.Context, function string, event []byte) ([]byte, error)

// Gateway is an HTTP API in front of functions, as an http.Handler.
type Gateway struct {
	routes []Route
	invoke Invoker
	// settled is called before a reading request is handed on.
	settled func(context.Context)
	timeout time.Duration
	// decodesTwice is how it reads paths: see gatewayPath.
	decodesTwice bool
	// inOrder calls settled before writing requests too.
	inOrder bool
}

// NewGateway makes a gateway of a template's routes. Before each request that reads it calls
// settled, which may wait until what was written before can be read; nil does
// not wait.
func NewGateway(routes []Route, invoke Invoker, settled func(context.Context)) *Gateway {
	return &Gateway{routes: routes, invoke: invoke, settled: settled, timeout: integrationTimeout}
}

// ServeHTTP implements http.Handler.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, ok := gatewayPath(r.URL.EscapedPath(), g.decodesTwice)
	if !ok {
		refuse(w, http.StatusBadRequest)
		return
	}
	route, values, ok := choose(g.routes, r.Method, path)
	if !ok {
		refuse(w, http.StatusNotFound)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequestBytes))
	if err != nil {
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			refuse(w, http.StatusRequestEntityTooLarge)
			return
		}
		refuse(w, http.StatusBadRequest)
		return
	}
	event, err := newEvent(r, route, path, values, body, time.Now())
	switch {
	case err != nil:
		refuse(w, http.StatusInternalServerError)
		return
	case len(event) > maxEventBytes:
		refuse(w, http.StatusRequestEntityTooLarge)
		return
	}
	// A client that goes away ends no invocation.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), g.timeout)
	defer cancel()
	if g.settled != nil && (g.inOrder || r.Method == http.MethodGet || r.Method == http.MethodHead) {
		g.settled(ctx)
	}
	raw, err := g.invoke(ctx, route.Function, event)
	switch {
	case ctx.Err() != nil:
		refuse(w, http.StatusServiceUnavailable)
		return
	case err != nil:
		refuse(w, http.StatusInternalServerError)
		return
	}
	var answer httpAnswer
	if err := answer.write(w, raw); err != nil {
		refuse(w, http.StatusInternalServerError)
	}
}

// refuse answers as the gateway itself does.
func refuse(w http.ResponseWriter, status int) {
	message := http.StatusText(status)
	body, err := json.Marshal(map[string]string{"message": message})
	if err != nil {
		panic(err) // a map of texts always encodes
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client is gone
}
