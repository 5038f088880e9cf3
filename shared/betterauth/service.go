package betterauth

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/pulse-traces/pulse/shared/store"
)

// ownHostURL stands for the base URL where each request's host is ours. Nothing
// is there (RFC 6761).
const ownHostURL = "https://own-host.invalid"

// minSecretBytes is the least that a signing secret may have.
const minSecretBytes = 32

// Options are what a Service needs to know of its deployment.
type Options struct {
	// BaseURL is the public URL (BETTER_AUTH_URL). Its origin is trusted, and
	// https gives cookies the __Secure- prefix and the Secure attribute.
	BaseURL string
	// OwnHost trusts, in place of BaseURL, which is not read then, the host of
	// each request under https: for a server behind a gateway that hands over only
	// what was sent to one of its names.
	OwnHost bool
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
	ownHost         bool
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
	baseURL := o.BaseURL
	if o.OwnHost {
		baseURL = ownHostURL
	}
	origins, err := NewOrigins(baseURL, o.TrustedOrigins)
	if err != nil {
		faults = append(faults, fmt.Errorf("base URL: %w", err))
	}
	if o.OwnHost && err == nil {
		delete(origins.exact, origins.own)
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
		users: users, sessions: sessions, origins: origins, ownHost: o.OwnHost,
		secret: []byte(o.Secret), secure: strings.HasPrefix(origins.own, "https://"), skipOriginCheck: o.SkipOriginCheck,
		hasher: newHasher(o.HashesAtOnce), limiter: newLimiter(o.Limits, o.Now), now: o.Now,
	}, nil
}

// Origins gives the origins that the Service trusts on every request.
func (s *Service) Origins() *Origins { return s.origins }

// Own gives our origin as far as a request is concerned: the base URL's, or
// that of its host.
func (s *Service) Own(r *http.Request) string {
	if !s.ownHost {
		return s.origins.own
	}
	own, _, _ := parseOrigin("https://" + r.Host)
	return own
}

// time is now as rows hold it.
func (s *Service) time() time.Time { return s.now().UTC().Truncate(time.Millisecond) }
