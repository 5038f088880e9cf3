package dashboardapi

import (
	"cmp"
	"net/http"
	"time"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/reqctx"
	"github.com/pulse-traces/pulse/shared/store"
)

// maxRetentionDays is what RETENTION_DAYS takes at most.
const maxRetentionDays = 36_500

type settingsBody struct {
	Name                string `json:"name"`
	RetentionDays       *int   `json:"retentionDays"`       // null: as long as the server
	ServerRetentionDays *int   `json:"serverRetentionDays"` // null: for ever
	TimeZone            string `json:"timeZone"`
}

func (g *Group) showSettings(s store.Settings) settingsBody {
	return settingsBody{s.Name, days(s.RetentionDays), days(g.RetentionDays), s.TimeZone}
}

func days(n int) *int {
	if n == 0 {
		return nil
	}
	return &n
}

func (g *Group) getSettings(w http.ResponseWriter, r *http.Request) error {
	s, err := g.Control.Settings(r.Context(), reqctx.Project(r.Context()))
	if err != nil {
		return noSuchProject(err)
	}
	return api.WriteJSON(w, http.StatusOK, g.showSettings(s))
}

// putSettings replaces them all: what is left out is unset, but for the name,
// which there must be. A shorter retention deletes when maintenance runs next.
func (g *Group) putSettings(w http.ResponseWriter, r *http.Request) error {
	b, err := readBody(r)
	if err != nil {
		return err
	}
	name, nameErr := b.projectName()
	retention, retentionErr := b.whole("retentionDays", 0, 1, cmp.Or(g.RetentionDays, maxRetentionDays))
	zone, zoneErr := b.timeZone()
	if err := cmp.Or(nameErr, retentionErr, zoneErr); err != nil {
		return err
	}
	s := store.Settings{Name: name, RetentionDays: retention, TimeZone: zone}
	if err := g.Control.PutSettings(r.Context(), reqctx.Project(r.Context()), s, g.now()); err != nil {
		return noSuchProject(err)
	}
	return api.WriteJSON(w, http.StatusOK, g.showSettings(s))
}

// timeZone gives the member that names a zone; "" for none. Neither Lambda nor an
// empty container has zones: who serves this serves exploreapi too, which brings
// them, and the functions that only share packages with it stay small.
func (b body) timeZone() (string, error) {
	const longest = 64
	name, err := b.text("timeZone", longest)
	if err != nil || name == "" {
		return "", err
	}
	if _, err := time.LoadLocation(name); err != nil || name == "Local" { // that of the server is nobody's business
		return "", invalid("timeZone", "invalid_value", "Invalid time zone: expected a name like Europe/Berlin")
	}
	return name, nil
}
