package main

import (
	"testing"

	"github.com/pulse-traces/pulse/shared/api/apitest"
	"github.com/pulse-traces/pulse/shared/host/routes"
	"github.com/pulse-traces/pulse/shared/testkit"
)

// TestAPI holds the program to its contract on both engines.
func TestAPI(t *testing.T) {
	t.Parallel()
	every, err := routes.Every()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			p := testkit.NewPulse(t, append(e.env(t), "MAX_BODY_BYTES=4194304")...)
			apitest.Exercise(t, apitest.Target{URL: p.URL, Routes: every, MaxBodyBytes: 4 << 20, Output: p.Output})
		})
	}
}
