package dashboardapi

import (
	"cmp"
	"net/http"

	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/reqctx"
	"github.com/pulse-traces/pulse/shared/api/view"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
)

// maxQueryBytes is what a saved view keeps of a page's URL.
const maxQueryBytes = 4096

// viewPages are the pages that can be saved.
var viewPages = []string{"overview", "traces", "sessions", "agents", "analytics"}

type viewBody struct {
	ID        string         `json:"id"`
	Name      string         `json:"name"`
	Page      string         `json:"page"`
	Query     string         `json:"query"`
	Shared    bool           `json:"shared"`
	CreatedBy account.UserID `json:"createdBy"`
	CreatedAt string         `json:"createdAt"`
}

func showView(v store.View) viewBody {
	return viewBody{v.ID, v.Name, v.Page, v.Query, v.Shared, v.UserID, view.Timestamp(v.CreatedAt)}
}

// listViews gives the user's own views and the shared ones of the project.
func (g *Group) listViews(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	views, err := g.Control.Views(ctx, reqctx.Project(ctx), reqctx.User(ctx).ID)
	if err != nil {
		return err
	}
	list := make([]viewBody, 0, len(views))
	for _, v := range views {
		list = append(list, showView(v))
	}
	return api.WriteJSON(w, http.StatusOK, struct {
		Views []viewBody `json:"views"`
	}{list})
}

func (g *Group) createView(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	b, err := readBody(r)
	if err != nil {
		return err
	}
	v := store.View{ID: uuid.NewString(), UserID: reqctx.User(ctx).ID, CreatedAt: g.now()}
	if v.Page, err = b.choice("page", viewPages...); err != nil {
		return err
	}
	if err := b.change(&v); err != nil {
		return err
	}
	if v.Name == "" {
		return fault.New(fault.Invalid, "Missing required field: name")
	}
	switch err := g.Control.CreateView(ctx, reqctx.Project(ctx), v); {
	case fault.Is(err, fault.Conflict):
		return fault.Wrap(fault.Conflict, "You have as many saved views as fit: delete one first", err)
	case err != nil:
		return err
	}
	return api.WriteJSON(w, http.StatusCreated, showView(v))
}

// change puts what a body has into a view.
func (b body) change(v *store.View) error {
	name, nameErr := b.trimmed("name", maxNameChars)
	query, queryErr := b.text("query", maxQueryBytes)
	shared, sharedErr := b.flag("shared")
	if err := cmp.Or(nameErr, queryErr, sharedErr); err != nil {
		return err
	}
	if len(query) > maxQueryBytes {
		return fieldFault("query", "too_big", "Too big: expected at most %d bytes", maxQueryBytes)
	}
	if name != "" {
		v.Name = name
	}
	if _, sent := b["query"]; sent {
		v.Query = query
	}
	if _, sent := b["shared"]; sent {
		v.Shared = shared
	}
	return nil
}

// ownView gives the path's view, if the user may change it: his own, or as an
// administrator a shared one.
func (g *Group) ownView(r *http.Request) (store.View, error) {
	ctx := r.Context()
	v, err := g.Control.View(ctx, reqctx.Project(ctx), pathID(r))
	switch {
	case err != nil || v.UserID == reqctx.User(ctx).ID:
	case !v.Shared:
		err = fault.New(fault.NotFound, "")
	case reqctx.Role(ctx) != account.RoleAdmin:
		err = fault.New(fault.Forbidden, "Forbidden: the view is another member's")
	}
	return v, noSuchView(err)
}

func noSuchView(err error) error { return notFound(err, "View not found") }

func (g *Group) changeView(w http.ResponseWriter, r *http.Request) error {
	v, err := g.ownView(r)
	if err != nil {
		return err
	}
	b, err := readBody(r)
	if err != nil {
		return err
	}
	if err := b.change(&v); err != nil {
		return err
	}
	if err := g.Control.UpdateView(r.Context(), reqctx.Project(r.Context()), v); err != nil {
		return noSuchView(err)
	}
	return api.WriteJSON(w, http.StatusOK, showView(v))
}

func (g *Group) deleteView(w http.ResponseWriter, r *http.Request) error {
	v, err := g.ownView(r)
	if err != nil {
		return err
	}
	if err := g.Control.DeleteView(r.Context(), reqctx.Project(r.Context()), v.ID); err != nil {
		return noSuchView(err)
	}
	return api.WriteJSON(w, http.StatusOK, success{true})
}
