package betterauth

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pulse-traces/pulse/shared/store"
)

// minSecretBytes is the least that a signing secret may have.
const minSecretBytes = 32

// Options are what a Service needs to know of its deployment.
type Options struct {
	// BaseURL is the public URL (BETTER_AUTH_URL). Its origin is trusted, and
	// https gives cookies the __Secure- prefix and the Secure attribute.
	BaseURL string
	// TrustedOrigins are further origins of ours; see NewOrigins.
	TrustedOrigins []string
	// Secret signs the cookies (BETTER_AUTH_SECRET), at least 32 bytes.
	Secret string
	// SkipOriginCheck turns CheckOrigin off: for test suites that send cookies
	// without an Origin (NODE_ENV=test), never else.
	SkipOriginCheck bool
	// Limits are the rate limits; the zero value has none.
	Limits Limits
	// HashesAtOnce bounds how many passwords are hashed at once, 34 MB each; 0
	// means one per core, at most four.
	HashesAtOnce int
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Service is the core. It is safe for use by many goroutines.
type Service struct {
	users           store.UserStore
	sessions        store.SessionStore
	origins         *Origins
	secret          []byte
	secure          bool
	skipOriginCheck bool
	hasher          *hasher
	limiter         *limiter
	now             func() time.Time
}

// New makes a Service. It fails if the base URL is none, or the secret too short.
func New(users store.UserStore, sessions store.SessionStore, o Options) (*Service, error) {
	var faults []error
	origins, err := NewOrigins(o.BaseURL, o.TrustedOrigins)
	if err != nil {
		faults = append(faults, fmt.Errorf("base URL: %w", err))
	}
	if len(o.Secret) < minSecretBytes {
		faults = append(faults, fmt.Errorf("secret must be at least %d bytes", minSecretBytes))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Service{
		users: users, sessions: sessions, origins: origins,
		secret: []byte(o.Secret), secure: strings.HasPrefix(origins.own, "https://"), skipOriginCheck: o.SkipOriginCheck,
		hasher: newHasher(o.HashesAtOnce), limiter: newLimiter(o.Limits, o.Now), now: o.Now,
	}, nil
}

// Origins gives the origins that the Service trusts.
func (s *Service) Origins() *Origins { return s.origins }

// time is now as rows hold it.
func (s *Service) time() time.Time { return s.now().UTC().Truncate(time.Millisecond) }
