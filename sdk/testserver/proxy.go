package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"time"
)

// trouble passes requests on to Pulse, unless it is told to do something else.
type trouble struct {
	next http.Handler

	mu    sync.Mutex
	state state
	seen  map[string]int // requests by what was done with them
}

// state is the body of PUT /trouble.
type state struct {
	Mode       string `json:"mode"`       // ok, a status, garbage, reset, lose, delay or blackhole
	DelayMS    int    `json:"delayMs"`    // of delay
	RetryAfter string `json:"retryAfter"` // header of a status
}

func newTrouble(next http.Handler) *trouble {
	return &trouble{next: next, state: state{Mode: "ok"}, seen: map[string]int{}}
}

func (t *trouble) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/trouble" {
		t.control(w, r)
		return
	}
	t.mu.Lock()
	s := t.state
	t.seen[s.Mode]++
	t.mu.Unlock()

	switch s.Mode {
	case "ok":
	case "delay":
		time.Sleep(time.Duration(s.DelayMS) * time.Millisecond)
	case "garbage":
		io.WriteString(w, "<html>\x00\xff not what you expected")
		return
	case "reset":
		panic(http.ErrAbortHandler)
	case "lose": // Pulse has it, and nobody hears of it
		t.next.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	case "blackhole":
		<-r.Context().Done()
		return
	default:
		status, _ := strconv.Atoi(s.Mode)
		if s.RetryAfter != "" {
			w.Header().Set("Retry-After", s.RetryAfter)
		}
		http.Error(w, "trouble", status)
		return
	}
	t.next.ServeHTTP(w, r)
}

// control answers GET /trouble with what was done so far, and PUT /trouble
// changes what is done.
func (t *trouble) control(w http.ResponseWriter, r *http.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.Method == http.MethodPut {
		var s state
		if err := json.NewDecoder(r.Body).Decode(&s); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if err := s.check(); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		t.state = s
	}
	writeJSON(w, http.StatusOK, map[string]any{"state": t.state, "seen": t.seen})
}

func (s state) check() error {
	switch s.Mode {
	case "ok", "delay", "garbage", "reset", "lose", "blackhole":
		return nil
	}
	if n, err := strconv.Atoi(s.Mode); err != nil || n < 200 || n > 599 {
		return fmt.Errorf("mode %q is not ok, a status, garbage, reset, lose, delay or blackhole", s.Mode)
	}
	return nil
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}
