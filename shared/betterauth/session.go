package betterauth

import (
	"context"
	"crypto/subtle"
	"net/http"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/fault"
)

// How long sessions live.
const (
	SessionLife = 7 * 24 * time.Hour // from sign-in, and again from each refresh
	BriefLife   = 24 * time.Hour     // of a session that is not to be remembered
	RefreshAge  = 24 * time.Hour     // a session older than this since its last refresh is extended when used
	FreshAge    = 24 * time.Hour     // a session younger than this since sign-in may do what wants a recent password
)

// Login is a live session and whose it is.
type Login struct {
	Session account.Session
	User    account.User
}

// CreateSession signs a user in. The caller has checked who it is.
func (s *Service) CreateSession(ctx context.Context, user account.UserID, from Client, remember bool) (account.Session, error) {
	now := s.time()
	life := SessionLife
	if !remember {
		life = BriefLife
	}
	ip, ua := storedIP(from.IP), storedUserAgent(from.UserAgent)
	session := account.Session{
		ID: NewID(), UserID: user, Token: NewID(), ExpiresAt: now.Add(life),
		IPAddress: &ip, UserAgent: &ua, CreatedAt: now, UpdatedAt: now,
	}
	if err := s.sessions.CreateSession(ctx, session); err != nil {
		return account.Session{}, err
	}
	return session, nil
}

// Session tells whose live session a Cookie header names; nil means nobody's.
// A session that was not refreshed for a day is extended, and one that has run
// out is deleted. The cookies MUST go into the answer, also beside an error:
// they renew the session's or clear dead ones.
func (s *Service) Session(ctx context.Context, cookieHeader string) (*Login, []*http.Cookie, error) {
	return s.session(ctx, cookieHeader, true)
}

// SessionAsIs is Session without extending it.
func (s *Service) SessionAsIs(ctx context.Context, cookieHeader string) (*Login, []*http.Cookie, error) {
	return s.session(ctx, cookieHeader, false)
}

func (s *Service) session(ctx context.Context, cookieHeader string, refresh bool) (*Login, []*http.Cookie, error) {
	token := s.SessionToken(cookieHeader)
	if token == "" {
		return nil, nil, nil // a forged cookie is left alone
	}
	session, user, err := s.sessions.SessionByToken(ctx, token)
	if fault.Is(err, fault.NotFound) {
		return nil, s.ClearCookies(cookieHeader), nil
	}
	if err != nil {
		return nil, nil, err
	}
	now := s.time()
	if session.ExpiresAt.Before(now) {
		return nil, s.ClearCookies(cookieHeader), s.sessions.DeleteSession(ctx, token)
	}
	login := &Login{Session: session, User: user}
	due := !session.ExpiresAt.Add(RefreshAge - SessionLife).After(now)
	if !refresh || !due || s.dontRemember(cookieHeader) {
		return login, nil, nil
	}
	login.Session.ExpiresAt, login.Session.UpdatedAt = now.Add(SessionLife), now
	err = s.sessions.ExtendSession(ctx, token, login.Session.ExpiresAt, now)
	if fault.Is(err, fault.NotFound) { // revoked meanwhile
		return nil, s.ClearCookies(cookieHeader), nil
	}
	if err != nil {
		return nil, nil, err
	}
	return login, s.SessionCookies(token, true, cookieHeader), nil
}

// CheckSession is Session for the edge's guard: a nil user means nobody.
func (s *Service) CheckSession(r *http.Request) (*account.User, []*http.Cookie, error) {
	login, set, err := s.Session(r.Context(), CookieHeader(r.Header))
	if login == nil || err != nil {
		return nil, set, err
	}
	return &login.User, set, nil
}

// CheckFresh gives ErrSessionNotFresh for a session whose sign-in is too long ago.
func (s *Service) CheckFresh(session account.Session) error {
	if s.now().Sub(session.CreatedAt) >= FreshAge {
		return ErrSessionNotFresh
	}
	return nil
}

// SignOut ends the session that a Cookie header names, if any, and gives the
// cookies that say so to the browser.
func (s *Service) SignOut(ctx context.Context, cookieHeader string) ([]*http.Cookie, error) {
	if token := s.SessionToken(cookieHeader); token != "" {
		if err := s.sessions.DeleteSession(ctx, token); err != nil {
			return nil, err
		}
	}
	return s.ClearCookies(cookieHeader), nil
}

// LiveSessions gives a user's sessions that have not run out, oldest first.
func (s *Service) LiveSessions(ctx context.Context, user account.UserID) ([]account.Session, error) {
	all, err := s.sessions.UserSessions(ctx, user)
	if err != nil {
		return nil, err
	}
	now := s.now()
	live := make([]account.Session, 0, len(all))
	for _, session := range all {
		if session.ExpiresAt.After(now) {
			live = append(live, session)
		}
	}
	return live, nil
}

// RevokeSession ends the user's session with token; a token of nobody, or of
// somebody else, is no error and ends nothing.
func (s *Service) RevokeSession(ctx context.Context, user account.UserID, token string) error {
	all, err := s.sessions.UserSessions(ctx, user)
	if err != nil {
		return err
	}
	for _, session := range all {
		if subtle.ConstantTimeCompare([]byte(session.Token), []byte(token)) == 1 {
			return s.sessions.DeleteSession(ctx, session.Token)
		}
	}
	return nil
}

// RevokeSessions ends all of a user's sessions but the one with token keep; ""
// keeps none.
func (s *Service) RevokeSessions(ctx context.Context, user account.UserID, keep string) error {
	return s.sessions.DeleteUserSessions(ctx, user, keep)
}
