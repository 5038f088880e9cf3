package dashboardapi

import (
	"bytes"
	"cmp"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/reqctx"
	"github.com/pulse-traces/pulse/shared/api/view"
	"github.com/pulse-traces/pulse/shared/fault"
)

type projectBody struct {
	ID        account.ProjectID `json:"id"`
	Name      string            `json:"name"`
	CreatedAt string            `json:"createdAt"`
	Role      account.Role      `json:"role"`
	TimeZone  string            `json:"timeZone"` // "": none
}

func (g *Group) listProjects(w http.ResponseWriter, r *http.Request) error {
	mine, err := g.Projects.UserProjects(r.Context(), reqctx.User(r.Context()).ID)
	if err != nil {
		return err
	}
	projects := make([]projectBody, 0, len(mine))
	for _, p := range mine {
		projects = append(projects, projectBody{p.ID, p.Name, view.Timestamp(p.CreatedAt), p.Role, p.TimeZone})
	}
	return api.WriteJSON(w, http.StatusOK, struct {
		Projects []projectBody `json:"projects"`
	}{projects})
}

// createProject makes the caller its administrator and shows the first key.
func (g *Group) createProject(w http.ResponseWriter, r *http.Request) error {
	b, err := readBody(r)
	if err != nil {
		return err
	}
	name, err := b.projectName()
	if err != nil {
		return err
	}
	p, key := g.newProject(name, reqctx.User(r.Context()).ID, g.now())
	if err := g.Projects.CreateProject(r.Context(), p); err != nil {
		return err
	}
	return writeSecret(w, struct {
		ProjectID account.ProjectID `json:"projectId"`
		APIKey    string            `json:"apiKey"`
		Name      string            `json:"name"`
	}{p.Project.ID, key, name})
}

// administered gives the project of the path, if the user is its administrator,
// whatever X-Project-Id says.
func (g *Group) administered(r *http.Request) (account.ProjectID, error) {
	id := account.ProjectID(pathID(r))
	role, err := g.Projects.Role(r.Context(), id, reqctx.User(r.Context()).ID)
	switch {
	case fault.Is(err, fault.NotFound):
		err = noSuchProject(err)
	case err == nil && role != account.RoleAdmin:
		err = fault.New(fault.Forbidden, adminOnly)
	}
	return id, err
}

// adminOnly is the edge's wording.
const adminOnly = "Forbidden: admin role required for this operation"

func noSuchProject(err error) error { return notFound(err, "Project not found") }

// notFound words fault.NotFound.
func notFound(err error, message string) error {
	if fault.Is(err, fault.NotFound) {
		return fault.Wrap(fault.NotFound, message, err)
	}
	return err
}

func (g *Group) renameProject(w http.ResponseWriter, r *http.Request) error {
	id, err := g.administered(r)
	if err != nil {
		return err
	}
	b, err := readBody(r)
	if err != nil {
		return err
	}
	name, err := b.projectName()
	if err != nil {
		return err
	}
	if err := g.Projects.RenameProject(r.Context(), id, name); err != nil {
		return noSuchProject(err)
	}
	return api.WriteJSON(w, http.StatusOK, success{true})
}

// purgeBudget is how long one request deletes spans: well below what API Gateway
// waits for, with room for a step that began just before.
const purgeBudget = 5 * time.Second

// deleteProject deletes a project for all who use it at once, and as many of its
// spans as there is time for. Who did so sends the request again until all are
// gone; what he leaves, maintenance deletes.
func (g *Group) deleteProject(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	id, err := g.administered(r)
	if fault.Is(err, fault.NotFound) {
		by, goneErr := g.Control.RemovedBy(ctx, id)
		if goneErr != nil || by != reqctx.User(ctx).ID {
			return cmp.Or(noSuchProject(goneErr), err)
		}
	} else if err == nil {
		err = g.removeProject(r, id)
	}
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	purged, err := g.Control.PurgeProject(ctx, id, purgeBudget)
	if fault.Is(err, fault.NotFound) {
		purged.Done, err = true, nil // maintenance was faster
	}
	if err != nil {
		return err
	}
	return api.WriteJSON(w, http.StatusOK, struct {
		Done         bool  `json:"done"`
		DeletedSpans int64 `json:"deletedSpans"` // by this request
	}{purged.Done, purged.Spans})
}

func (g *Group) removeProject(r *http.Request, id account.ProjectID) error {
	ctx := r.Context()
	b, err := readBody(r)
	if err != nil {
		return err
	}
	name, err := b.text("name", maxNameChars)
	if err != nil {
		return err
	}
	project, err := g.Projects.Project(ctx, id)
	if err != nil {
		return err
	}
	if name != project.Name {
		return invalid("name", "invalid_value", "Send the project's exact name to confirm")
	}
	keys, err := g.Keys.Keys(ctx, id)
	if err != nil {
		return err
	}
	if err := g.Control.RemoveProject(ctx, id, reqctx.User(ctx).ID, g.now()); err != nil {
		return err
	}
	for _, k := range keys {
		g.Ring.Forget(k.Hash)
	}
	return nil
}

// writeSecret answers 201 with what no cache may keep.
func writeSecret(w http.ResponseWriter, v any) error {
	w.Header().Set("Cache-Control", "no-store")
	return api.WriteJSON(w, http.StatusCreated, v)
}

type keyBody struct {
	ID          account.KeyID     `json:"id"`
	ProjectID   account.ProjectID `json:"projectId"`
	ProjectName string            `json:"projectName"`
	Key         *string           `json:"key"` // null where no readable copy is kept
	Name        string            `json:"name"`
	CreatedAt   string            `json:"createdAt"`
	LastUsedAt  string            `json:"lastUsedAt,omitzero"`
	Last4       string            `json:"last4,omitzero"`
	Unreadable  bool              `json:"unreadable,omitzero"` // a copy is kept, but sealed under another ENCRYPTION_KEY
}

func (g *Group) listKeys(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	project, err := g.Projects.Project(ctx, reqctx.Project(ctx))
	if err != nil {
		return err
	}
	keys, err := g.Keys.Keys(ctx, project.ID)
	if err != nil {
		return err
	}
	list := make([]keyBody, 0, len(keys))
	for _, k := range keys {
		list = append(list, g.showKey(k, project.Name))
	}
	w.Header().Set("Cache-Control", "no-store")
	return api.WriteJSON(w, http.StatusOK, struct {
		Keys []keyBody `json:"keys"`
	}{list})
}

// showKey gives a key's row with its clear text, where that can be had.
func (g *Group) showKey(k account.APIKey, projectName string) keyBody {
	b := keyBody{ID: k.ID, ProjectID: k.ProjectID, ProjectName: projectName, Name: k.Name, CreatedAt: view.Timestamp(k.CreatedAt)}
	if k.LastUsedAt != nil {
		b.LastUsedAt = view.Timestamp(*k.LastUsedAt)
	}
	if g.Sealer == nil || k.Sealed == "" {
		return b
	}
	clear, err := g.Sealer.Unseal(k.Sealed)
	if err != nil || account.HashKey(clear) != k.Hash { // the latter: a copy of some other key is no help to anybody
		b.Unreadable = true
		return b
	}
	b.Key, b.Last4 = &clear, clear[max(0, len(clear)-4):]
	return b
}

// createKey shows the new key. Dashboards send no body at all.
func (g *Group) createKey(w http.ResponseWriter, r *http.Request) error {
	b, err := readKeyBody(r, []byte("{}"))
	if err != nil {
		return err
	}
	name, err := keyName(b)
	if err != nil {
		return err
	}
	key, clear := g.newKey(reqctx.Project(r.Context()), name, g.now())
	if err := g.Keys.CreateKey(r.Context(), key); err != nil {
		return err
	}
	return writeSecret(w, struct {
		APIKey string        `json:"apiKey"`
		ID     account.KeyID `json:"id"`
		Name   string        `json:"name"`
	}{clear, key.ID, name})
}

// readKeyBody is readBody in the wording of the key routes; an empty body reads
// as whenEmpty.
func readKeyBody(r *http.Request, whenEmpty []byte) (body, error) {
	raw, err := api.ReadBody(r)
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		raw = whenEmpty
	}
	b, err := parseBody(raw)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, "Invalid request body", err)
	}
	return b, nil
}

// keyName gives a new key's name: as sent, a number as its text.
func keyName(b body) (string, error) {
	name := "API Key"
	switch raw := b["name"]; raw.Kind() {
	case '0':
		name = string(raw)
	case '"':
		sent, err := b.text("name", maxNameChars)
		if err != nil {
			return "", err
		}
		if sent != "" {
			name = sent
		}
	case 'n', jsontext.KindInvalid: // null, or not there
	default:
		return "", fault.New(fault.Invalid, "Invalid request body")
	}
	return name, checkText("name", name, maxNameChars)
}

func (g *Group) renameKey(w http.ResponseWriter, r *http.Request) error {
	b, err := readKeyBody(r, nil)
	if err != nil {
		return err
	}
	if b == nil {
		return fault.New(fault.Invalid, "Invalid request body")
	}
	if b.noText("name") {
		return fault.New(fault.Invalid, "Missing or invalid 'name' field")
	}
	name, err := b.text("name", maxNameChars)
	if err != nil {
		return err
	}
	if err := g.Keys.RenameKey(r.Context(), reqctx.Project(r.Context()), keyID(r), name); err != nil {
		return noSuchKey(err)
	}
	return api.WriteJSON(w, http.StatusOK, success{true})
}

// deleteKey makes a key useless at once in this process; others notice when
// their cached answer runs out.
func (g *Group) deleteKey(w http.ResponseWriter, r *http.Request) error {
	key, err := g.Keys.DeleteKey(r.Context(), reqctx.Project(r.Context()), keyID(r))
	if err != nil {
		return noSuchKey(err)
	}
	g.Ring.Forget(key.Hash)
	return api.WriteJSON(w, http.StatusOK, success{true})
}

// pathID gives the path's id. A text column of Postgres holds no NUL and no
// invalid UTF-8, so such an id is nobody's; blanked, it finds nothing.
func pathID(r *http.Request) string {
	return strings.ToValidUTF8(strings.ReplaceAll(r.PathValue("id"), "\x00", " "), " ")
}

func keyID(r *http.Request) account.KeyID { return account.KeyID(pathID(r)) }

func noSuchKey(err error) error { return notFound(err, "API key not found") }
