// Package pricesapi is the route group of the prices that a project sets for
// itself: listing, setting and deleting them. What prices mean is package
// pricing's; spans that are stored keep their costs until `pulse reprice`.
package pricesapi

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/reqctx"
	"github.com/pulse-traces/pulse/shared/api/view"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/pricing"
	"github.com/pulse-traces/pulse/shared/store"
)

// Deps are what the group needs.
type Deps struct {
	Prices store.PriceStore
	// Forget is told of each project whose prices changed.
	Forget func(account.ProjectID)
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Group is the set of routes.
type Group struct {
	Deps
	prefix      string
	read, write api.Auth
}

// New gives the data plane's routes, /v1, for API keys: who has one could give
// every call a cost already.
func New(d Deps) *Group { return newGroup(d, "/v1", api.AuthKey, api.AuthKey) }

// NewDashboard gives the control plane's, /dashboard/api: members of a project
// read, and its administrators write.
func NewDashboard(d Deps) *Group {
	return newGroup(d, "/dashboard/api", api.AuthProject, api.AuthAdmin)
}

func newGroup(d Deps, prefix string, read, write api.Auth) *Group {
	if d.Now == nil {
		d.Now = time.Now
	}
	return &Group{d, prefix, read, write}
}

// Routes implements api.Group.
func (g *Group) Routes() []api.Route {
	return []api.Route{
		{Method: http.MethodGet, Pattern: g.prefix + "/prices", Auth: g.read, Handler: g.list},
		{Method: http.MethodPost, Pattern: g.prefix + "/prices", Auth: g.write, Handler: g.put},
		{Method: http.MethodDelete, Pattern: g.prefix + "/prices/{id}", Auth: g.write, Handler: g.delete},
	}
}

// row is a price on the wire: what pricing.Custom says, and when it was said.
type row struct {
	ID            string         `json:"id"`
	Model         string         `json:"model"`
	Provider      *string        `json:"provider"`
	EffectiveFrom *string        `json:"effectiveFrom"`
	Prices        pricing.Prices `json:"prices"`
	Tiers         []pricing.Tier `json:"tiers"`
	CreatedAt     string         `json:"createdAt"`
	UpdatedAt     string         `json:"updatedAt"`
}

func newRow(p *store.Price, c *pricing.Custom) row {
	r := row{
		ID: p.ID, Model: c.Model, Prices: c.Prices, Tiers: c.Tiers, CreatedAt: view.Timestamp(p.CreatedAt), UpdatedAt: view.Timestamp(p.UpdatedAt),
	}
	if c.Provider != "" {
		r.Provider = &c.Provider
	}
	if !c.EffectiveFrom.IsZero() {
		from := c.EffectiveFrom.UTC().Format(time.RFC3339Nano)
		r.EffectiveFrom = &from
	}
	return r
}

func (g *Group) list(w http.ResponseWriter, r *http.Request) error {
	stored, err := g.Prices.Prices(r.Context(), reqctx.Project(r.Context()))
	if err != nil {
		return err
	}
	rows := make([]row, 0, len(stored))
	for i := range stored {
		c, err := pricing.ParseCustom(stored[i].Data)
		if err != nil { // written by a later version: it can be seen and deleted, and counts nowhere
			c = pricing.Custom{}
		}
		rows = append(rows, newRow(&stored[i], &c))
	}
	return api.WriteJSON(w, http.StatusOK, struct {
		Prices []row `json:"prices"`
	}{rows})
}

// put stores a price, in the place of the one for the same model, provider and
// time if there is one.
func (g *Group) put(w http.ResponseWriter, r *http.Request) error {
	raw, err := api.ReadBody(r)
	if err != nil {
		return err
	}
	var body jsontext.Value
	if err := api.UnmarshalJSON(raw, &body); err != nil {
		return err
	}
	c, err := pricing.ParseCustom(body)
	if err != nil {
		return err
	}
	ctx := r.Context()
	project := reqctx.Project(ctx)
	stored, err := g.Prices.Prices(ctx, project)
	if err != nil {
		return err
	}
	now := g.Now().UTC().Truncate(time.Millisecond)
	p, status := store.Price{ID: c.ID(), CreatedAt: now, UpdatedAt: now}, http.StatusCreated
	if i := slices.IndexFunc(stored, func(o store.Price) bool { return o.ID == p.ID }); i >= 0 {
		p.CreatedAt, status = stored[i].CreatedAt, http.StatusOK
	} else if len(stored) >= pricing.MaxCustom {
		return fault.Newf(fault.Invalid, "A project has at most %d prices: delete some first", pricing.MaxCustom)
	}
	if p.Data, err = json.Marshal(c); err != nil {
		return err
	}
	if err := g.Prices.PutPrice(ctx, project, p); err != nil {
		return err
	}
	g.Forget(project)
	return api.WriteJSON(w, status, newRow(&p, &c))
}

func (g *Group) delete(w http.ResponseWriter, r *http.Request) error {
	project := reqctx.Project(r.Context())
	id := r.PathValue("id")
	if !pricing.ValidID(id) { // it is nobody's, and Postgres could not be asked for some
		return fault.New(fault.NotFound, "Price not found")
	}
	err := g.Prices.DeletePrice(r.Context(), project, id)
	if fault.Is(err, fault.NotFound) {
		return fault.Wrap(fault.NotFound, "Price not found", err)
	}
	if err != nil {
		return err
	}
	g.Forget(project)
	return api.WriteJSON(w, http.StatusOK, struct {
		Success bool `json:"success"`
	}{true})
}
