package dashboardapi

import (
	"net/http"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/reqctx"
	"github.com/pulse-traces/pulse/shared/fault"
)

func (g *Group) setRole(w http.ResponseWriter, r *http.Request) error {
	b, err := readBody(r)
	if err != nil {
		return err
	}
	role, err := b.role()
	if err != nil {
		return err
	}
	if err := g.Control.SetRole(r.Context(), reqctx.Project(r.Context()), account.UserID(pathID(r)), role); err != nil {
		return memberFault(err)
	}
	return api.WriteJSON(w, http.StatusOK, success{true})
}

// removeMember lets an administrator remove whom he wants, and everybody leave.
func (g *Group) removeMember(w http.ResponseWriter, r *http.Request) error {
	ctx, user := r.Context(), account.UserID(pathID(r))
	if user != reqctx.User(ctx).ID && reqctx.Role(ctx) != account.RoleAdmin {
		if _, err := g.Projects.Role(ctx, reqctx.Project(ctx), user); err != nil {
			return memberFault(err)
		}
		return fault.New(fault.Forbidden, adminOnly)
	}
	if err := g.Control.RemoveMember(ctx, reqctx.Project(ctx), user); err != nil {
		return memberFault(err)
	}
	return api.WriteJSON(w, http.StatusOK, success{true})
}

func memberFault(err error) error {
	if fault.Is(err, fault.Conflict) {
		return fault.Wrap(fault.Conflict, "The project's last administrator cannot leave or lose the role: make somebody else one first", err)
	}
	return notFound(err, "Member not found")
}

func (b body) role() (account.Role, error) {
	role, err := b.choice("role", string(account.RoleAdmin), string(account.RoleUser))
	return account.Role(role), err
}
