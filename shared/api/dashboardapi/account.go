package dashboardapi

import (
	"cmp"
	"context"
	"net/http"
	"strings"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/reqctx"
	"github.com/pulse-traces/pulse/shared/api/view"
	"github.com/pulse-traces/pulse/shared/betterauth"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
)

const (
	signUpClosed = "Sign-up is closed: ask an administrator of a project to add you"
	emailTaken   = "User already exists. Use another email."
)

// signUp creates an account, its project, a first key and the membership, in
// one transaction. It signs nobody in: the client does that next.
func (g *Group) signUp(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	if err := g.Auth.Allow(reqctx.ClientIP(ctx), betterauth.PathSignUp); err != nil {
		return err
	}
	if err := g.signUpOpen(ctx); err != nil {
		return err
	}
	b, err := readBody(r)
	if err != nil {
		return err
	}
	name, nameErr := b.trimmed("name", maxNameChars)
	email, emailErr := b.trimmed("email", maxEmailChars)
	password, passwordErr := b.text("password", maxPasswordChars)
	project, projectErr := b.trimmed("projectName", maxNameChars)
	if err := cmp.Or(nameErr, emailErr, passwordErr, projectErr); err != nil {
		return err
	}
	if name == "" || email == "" || password == "" || project == "" {
		return fault.New(fault.Invalid, "Missing required fields: name, email, password, projectName")
	}
	if err := checkAccount(email, password); err != nil {
		return err
	}
	email = strings.ToLower(email)
	switch _, err := g.Users.UserByEmail(ctx, email); { // before the costly hash
	case err == nil:
		return fault.New(fault.Invalid, emailTaken)
	case !fault.Is(err, fault.NotFound):
		return err
	}
	hash, err := g.Auth.HashPassword(ctx, password)
	if err != nil {
		return err
	}
	n := g.newUser(name, email, hash)
	first, _ := g.newProject(project, n.User.ID, n.User.CreatedAt)
	n.Project, n.OnlyFirst = &first, g.SignUp == SignUpFirst
	switch err := g.Users.CreateUser(ctx, n); {
	case fault.Is(err, fault.Conflict):
		return fault.Wrap(fault.Invalid, emailTaken, err)
	case fault.Is(err, fault.Forbidden):
		return fault.Wrap(fault.Forbidden, signUpClosed, err)
	case err != nil:
		return err
	}
	return api.WriteJSON(w, http.StatusCreated, success{true})
}

// signUpOpen refuses early what CreateUser would refuse at the end. Of several
// first accounts at once it may let all pass; CreateUser lets one.
func (g *Group) signUpOpen(ctx context.Context) error {
	switch g.SignUp {
	case SignUpOpen:
		return nil
	case SignUpFirst:
		n, err := g.Users.CountUsers(ctx)
		if n == 0 || err != nil {
			return err
		}
	}
	return fault.New(fault.Forbidden, signUpClosed)
}

func (g *Group) newUser(name, email, passwordHash string) store.NewUser {
	now := g.now()
	return store.NewUser{
		User:         account.User{ID: account.UserID(betterauth.NewID()), Name: name, Email: email, CreatedAt: now, UpdatedAt: now},
		CredentialID: betterauth.NewID(), PasswordHash: passwordHash,
	}
}

type memberBody struct {
	UserID    account.UserID `json:"userId"`
	Name      string         `json:"name"`
	Email     string         `json:"email"`
	Role      account.Role   `json:"role"`
	CreatedAt string         `json:"createdAt"`
}

func (g *Group) listMembers(w http.ResponseWriter, r *http.Request) error {
	members, err := g.Projects.Members(r.Context(), reqctx.Project(r.Context()))
	if err != nil {
		return err
	}
	users := make([]memberBody, 0, len(members))
	for _, m := range members {
		users = append(users, memberBody{m.UserID, m.Name, m.Email, m.Role, view.Timestamp(m.CreatedAt)})
	}
	return api.WriteJSON(w, http.StatusOK, struct {
		Users []memberBody `json:"users"`
	}{users})
}

// memberLimit is the counter of addMember, which tells whether an e-mail has an
// account: limited as sign-ups are, apart from them.
const memberLimit = "/sign-up/member"

// addMember adds an account to the project, and creates it where there is none.
// Of an account that exists the answer repeats only what the caller sent.
func (g *Group) addMember(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	if err := g.Auth.Allow(reqctx.ClientIP(ctx), memberLimit); err != nil {
		return err
	}
	b, err := readBody(r)
	if err != nil {
		return err
	}
	name, nameErr := b.trimmed("name", maxNameChars)
	email, emailErr := b.trimmed("email", maxEmailChars)
	password, passwordErr := b.text("password", maxPasswordChars)
	if err := cmp.Or(emailErr, nameErr, passwordErr); err != nil {
		return err
	}
	if email == "" {
		return fault.New(fault.Invalid, "Missing required field: email")
	}
	email = strings.ToLower(email)
	role := account.RoleUser
	if sent, err := b.text("role", maxNameChars); err == nil && sent == string(account.RoleAdmin) {
		role = account.RoleAdmin
	}
	id, created, err := g.joinProject(ctx, reqctx.Project(ctx), name, email, password, role)
	switch {
	case fault.Is(err, fault.Conflict):
		return fault.Wrap(fault.Conflict, "User is already a member of this project", err)
	case err != nil:
		return err
	}
	if name == "" {
		name = email
	}
	return api.WriteJSON(w, http.StatusCreated, struct {
		User memberBody `json:"user"`
	}{memberBody{id, name, email, role, created}})
}

// joinProject makes the membership, and the account if there is none. It gives
// the user's id and when the membership was made.
func (g *Group) joinProject(ctx context.Context, project account.ProjectID, name, email, password string, role account.Role) (account.UserID, string, error) {
	user, err := g.Users.UserByEmail(ctx, email)
	if fault.Is(err, fault.NotFound) {
		n, err := g.createMember(ctx, project, name, email, password, role)
		if !fault.Is(err, fault.Conflict) {
			return n.User.ID, view.Timestamp(n.User.CreatedAt), err
		}
		user, err = g.Users.UserByEmail(ctx, email) // somebody was faster
		if err != nil {
			return "", "", err
		}
	} else if err != nil {
		return "", "", err
	}
	m := newMembership(user.ID, project, role, g.now())
	return user.ID, view.Timestamp(m.CreatedAt), g.Projects.AddMember(ctx, m)
}

func (g *Group) createMember(ctx context.Context, project account.ProjectID, name, email, password string, role account.Role) (store.NewUser, error) {
	if name == "" || password == "" {
		return store.NewUser{}, fault.New(fault.Invalid, "Missing required fields for new user: name, password")
	}
	if err := checkAccount(email, password); err != nil {
		return store.NewUser{}, err
	}
	hash, err := g.Auth.HashPassword(ctx, password)
	if err != nil {
		return store.NewUser{}, err
	}
	n := g.newUser(name, email, hash)
	m := newMembership(n.User.ID, project, role, n.User.CreatedAt)
	n.Membership = &m
	return n, g.Users.CreateUser(ctx, n)
}
