package main

import (
	"net/http"
	"path/filepath"
	"testing"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/store/sqlite"
	"github.com/pulse-traces/pulse/shared/testkit"
)

// TestKeyCacheOff deletes a key behind the server's back: with
// KEY_CACHE_SECONDS=0 the next call is refused.
func TestKeyCacheOff(t *testing.T) {
	t.Parallel()
	p := testkit.NewPulse(t, "KEY_CACHE_SECONDS=0")
	a := p.SignUp()
	p.JSON(a, http.MethodGet, "/v1/traces", "", http.StatusOK, nil)
	db, err := sqlite.Open(t.Context(), filepath.Join(p.Home, ".data", "pulse.db"))
	if err != nil {
		t.Fatal(err)
	}
	k, err := db.KeyByHash(t.Context(), account.HashKey(a.Key))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.DeleteKey(t.Context(), k.ProjectID, k.ID); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	p.JSON(a, http.MethodGet, "/v1/traces", "", http.StatusUnauthorized, nil)
}
