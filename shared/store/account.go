package store

import (
	"context"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
)

// NewProject is what is made together: a project, its first key and its first
// administrator.
type NewProject struct {
	Project account.Project
	Key     account.APIKey
	Member  account.Membership
}

// UserStore keeps users and their passwords. E-mails are given in lower case.
type UserStore interface {
	// CreateUser stores user and credential and, where given, a project with
	// its key and membership, or a membership in a project that exists; all or
	// nothing. Conflict if the e-mail is taken. With onlyFirst it is Forbidden
	// if any user exists; of two such calls at once, one succeeds.
	CreateUser(ctx context.Context, n NewUser) error
	User(ctx context.Context, id account.UserID) (account.User, error)
	UserByEmail(ctx context.Context, email string) (account.User, error)
	// Credential gives the e-mail and password account of a user: the row with
	// provider "credential" whose account id is the user's.
	Credential(ctx context.Context, id account.UserID) (account.Credential, error)
	SetPassword(ctx context.Context, id account.UserID, hash string, now time.Time) error
	// UpdateUser stores Name, Image, EmailVerified and UpdatedAt.
	UpdateUser(ctx context.Context, u account.User) error
	CountUsers(ctx context.Context) (int64, error)
}

// NewUser is the argument of CreateUser.
type NewUser struct {
	User         account.User
	CredentialID string // row id of the credential account
	PasswordHash string
	Project      *NewProject
	Membership   *account.Membership
	OnlyFirst    bool
}

// SessionStore keeps sign-in sessions.
type SessionStore interface {
	CreateSession(ctx context.Context, s account.Session) error
	// SessionByToken gives the session, expired or not, and its user.
	SessionByToken(ctx context.Context, token string) (account.Session, account.User, error)
	ExtendSession(ctx context.Context, token string, expiresAt, updatedAt time.Time) error
	// DeleteSession is nil also if there is none.
	DeleteSession(ctx context.Context, token string) error
	// UserSessions gives all, expired ones too, oldest first.
	UserSessions(ctx context.Context, id account.UserID) ([]account.Session, error)
	// DeleteUserSessions deletes all of a user's sessions but the one with
	// token keep ("" keeps none).
	DeleteUserSessions(ctx context.Context, id account.UserID, keep string) error
}

// ProjectStore keeps projects and members.
type ProjectStore interface {
	CreateProject(ctx context.Context, p NewProject) error
	// UserProjects gives a user's projects, oldest first, ties by id.
	UserProjects(ctx context.Context, id account.UserID) ([]account.ProjectRole, error)
	// Role gives a user's role in a project: NotFound if there is no such
	// project or no membership.
	Role(ctx context.Context, project account.ProjectID, user account.UserID) (account.Role, error)
	// Members gives a project's members, oldest membership first, ties by user id.
	Members(ctx context.Context, project account.ProjectID) ([]account.Member, error)
	// AddMember is Conflict if the user is a member already.
	AddMember(ctx context.Context, m account.Membership) error
	Project(ctx context.Context, id account.ProjectID) (account.Project, error)
	// RenameProject is NotFound if there is no such project.
	RenameProject(ctx context.Context, id account.ProjectID, name string) error
}

// KeyStore keeps API keys.
type KeyStore interface {
	// KeyByHash finds a key by account.HashKey, through a unique index.
	KeyByHash(ctx context.Context, hash string) (account.APIKey, error)
	// Keys gives a project's keys, oldest first, ties by id.
	Keys(ctx context.Context, project account.ProjectID) ([]account.APIKey, error)
	CreateKey(ctx context.Context, k account.APIKey) error
	RenameKey(ctx context.Context, project account.ProjectID, id account.KeyID, name string) error
	// DeleteKey gives the key that it deleted.
	DeleteKey(ctx context.Context, project account.ProjectID, id account.KeyID) (account.APIKey, error)
	// TouchKey stores when a key was last used.
	TouchKey(ctx context.Context, id account.KeyID, at time.Time) error
}
