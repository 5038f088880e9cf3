package store

import (
	"context"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
)

// MemberStore changes memberships. A project that has an administrator keeps
// one: of two calls at once that would each leave the other's, one is Conflict.
type MemberStore interface {
	// SetRole is NotFound if the user is no member, Conflict if he is the last
	// administrator and would be none. Whoever stops being one takes along the
	// pending invites that he made: their links would let him back in.
	SetRole(ctx context.Context, project account.ProjectID, user account.UserID, role account.Role) error
	// RemoveMember is NotFound and Conflict as SetRole. The member's invites go
	// along, and the views that are not shared.
	RemoveMember(ctx context.Context, project account.ProjectID, user account.UserID) error
}

// InviteStore keeps invites. An invite counts until ExpiresAt: PurgeExpired
// deletes those that have ended.
type InviteStore interface {
	// CreateInvite is Invalid if there is no such project.
	CreateInvite(ctx context.Context, i account.Invite) error
	// Invites gives a project's pending invites that end after now, oldest
	// first, ties by id.
	Invites(ctx context.Context, project account.ProjectID, now time.Time) ([]account.Invite, error)
	// DeleteInvite is NotFound if there is none, or it is used.
	DeleteInvite(ctx context.Context, project account.ProjectID, id string) error
	// InviteByHash gives an invite that ends after now, used or not.
	InviteByHash(ctx context.Context, hash string, now time.Time) (account.Invite, error)
	// UseInvite makes the membership that an invite stands for, and the account
	// of New if given, and marks the invite used; all or nothing, and of two
	// calls at once only one. NotFound if the invite is unknown, ended or used by
	// another. Of a member it changes nothing, and the invite stays. Conflict if
	// New's e-mail is taken. It gives the project.
	UseInvite(ctx context.Context, u InviteUse) (account.ProjectID, error)
}

// InviteUse is the argument of UseInvite.
type InviteUse struct {
	Hash         string
	User         account.UserID
	New          *NewUser // without project and membership; nil for a User that there is
	MembershipID string
	Now          time.Time
}

// MaxViews is how many views a user has in a project.
const MaxViews = 200

// ViewStore keeps saved views.
type ViewStore interface {
	// Views gives a user's views in a project and the shared ones of others,
	// oldest first, ties by id.
	Views(ctx context.Context, project account.ProjectID, user account.UserID) ([]View, error)
	View(ctx context.Context, project account.ProjectID, id string) (View, error)
	// CreateView is Conflict if the user has MaxViews in the project, Invalid if
	// there is no such project or user.
	CreateView(ctx context.Context, project account.ProjectID, v View) error
	// UpdateView stores Name, Query and Shared; NotFound if there is none.
	UpdateView(ctx context.Context, project account.ProjectID, v View) error
	// DeleteView is NotFound if there is none.
	DeleteView(ctx context.Context, project account.ProjectID, id string) error
}

// View is a page as somebody left it. What Page and Query say is not the store's
// business.
type View struct {
	ID        string // unique within the project
	UserID    account.UserID
	Name      string
	Page      string
	Query     string
	Shared    bool
	CreatedAt time.Time // whole milliseconds
}

// SettingsStore keeps what a project sets for itself.
type SettingsStore interface {
	// Settings is NotFound if there is no such project.
	Settings(ctx context.Context, project account.ProjectID) (Settings, error)
	// PutSettings is NotFound if there is no such project.
	PutSettings(ctx context.Context, project account.ProjectID, s Settings, now time.Time) error
}

// Settings are a project's.
type Settings struct {
	Name          string
	RetentionDays int    // 0 for none of its own
	TimeZone      string // an IANA name; "" for none
}

// Retention is how long a project keeps its data, where it sets that itself.
type Retention struct {
	Project account.ProjectID
	Days    int
}

// ProjectRemover removes projects: at once for all who use one, and its spans
// bit by bit.
type ProjectRemover interface {
	// RemoveProject deletes a project with its keys, members, invites, views,
	// prices and settings, in one transaction. From then on nobody reads its
	// spans, and none is added. NotFound if there is no such project.
	RemoveProject(ctx context.Context, project account.ProjectID, by account.UserID, now time.Time) error
	// RemovedBy tells who removed a project that has spans left; NotFound if
	// there is no such.
	RemovedBy(ctx context.Context, project account.ProjectID) (account.UserID, error)
	// RemovedProjects gives the ids of those that PurgeProject is not done with,
	// ascending.
	RemovedProjects(ctx context.Context) ([]account.ProjectID, error)
	// PurgeProject deletes what a removed project has left, in small transactions
	// and at least one of them, until all is gone or budget is spent (0 or less:
	// until all is gone). It may be stopped at any moment and called again.
	// NotFound if the project was not removed, or is gone.
	PurgeProject(ctx context.Context, project account.ProjectID, budget time.Duration) (Purged, error)
}

// Purged is what a call of PurgeProject did.
type Purged struct {
	Spans int64
	Done  bool // nothing is left
}
