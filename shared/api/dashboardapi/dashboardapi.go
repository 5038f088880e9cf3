// Package dashboardapi is the control plane: sign-up, projects and their
// settings, API keys, members, invites, saved views, and the local login of the command line. The data routes below
// /dashboard/api are queryapi's and ingestapi's.
package dashboardapi

import (
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/betterauth"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
)

// SignUp says who may create an account by himself.
type SignUp string

// The modes. Administrators can create accounts for members in each of them.
const (
	SignUpOpen   SignUp = "open"   // everybody
	SignUpFirst  SignUp = "first"  // the first one who asks, and nobody after
	SignUpClosed SignUp = "closed" // nobody
)

// KeyRing looks API keys up and drops those that were deleted; keyring.Ring is
// the one in use.
type KeyRing interface {
	api.KeyChecker
	Forget(hash string)
}

// ControlStore is what only these routes use.
type ControlStore interface {
	store.MemberStore
	store.InviteStore
	store.ViewStore
	store.SettingsStore
	store.ProjectRemover
}

// Deps are what the routes work with. All but Sealer, RetentionDays, PublicURL
// and Now must be set.
type Deps struct {
	Users    store.UserStore
	Projects store.ProjectStore
	Control  ControlStore
	Keys     store.KeyStore
	Ring     KeyRing
	Auth     *betterauth.Service
	SignUp   SignUp
	// Sealer keeps a copy of each key that administrators can list; nil keeps
	// hashes only, and a key is seen once, when it is created.
	Sealer *account.Sealer
	// LocalLogin opens the hand-off from the command line to the browser of the
	// same machine. A host MUST leave it off unless the public URL is a loopback
	// one: a proxy on this machine that hides whom it speaks for would pass
	// strangers off as local.
	LocalLogin bool
	// RetentionDays is how long the server keeps data; 0 is for ever. A project
	// may keep less.
	RetentionDays int
	// PublicURL begins the links of invites; "" takes the host that each request
	// names, by https if HTTPS is set.
	PublicURL string
	HTTPS     bool
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Group is the route group.
type Group struct {
	Deps
	logins *logins
}

var _ api.Fallback = (*Group)(nil)

// New makes the group.
func New(d Deps) *Group {
	if d.Now == nil {
		d.Now = time.Now
	}
	return &Group{Deps: d, logins: newLogins(d.Now)}
}

// Routes implements api.Group.
func (g *Group) Routes() []api.Route {
	return []api.Route{
		{Method: http.MethodPost, Pattern: "/dashboard/api/signup", Handler: g.signUp},
		{Method: http.MethodPost, Pattern: "/dashboard/api/local-login-token", Handler: g.localLoginToken},
		{Method: http.MethodGet, Pattern: "/dashboard/api/local-login", Handler: g.localLogin},
		{Method: http.MethodGet, Pattern: "/dashboard/api/projects", Auth: api.AuthSession, Handler: g.listProjects},
		{Method: http.MethodPost, Pattern: "/dashboard/api/projects", Auth: api.AuthSession, Handler: g.createProject},
		// These two ask for a membership in the project of the path.
		{Method: http.MethodPatch, Pattern: "/dashboard/api/projects/{id}", Auth: api.AuthSession, Handler: g.renameProject},
		{Method: http.MethodDelete, Pattern: "/dashboard/api/projects/{id}", Auth: api.AuthSession, Handler: g.deleteProject},
		{Method: http.MethodGet, Pattern: "/dashboard/api/api-keys", Auth: api.AuthAdmin, Handler: g.listKeys},
		{Method: http.MethodPost, Pattern: "/dashboard/api/api-keys", Auth: api.AuthAdmin, Handler: g.createKey},
		{Method: http.MethodPatch, Pattern: "/dashboard/api/api-keys/{id}", Auth: api.AuthAdmin, Handler: g.renameKey},
		{Method: http.MethodDelete, Pattern: "/dashboard/api/api-keys/{id}", Auth: api.AuthAdmin, Handler: g.deleteKey},
		{Method: http.MethodGet, Pattern: "/dashboard/api/users", Auth: api.AuthAdmin, Handler: g.listMembers},
		{Method: http.MethodPost, Pattern: "/dashboard/api/users", Auth: api.AuthAdmin, Handler: g.addMember},
		{Method: http.MethodPatch, Pattern: "/dashboard/api/users/{id}", Auth: api.AuthAdmin, Handler: g.setRole},
		{Method: http.MethodDelete, Pattern: "/dashboard/api/users/{id}", Auth: api.AuthProject, Handler: g.removeMember},
		{Method: http.MethodGet, Pattern: "/dashboard/api/invites", Auth: api.AuthAdmin, Handler: g.listInvites},
		{Method: http.MethodPost, Pattern: "/dashboard/api/invites", Auth: api.AuthAdmin, Handler: g.createInvite},
		{Method: http.MethodDelete, Pattern: "/dashboard/api/invites/{id}", Auth: api.AuthAdmin, Handler: g.deleteInvite},
		// The id of these two is the token. One path has one name for its value.
		{Method: http.MethodGet, Pattern: "/dashboard/api/invites/{id}", Handler: g.showInvite},
		{Method: http.MethodPost, Pattern: "/dashboard/api/invites/{id}/accept", Handler: g.acceptInvite},
		{Method: http.MethodGet, Pattern: "/dashboard/api/views", Auth: api.AuthProject, Handler: g.listViews},
		{Method: http.MethodPost, Pattern: "/dashboard/api/views", Auth: api.AuthProject, Handler: g.createView},
		{Method: http.MethodPatch, Pattern: "/dashboard/api/views/{id}", Auth: api.AuthProject, Handler: g.changeView},
		{Method: http.MethodDelete, Pattern: "/dashboard/api/views/{id}", Auth: api.AuthProject, Handler: g.deleteView},
		{Method: http.MethodGet, Pattern: "/dashboard/api/settings", Auth: api.AuthProject, Handler: g.getSettings},
		{Method: http.MethodPut, Pattern: "/dashboard/api/settings", Auth: api.AuthAdmin, Handler: g.putSettings},
	}
}

// Prefix implements api.Fallback.
func (g *Group) Prefix() string { return "/dashboard/api/" }

// Unmatched answers unknown paths and methods, but only to who is signed in:
// others learn nothing of what there is.
func (g *Group) Unmatched(w http.ResponseWriter, r *http.Request, allow []string) error {
	user, cookies, err := g.Auth.CheckSession(r)
	betterauth.AddCookies(w.Header(), cookies)
	switch {
	case err != nil:
		return err
	case user == nil:
		return fault.New(fault.Unauthenticated, "Unauthorized")
	}
	return api.Unmatched(w, allow)
}

// success is the answer of what has nothing to tell.
type success struct {
	Success bool `json:"success"`
}

// now is the time as rows of accounts hold it.
func (g *Group) now() time.Time { return g.Now().UTC().Truncate(time.Millisecond) }

// defaultKeyName names the key that a project is born with.
const defaultKeyName = "Default Key"

// newProject makes a project, its first key and its administrator. The clear
// key is returned beside them, for the one answer that shows it.
func (g *Group) newProject(name string, admin account.UserID, now time.Time) (store.NewProject, string) {
	id := account.ProjectID(uuid.NewString())
	row, clear := g.newKey(id, defaultKeyName, now)
	return store.NewProject{
		Project: account.Project{ID: id, Name: name, CreatedAt: now},
		Key:     row,
		Member:  newMembership(admin, id, account.RoleAdmin, now),
	}, clear
}

func (g *Group) newKey(project account.ProjectID, name string, now time.Time) (account.APIKey, string) {
	clear := account.MintKey()
	key := account.APIKey{
		ID: account.KeyID(uuid.NewString()), ProjectID: project, Hash: account.HashKey(clear), Name: name, CreatedAt: now,
	}
	if g.Sealer != nil {
		key.Sealed = g.Sealer.Seal(clear)
	}
	return key, clear
}

func newMembership(user account.UserID, project account.ProjectID, role account.Role, now time.Time) account.Membership {
	return account.Membership{ID: uuid.NewString(), UserID: user, ProjectID: project, Role: role, CreatedAt: now}
}
