package betterauth

import (
	"context"
	"net/http"
	"strings"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/fault"
)

// CheckCredentials tells who an e-mail and password belong to. An unknown
// user, one without a password and a wrong password are one error,
// ErrInvalidEmailOrPassword, and take the same time. Too many wrong passwords
// for one e-mail are refused for a while, whatever addresses they come from.
func (s *Service) CheckCredentials(ctx context.Context, email, password string) (account.User, error) {
	if !ValidEmail(email) {
		return account.User{}, ErrInvalidEmail
	}
	if err := checkPasswordMax(password); err != nil {
		return account.User{}, err
	}
	email = strings.ToLower(email)
	try, err := s.passwordTry(email)
	if err != nil {
		return account.User{}, err
	}
	user, err := s.users.UserByEmail(ctx, email)
	if fault.Is(err, fault.NotFound) {
		return account.User{}, s.burnHash(ctx, password)
	}
	if err != nil {
		return account.User{}, err
	}
	stored, err := s.passwordHash(ctx, user.ID)
	if fault.Is(err, fault.NotFound) {
		return account.User{}, s.burnHash(ctx, password)
	}
	if err != nil {
		return account.User{}, err
	}
	ok, err := s.VerifyPassword(ctx, password, stored)
	if err != nil {
		return account.User{}, err
	}
	if !ok {
		return account.User{}, ErrInvalidEmailOrPassword
	}
	s.limiter.forget(try)
	return user, nil
}

// burnHash spends the time that a wrong password takes.
func (s *Service) burnHash(ctx context.Context, password string) error {
	if _, err := s.HashPassword(ctx, password); err != nil {
		return err
	}
	return ErrInvalidEmailOrPassword
}

// passwordHash gives a user's stored hash; NotFound if there is no credential
// account or it has no password.
func (s *Service) passwordHash(ctx context.Context, user account.UserID) (string, error) {
	credential, err := s.users.Credential(ctx, user)
	if err != nil {
		return "", err
	}
	if credential.PasswordHash == nil || *credential.PasswordHash == "" {
		return "", fault.New(fault.NotFound, "No password")
	}
	return *credential.PasswordHash, nil
}

// SignIn checks an e-mail and password and makes a session.
func (s *Service) SignIn(ctx context.Context, email, password string, from Client, remember bool) (Login, error) {
	user, err := s.CheckCredentials(ctx, email, password)
	if err != nil {
		return Login{}, err
	}
	session, err := s.CreateSession(ctx, user.ID, from, remember)
	if err != nil {
		return Login{}, err
	}
	return Login{Session: session, User: user}, nil
}

// CheckPassword confirms the password of somebody who is signed in:
// ErrInvalidPassword if it is wrong. It counts as a try at the account.
func (s *Service) CheckPassword(ctx context.Context, user account.User, password string) error {
	if err := checkPasswordMax(password); err != nil {
		return err
	}
	try, err := s.passwordTry(user.Email)
	if err != nil {
		return err
	}
	stored, err := s.passwordHash(ctx, user.ID)
	if fault.Is(err, fault.NotFound) {
		return ErrCredentialAccountNotFound
	}
	if err != nil {
		return err
	}
	ok, err := s.VerifyPassword(ctx, password, stored)
	if err != nil {
		return err
	}
	if !ok {
		return ErrInvalidPassword
	}
	s.limiter.forget(try)
	return nil
}

// PasswordChange is the argument of ChangePassword.
type PasswordChange struct {
	Current, New string
	// RevokeSessions ends every session of the user and makes a new one.
	RevokeSessions bool
	From           Client // of the new session
	CookieHeader   string // of the request
}

// ChangePassword sets a new password after it has checked the current one.
// With RevokeSessions it gives the new session and its cookies, else nil.
func (s *Service) ChangePassword(ctx context.Context, user account.User, c PasswordChange) (*account.Session, []*http.Cookie, error) {
	if err := CheckNewPassword(c.New); err != nil {
		return nil, nil, err
	}
	if err := s.CheckPassword(ctx, user, c.Current); err != nil {
		return nil, nil, err
	}
	hash, err := s.HashPassword(ctx, c.New)
	if err != nil {
		return nil, nil, err
	}
	if err := s.users.SetPassword(ctx, user.ID, hash, s.time()); err != nil {
		return nil, nil, err
	}
	if !c.RevokeSessions {
		return nil, nil, nil
	}
	if err := s.sessions.DeleteUserSessions(ctx, user.ID, ""); err != nil {
		return nil, nil, err
	}
	remember := !s.dontRemember(c.CookieHeader)
	session, err := s.CreateSession(ctx, user.ID, c.From, remember)
	if err != nil {
		return nil, nil, err
	}
	return &session, s.SessionCookies(session.Token, remember, c.CookieHeader), nil
}

// UpdateUser stores a user's name and image as given, with a new UpdatedAt, and
// gives the cookies that renew the browser's copy of the session.
func (s *Service) UpdateUser(ctx context.Context, login Login, cookieHeader string) ([]*http.Cookie, error) {
	login.User.UpdatedAt = s.time()
	if err := s.users.UpdateUser(ctx, login.User); err != nil {
		return nil, err
	}
	return s.SessionCookies(login.Session.Token, !s.dontRemember(cookieHeader), cookieHeader), nil
}

// Credential gives the e-mail and password account of a user, NotFound if there
// is none.
func (s *Service) Credential(ctx context.Context, user account.UserID) (account.Credential, error) {
	return s.users.Credential(ctx, user)
}
