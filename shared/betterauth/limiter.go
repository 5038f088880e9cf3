package betterauth

import (
	"container/list"
	"crypto/sha256"
	"strings"
	"sync"
	"time"
)

// LimitRule allows Max requests until Window has passed since the last one that
// was allowed. A zero Max allows all.
type LimitRule struct {
	Max    int
	Window time.Duration
}

// Limits are the rules of a Limiter. The zero value refuses nothing.
type Limits struct {
	Credentials LimitRule // per address and route: sign-in, sign-up, change-password, change-email
	Mail        LimitRule // per address and route: what would send an e-mail
	Other       LimitRule // per address and route: everything else
	Failures    LimitRule // per account: wrong passwords, from whatever addresses
	MaxKeys     int       // how many counters are kept; the longest unused go first; 0 means 50,000
}

// ProductionLimits are the library's numbers, which it applies in production
// only, and a limit per account, which it lacks.
func ProductionLimits() Limits {
	return Limits{
		Credentials: LimitRule{Max: 3, Window: 10 * time.Second},
		Mail:        LimitRule{Max: 3, Window: time.Minute},
		Other:       LimitRule{Max: 100, Window: 10 * time.Second},
		Failures:    LimitRule{Max: 10, Window: time.Minute},
	}
}

// DevelopmentLimits leave room for people, page reloads and local test suites,
// and still none for guessing passwords.
func DevelopmentLimits() Limits {
	return Limits{
		Credentials: LimitRule{Max: 20, Window: 10 * time.Second},
		Mail:        LimitRule{Max: 20, Window: time.Minute},
		Other:       LimitRule{Max: 1000, Window: 10 * time.Second},
		Failures:    LimitRule{Max: 10, Window: time.Minute},
	}
}

// Routes that share their counters with routes outside /api/auth.
const (
	PathSignUp = "/sign-up/email" // POST /dashboard/api/signup counts as one
	PathSignIn = "/sign-in/email" // and the local login as one of these
)

// defaultMaxLimitKeys takes some 10 MB when full.
const defaultMaxLimitKeys = 50_000

// limiter counts requests in the memory of this process. Behind several
// processes each has its own counters.
type limiter struct {
	limits Limits
	now    func() time.Time

	mu       sync.Mutex
	counters map[limitKey]*list.Element // of *counter
	recent   *list.List                 // most recently allowed first
}

type limitKey struct{ who, what string }

type counter struct {
	key   limitKey
	count int
	last  time.Time // when a request was last allowed
}

func newLimiter(limits Limits, now func() time.Time) *limiter {
	if limits.MaxKeys <= 0 {
		limits.MaxKeys = defaultMaxLimitKeys
	}
	return &limiter{limits: limits, now: now, counters: map[limitKey]*list.Element{}, recent: list.New()}
}

// rule gives the rule of a path below /api/auth, as the library has them.
func (l *limiter) rule(path string) LimitRule {
	for _, prefix := range [...]string{"/sign-in", "/sign-up", "/change-password", "/change-email"} {
		if strings.HasPrefix(path, prefix) {
			return l.limits.Credentials
		}
	}
	if path == "/request-password-reset" || path == "/send-verification-email" || strings.HasPrefix(path, "/forget-password") {
		return l.limits.Mail
	}
	return l.limits.Other
}

// take counts one request, or refuses it and says how long to wait. What is
// refused is not counted.
func (l *limiter) take(key limitKey, rule LimitRule) error {
	if rule.Max <= 0 {
		return nil
	}
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.counters[key]
	if !ok {
		if l.recent.Len() >= l.limits.MaxKeys {
			l.dropLocked(l.recent.Back())
		}
		l.counters[key] = l.recent.PushFront(&counter{key: key, count: 1, last: now})
		return nil
	}
	c := e.Value.(*counter)
	// A clock that was set back must not lock anybody out for long.
	if idle := now.Sub(c.last); idle >= rule.Window || idle < 0 {
		c.count = 0
	} else if c.count >= rule.Max {
		return errTooManyRequests(rule.Window - idle)
	}
	c.count++
	c.last = now
	l.recent.MoveToFront(e)
	return nil
}

func (l *limiter) dropLocked(e *list.Element) {
	delete(l.counters, e.Value.(*counter).key)
	l.recent.Remove(e)
}

func (l *limiter) forget(key limitKey) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e, ok := l.counters[key]; ok {
		l.dropLocked(e)
	}
}

// Allow counts a request from address (a client's IP without port) to a path
// below /api/auth, or refuses it with a rate-limited Error. path MUST come from
// a fixed list, not from the request, or a client could pick a fresh counter.
// Addresses of one IPv6 /64 count as one.
func (s *Service) Allow(address, path string) error {
	who := storedIP(address)
	if who == "" {
		who = "unknown"
	}
	return s.limiter.take(limitKey{who: who, what: path}, s.limiter.rule(path))
}

// passwordTry counts a try at an account's password before it is checked, so
// that tries at once cannot slip past the limit. Whether the account exists
// makes no difference. The caller forgets the key when the password was right.
func (s *Service) passwordTry(email string) (limitKey, error) {
	sum := sha256.Sum256([]byte(email)) // bounds the key, and keeps e-mails out of a memory dump
	key := limitKey{who: string(sum[:]), what: "password"}
	return key, s.limiter.take(key, s.limiter.limits.Failures)
}
