// Package account holds who may do what: users, their sign-in sessions, projects
// (the tenants), memberships and API keys. It knows no storage and no transport.
package account

import "time"

// UserID is a 32-character id (or whatever an older database holds): opaque.
type UserID string

// ProjectID names a tenant. Every row of data and every query carries one.
// A lower-case UUID; older databases are taken as they are.
type ProjectID string

// KeyID names an API key's row; it is no secret.
type KeyID string

// Sender is who sends spans: a project, by one of its API keys.
type Sender struct {
	Project ProjectID
	Key     KeyID // "" if unknown
}

// User is a person who can sign in.
type User struct {
	ID            UserID
	Name          string
	Email         string // lower case, unique
	EmailVerified bool
	Image         *string
	CreatedAt     time.Time // UTC, whole milliseconds, as all times of this package
	UpdatedAt     time.Time
}

// Session is a sign-in. Token is a secret: it never appears in a log.
type Session struct {
	ID        string
	UserID    UserID
	Token     string
	ExpiresAt time.Time
	IPAddress *string // nil when the column is NULL; "" when unknown
	UserAgent *string
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Credential is a user's e-mail and password account.
type Credential struct {
	ID           string // row id
	UserID       UserID
	PasswordHash *string // "<salt>:<scrypt key>"; nil if the account has none
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// Project is a tenant.
type Project struct {
	ID        ProjectID
	Name      string
	CreatedAt time.Time
}

// Role is what a member may do.
type Role string

// The roles. A database may also hold "owner" (read as RoleAdmin) and anything
// else (read as RoleUser): see ParseRole.
const (
	RoleAdmin Role = "admin" // everything, keys and members included
	RoleUser  Role = "user"  // reads and writes data
)

// ParseRole reads a stored role.
func ParseRole(stored string) Role {
	if stored == "admin" || stored == "owner" {
		return RoleAdmin
	}
	return RoleUser
}

// Membership joins a user to a project.
type Membership struct {
	ID        string
	UserID    UserID
	ProjectID ProjectID
	Role      Role
	CreatedAt time.Time
}

// Member is a membership with its user, for lists.
type Member struct {
	UserID    UserID
	Name      string
	Email     string
	Role      Role
	CreatedAt time.Time // when the membership was made
}

// ProjectRole is a project with the asking user's role in it.
type ProjectRole struct {
	Project
	Role     Role
	TimeZone string // the project's, an IANA name; "" for none
}

// Invite lets whoever holds its token join a project, once.
type Invite struct {
	ID        string
	ProjectID ProjectID
	Hash      string // of the token (see HashToken), which is kept nowhere
	Role      Role
	Email     string // lower case; the only one that may use it, "" for any
	CreatedBy UserID
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedBy    UserID // "" while it is pending
}

// APIKey is a project's key for /v1. The clear key is never in it.
type APIKey struct {
	ID         KeyID
	ProjectID  ProjectID
	Hash       string // lower-case hex SHA-256 of the key
	Sealed     string // the key, encrypted (see Sealer); "" when API_KEY_STORAGE=hash
	Name       string
	LastUsedAt *time.Time
	CreatedAt  time.Time
}
