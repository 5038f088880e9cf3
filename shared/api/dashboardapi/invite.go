package dashboardapi

import (
	"cmp"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/reqctx"
	"github.com/pulse-traces/pulse/shared/api/view"
	"github.com/pulse-traces/pulse/shared/betterauth"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
)

// Days that an invite counts for.
const (
	inviteDays    = 7
	maxInviteDays = 30
)

type inviteBody struct {
	ID        string         `json:"id"`
	Role      account.Role   `json:"role"`
	Email     string         `json:"email,omitzero"`
	CreatedBy account.UserID `json:"createdBy"`
	CreatedAt string         `json:"createdAt"`
	ExpiresAt string         `json:"expiresAt"`
}

func (g *Group) listInvites(w http.ResponseWriter, r *http.Request) error {
	pending, err := g.Control.Invites(r.Context(), reqctx.Project(r.Context()), g.now())
	if err != nil {
		return err
	}
	list := make([]inviteBody, 0, len(pending))
	for _, i := range pending {
		list = append(list, inviteBody{i.ID, i.Role, i.Email, i.CreatedBy, view.Timestamp(i.CreatedAt), view.Timestamp(i.ExpiresAt)})
	}
	return api.WriteJSON(w, http.StatusOK, struct {
		Invites []inviteBody `json:"invites"`
	}{list})
}

// createInvite gives the one answer that has the token: only its hash is kept.
func (g *Group) createInvite(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	b, err := readBody(r)
	if err != nil {
		return err
	}
	role, roleErr := b.role()
	days, daysErr := b.whole("expiresInDays", inviteDays, 1, maxInviteDays)
	email, emailErr := b.trimmed("email", maxEmailChars)
	if err := cmp.Or(roleErr, daysErr, emailErr); err != nil {
		return err
	}
	if email != "" && !betterauth.ValidEmail(email) {
		return invalid("email", "invalid_format", "Invalid email address")
	}
	token, now := account.MintToken(), g.now()
	i := account.Invite{
		ID: uuid.NewString(), ProjectID: reqctx.Project(ctx), Hash: account.HashToken(token), Role: role, Email: strings.ToLower(email),
		CreatedBy: reqctx.User(ctx).ID, CreatedAt: now, ExpiresAt: now.Add(time.Duration(days) * 24 * time.Hour),
	}
	if err := g.Control.CreateInvite(ctx, i); err != nil {
		return err
	}
	return writeSecret(w, struct {
		ID        string       `json:"id"`
		Token     string       `json:"token"`
		URL       string       `json:"url"`
		Role      account.Role `json:"role"`
		ExpiresAt string       `json:"expiresAt"`
	}{i.ID, token, g.base(r) + "/invite/" + token, role, view.Timestamp(i.ExpiresAt)})
}

// base is where browsers reach the dashboard.
func (g *Group) base(r *http.Request) string {
	switch {
	case g.PublicURL != "":
		return strings.TrimSuffix(g.PublicURL, "/")
	case g.HTTPS:
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

func (g *Group) deleteInvite(w http.ResponseWriter, r *http.Request) error {
	if err := g.Control.DeleteInvite(r.Context(), reqctx.Project(r.Context()), pathID(r)); err != nil {
		return noSuchInvite(err)
	}
	return api.WriteJSON(w, http.StatusOK, success{true})
}

func noSuchInvite(err error) error {
	return notFound(err, "The invite is unknown, has ended, or was used already")
}

// invite gives the invite of the path's token, used or not.
func (g *Group) invite(r *http.Request) (account.Invite, error) {
	i, err := g.Control.InviteByHash(r.Context(), account.HashToken(r.PathValue("id")), g.now())
	return i, noSuchInvite(err)
}

// showInvite tells who has the token what it is for.
func (g *Group) showInvite(w http.ResponseWriter, r *http.Request) error {
	i, err := g.invite(r)
	if err == nil && i.UsedBy != "" {
		err = noSuchInvite(fault.New(fault.NotFound, ""))
	}
	if err != nil {
		return err
	}
	project, err := g.Projects.Project(r.Context(), i.ProjectID)
	if err != nil {
		return noSuchInvite(err)
	}
	w.Header().Set("Cache-Control", "no-store")
	return api.WriteJSON(w, http.StatusOK, struct {
		ProjectName string       `json:"projectName"`
		Role        account.Role `json:"role"`
		ExpiresAt   string       `json:"expiresAt"`
	}{project.Name, i.Role, view.Timestamp(i.ExpiresAt)})
}

// acceptInvite makes a member of who is signed in, or of a new account. That one
// is made whatever SignUp says: the invite is the permission. It signs nobody in.
func (g *Group) acceptInvite(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	user, cookies, err := g.Auth.CheckSession(r)
	betterauth.AddCookies(w.Header(), cookies)
	if err != nil {
		return err
	}
	if user == nil {
		if err := g.Auth.Allow(reqctx.ClientIP(ctx), betterauth.PathSignUp); err != nil {
			return err
		}
	}
	i, err := g.invite(r)
	if err != nil {
		return err
	}
	use := store.InviteUse{Hash: i.Hash, MembershipID: uuid.NewString(), Now: g.now()}
	status := http.StatusOK
	if user == nil {
		if use.New, err = g.invited(r, i); err != nil {
			return err
		}
		user, status = &use.New.User, http.StatusCreated
	}
	if i.Email != "" && i.Email != user.Email {
		return fault.New(fault.Forbidden, "The invite is for another e-mail address")
	}
	use.User = user.ID
	project, err := g.Control.UseInvite(ctx, use)
	switch {
	case fault.Is(err, fault.Conflict) && use.New != nil:
		return fault.Wrap(fault.Conflict, "There is an account with this e-mail address: sign in, and open the link again", err)
	case err != nil:
		return noSuchInvite(err)
	}
	return api.WriteJSON(w, status, struct {
		ProjectID account.ProjectID `json:"projectId"`
	}{project})
}

// invited makes the account that a request asks for.
func (g *Group) invited(r *http.Request, i account.Invite) (*store.NewUser, error) {
	if i.UsedBy != "" { // before the costly hash
		return nil, noSuchInvite(fault.New(fault.NotFound, ""))
	}
	b, err := readBody(r)
	if err != nil {
		return nil, err
	}
	name, nameErr := b.trimmed("name", maxNameChars)
	email, emailErr := b.trimmed("email", maxEmailChars)
	password, passwordErr := b.text("password", maxPasswordChars)
	if err := cmp.Or(nameErr, emailErr, passwordErr); err != nil {
		return nil, err
	}
	switch {
	case name == "" && email == "" && password == "":
		return nil, fault.New(fault.Unauthenticated, "Sign in, or send name, email and password of a new account")
	case name == "" || email == "" || password == "":
		return nil, fault.New(fault.Invalid, "Missing required fields: name, email, password")
	}
	if err := checkAccount(email, password); err != nil {
		return nil, err
	}
	email = strings.ToLower(email)
	if i.Email != "" && i.Email != email {
		return nil, fault.New(fault.Forbidden, "The invite is for another e-mail address")
	}
	hash, err := g.Auth.HashPassword(r.Context(), password)
	if err != nil {
		return nil, err
	}
	n := g.newUser(name, email, hash)
	return &n, nil
}
