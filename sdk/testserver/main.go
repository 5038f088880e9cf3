// Command testserver is what the SDKs are tested against: model providers that
// do as the prompt says, and a proxy before Pulse that makes trouble. It prints
// a line of JSON with their addresses and serves until its standard input ends.
//
// The providers speak OpenAI's, OpenRouter's, Anthropic's and Google's
// protocols. They answer "You said: " and the last text of the user, unless that
// has commands in it:
//
//	[tool]             call the first tool of the request, once
//	[reasoning]        reason before answering, with cached input
//	[status 429]       fail; [status 500 once] fails the first time only
//	[slow 200]         wait as many milliseconds before answering
//	[hang]             do not answer at all
//	[pieces 7]         write as many bytes of a stream at a time
//	[reset 3]          break the connection after as many events of a stream
//	[cut 100]          break the connection after as many bytes of a stream
//
// GET /calls lists what was asked and answered, DELETE /calls forgets it.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"time"
)

func main() {
	pulse := flag.String("pulse", "", "address of the Pulse behind the proxy; none without")
	sink := flag.Bool("sink", false, "stand behind the proxy what answers as Pulse does, and keeps nothing")
	flag.Parse()
	if err := run(*pulse, *sink); err != nil {
		log.Fatal(err)
	}
}

func run(pulse string, sink bool) error {
	addresses := map[string]string{}
	serve := func(name string, h http.Handler) error {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		addresses[name] = "http://" + l.Addr().String()
		s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
		go func() { log.Fatal(s.Serve(l)) }()
		return nil
	}

	if err := serve("provider", newProvider()); err != nil {
		return err
	}
	behind, err := behindProxy(pulse, sink)
	if err != nil {
		return err
	}
	if behind != nil {
		if err := serve("proxy", newTrouble(behind)); err != nil {
			return err
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(addresses); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// behindProxy is what stands there, nil if nothing does.
func behindProxy(pulse string, sink bool) (http.Handler, error) {
	if sink {
		return http.HandlerFunc(takeAll), nil
	}
	if pulse == "" {
		return nil, nil
	}
	target, err := url.Parse(pulse)
	if err != nil {
		return nil, fmt.Errorf("-pulse: %w", err)
	}
	to := httputil.NewSingleHostReverseProxy(target)
	to.ErrorLog = log.New(io.Discard, "", 0)
	return to, nil
}

// takeAll answers as Pulse does that has stored what it was sent.
func takeAll(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return
	}
	writeJSON(w, http.StatusOK, struct{}{})
}
