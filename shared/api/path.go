package api

import (
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/trace"
)

// PathID gives the id of a path. What no record can be called is not found,
// without asking the store.
func PathID(r *http.Request, missing string) (string, error) {
	id := r.PathValue("id")
	if len(id) > trace.MaxIDBytes || !utf8.ValidString(id) || strings.IndexByte(id, 0) >= 0 {
		return "", fault.New(fault.NotFound, missing)
	}
	return id, nil
}

// Missing gives a fault.NotFound the words of a route: what it is that is not
// there. Other errors stay as they are.
func Missing(err error, missing string) error {
	if fault.Is(err, fault.NotFound) {
		return fault.Wrap(fault.NotFound, missing, err)
	}
	return err
}
