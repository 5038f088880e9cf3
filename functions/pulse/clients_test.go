package main

import (
	"testing"

	"github.com/pulse-traces/pulse/shared/testkit"
	"github.com/pulse-traces/pulse/shared/testkit/clienttest"
)

func TestPythonSDK(t *testing.T) {
	t.Parallel()
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			clienttest.PythonSDK(t, testkit.NewPulse(t, e.env(t)...).Client)
		})
	}
}

func TestPythonSDKCaptures(t *testing.T) {
	t.Parallel()
	clienttest.PythonSDKCaptures(t, testkit.NewPulse(t).Client)
}
