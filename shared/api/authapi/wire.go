package authapi

import (
	"time"

	"github.com/pulse-traces/pulse/shared/account"
)

// wireTime prints a time as the library's client reads it: it takes the
// fraction's digits for whole milliseconds, so there must be exactly three.
func wireTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

type wireUser struct {
	Name          string         `json:"name"`
	Email         string         `json:"email"`
	EmailVerified bool           `json:"emailVerified"`
	Image         *string        `json:"image"`
	CreatedAt     string         `json:"createdAt"`
	UpdatedAt     string         `json:"updatedAt"`
	ID            account.UserID `json:"id"`
}

func userToWire(u account.User) wireUser {
	return wireUser{
		Name: u.Name, Email: u.Email, EmailVerified: u.EmailVerified, Image: u.Image,
		CreatedAt: wireTime(u.CreatedAt), UpdatedAt: wireTime(u.UpdatedAt), ID: u.ID,
	}
}

type wireSession struct {
	ExpiresAt string         `json:"expiresAt"`
	Token     string         `json:"token"`
	CreatedAt string         `json:"createdAt"`
	UpdatedAt string         `json:"updatedAt"`
	IPAddress *string        `json:"ipAddress"`
	UserAgent *string        `json:"userAgent"`
	UserID    account.UserID `json:"userId"`
	ID        string         `json:"id"`
}

func sessionToWire(s account.Session) wireSession {
	return wireSession{
		ExpiresAt: wireTime(s.ExpiresAt), Token: s.Token, CreatedAt: wireTime(s.CreatedAt), UpdatedAt: wireTime(s.UpdatedAt),
		IPAddress: s.IPAddress, UserAgent: s.UserAgent, UserID: s.UserID, ID: s.ID,
	}
}

// wireAccount is a way to sign in; never the hash.
type wireAccount struct {
	AccountID  account.UserID `json:"accountId"`
	ProviderID string         `json:"providerId"`
	UserID     account.UserID `json:"userId"`
	CreatedAt  string         `json:"createdAt"`
	UpdatedAt  string         `json:"updatedAt"`
	ID         string         `json:"id"`
	Scopes     []string       `json:"scopes"`
}

func credentialToWire(c account.Credential) wireAccount {
	return wireAccount{
		AccountID: c.UserID, ProviderID: "credential", UserID: c.UserID,
		CreatedAt: wireTime(c.CreatedAt), UpdatedAt: wireTime(c.UpdatedAt), ID: c.ID, Scopes: []string{},
	}
}

type wireLogin struct {
	Session wireSession `json:"session"`
	User    wireUser    `json:"user"`
}

// wireSignIn is the answer to a sign-in. The client navigates to URL if
// Redirect is true; without a callbackURL there is no url, not a null.
type wireSignIn struct {
	Redirect bool     `json:"redirect"`
	Token    string   `json:"token"`
	URL      *string  `json:"url,omitzero"`
	User     wireUser `json:"user"`
}

type wirePasswordChange struct {
	Token *string  `json:"token"` // of the new session, where there is one
	User  wireUser `json:"user"`
}

type wireStatus struct {
	Status bool `json:"status"`
}

// wireVerified is the answer to a verified address: without a user, since nobody is
// signed in by it.
type wireVerified struct {
	Status bool      `json:"status"`
	User   *wireUser `json:"user"`
}

type wireSuccess struct {
	Success bool `json:"success"`
}

type wireOK struct {
	OK bool `json:"ok"`
}
