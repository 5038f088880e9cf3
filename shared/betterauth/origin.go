package betterauth

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"github.com/pulse-traces/pulse/shared/fault"
)

// Origins says which web origins are our own.
type Origins struct {
	own      string // the base URL's
	exact    map[string]bool
	patterns []string
	ignored  []string
}

// NewOrigins trusts the origin of baseURL (BETTER_AUTH_URL) and the listed
// origins (PULSE_ALLOWED_ORIGINS). An entry is an exact origin as browsers send
// it (scheme, lower-case host, port only if it is not the scheme's own) or a
// pattern of "*" (any text) and "?" (one character), against the host and port
// or, with "://", the whole origin. An entry that would trust every host is
// ignored, and so is one that no origin can equal: see Ignored.
func NewOrigins(baseURL string, listed []string) (*Origins, error) {
	own, _, ok := parseOrigin(baseURL)
	if !ok {
		return nil, fmt.Errorf("%q is not an http or https URL", baseURL)
	}
	o := &Origins{own: own, exact: map[string]bool{own: true}}
	for _, entry := range listed {
		entry = strings.TrimSpace(entry)
		origin, _, ok := parseOrigin(entry)
		switch {
		case entry == "":
		case strings.ContainsAny(entry, "*?"):
			if trustsAll(entry) {
				o.ignored = append(o.ignored, entry)
			} else {
				o.patterns = append(o.patterns, entry)
			}
		case ok && origin == entry:
			o.exact[entry] = true
		default:
			o.ignored = append(o.ignored, entry)
		}
	}
	return o, nil
}

// Own gives the base URL's origin.
func (o *Origins) Own() string { return o.own }

// Ignored lists the entries that count for nothing, for a warning at start.
func (o *Origins) Ignored() []string { return o.ignored }

// trustsAll reports whether a pattern leaves the host wholly open.
func trustsAll(pattern string) bool {
	if _, rest, ok := strings.Cut(pattern, "://"); ok {
		pattern = rest
	}
	host, _, _ := strings.Cut(pattern, ":")
	return strings.Trim(host, "*?.") == ""
}

// Trusted reports whether a URL's origin is one of ours.
func (o *Origins) Trusted(rawURL string) bool {
	origin, host, ok := parseOrigin(rawURL)
	if !ok {
		return false
	}
	if o.exact[origin] {
		return true
	}
	for _, p := range o.patterns {
		subject, patternHost := host, p
		if _, rest, ok := strings.Cut(p, "://"); ok {
			subject, patternHost = origin, rest
		}
		if glob(p, subject) && addressRange(patternHost, host) {
			return true
		}
	}
	return false
}

// numericPattern is a host pattern that is meant as a range of IPv4 addresses.
var numericPattern = regexp.MustCompile(`^[*?.]*[0-9][0-9*?.]*$`)

// addressRange keeps 192.168.* from trusting 192.168.example.com.
func addressRange(pattern, host string) bool {
	patternHost, _, _ := strings.Cut(pattern, ":")
	if !numericPattern.MatchString(patternHost) {
		return true
	}
	hostname, _, _ := strings.Cut(host, ":")
	ip, err := netip.ParseAddr(hostname)
	return err == nil && ip.Is4()
}

// parseOrigin gives a URL's origin as browsers write it, and its host[:port].
func parseOrigin(rawURL string) (origin, host string, ok bool) {
	u, err := url.Parse(rawURL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		return "", "", false
	}
	host = strings.ToLower(u.Hostname())
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port := u.Port(); port != "" && (u.Scheme != "http" || port != "80") && (u.Scheme != "https" || port != "443") {
		host += ":" + port
	}
	return u.Scheme + "://" + host, host, true
}

// glob matches "*" against any text and "?" against one byte. It goes back to
// the last star only, so its cost is bounded by the product of the lengths.
func glob(pattern, s string) bool {
	star, mark := -1, 0
	p, i := 0, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// CheckOrigin closes cross-site request forgery on a request that writes. A
// request with any Cookie header must come from a page of ours. One without
// passes, except to sign-in and sign-up (signIn), which a hostile page could
// use to sign a visitor in as somebody else: there a browser's own headers, if
// any is present, must tell a page of ours. It passes everything if the
// Service was made with SkipOriginCheck.
func (s *Service) CheckOrigin(r *http.Request, signIn bool) error {
	if s.skipOriginCheck {
		return nil
	}
	h := r.Header
	if _, ok := h["Cookie"]; ok {
		return s.originTrusted(r)
	}
	if !signIn {
		return nil
	}
	site, mode := h.Get("Sec-Fetch-Site"), h.Get("Sec-Fetch-Mode")
	if site == "cross-site" && mode == "navigate" {
		return ErrCrossSiteNavigation
	}
	for _, name := range [...]string{"Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest", "Origin", "Referer"} {
		if strings.TrimSpace(h.Get(name)) != "" {
			return s.originTrusted(r)
		}
	}
	return nil // no browser: curl, the CLI, a test
}

func (s *Service) originTrusted(r *http.Request) error {
	origin := r.Header.Get("Origin")
	switch {
	case origin == "null" && r.Header.Get("Sec-Fetch-Site") == "same-origin":
		// A page with a no-referrer policy posting to its own host.
		scheme, _, _ := strings.Cut(s.Own(r), "://")
		origin = scheme + "://" + r.Host
	case origin == "":
		origin = r.Header.Get("Referer")
	}
	if origin == "" || origin == "null" {
		return ErrMissingOrNullOrigin
	}
	if !s.trusted(r, origin) {
		return ErrInvalidOrigin
	}
	return nil
}

// trusted reports whether a URL's origin is one of ours as far as a request is
// concerned.
func (s *Service) trusted(r *http.Request, rawURL string) bool {
	if origin, _, ok := parseOrigin(rawURL); ok && s.ownHost && origin == s.Own(r) {
		return true
	}
	return s.origins.Trusted(rawURL)
}

// redirectFields are the fields that may send a browser somewhere, with what
// the library calls them.
var redirectFields = map[string]struct{ label, code string }{
	"callbackURL":        {"callbackURL", "INVALID_CALLBACK_URL"},
	"redirectTo":         {"redirectURL", "INVALID_REDIRECT_URL"},
	"errorCallbackURL":   {"errorCallbackURL", "INVALID_ERROR_CALLBACK_URL"},
	"newUserCallbackURL": {"newUserCallbackURL", "INVALID_NEW_USER_CALLBACK_URL"},
}

// CheckRedirect refuses a URL that would lead a browser off our origins, of
// which r's may be one. field
// is callbackURL, redirectTo, errorCallbackURL or newUserCallbackURL. "" is no
// URL and passes. It holds whatever SkipOriginCheck says.
func (s *Service) CheckRedirect(r *http.Request, field, target string) error {
	if target == "" || safePath(target) || (!strings.HasPrefix(target, "/") && s.trusted(r, target)) {
		return nil
	}
	f := redirectFields[field]
	return NewError(fault.Forbidden, f.code, "Invalid "+f.label)
}

// safePath reports whether target is a path on this host to every browser and
// router: one slash first, no backslash, control character or encoded slash.
func safePath(target string) bool {
	if !strings.HasPrefix(target, "/") || strings.HasPrefix(target, "//") || strings.Contains(target, `\`) {
		return false
	}
	if strings.ContainsFunc(target, func(r rune) bool { return r < 0x20 || (r >= 0x7F && r <= 0x9F) }) {
		return false
	}
	path := target
	if end := strings.IndexAny(target, "?#"); end >= 0 {
		path = target[:end]
	}
	path = strings.ToLower(path)
	return !strings.Contains(path, "%2f") && !strings.Contains(path, "%5c")
}

// CheckRedirects checks every redirect field of a body, and of the query the
// one that counts there.
func (s *Service) CheckRedirects(r *http.Request, body Body, queryCallbackURL string) error {
	for _, field := range [...]string{"callbackURL", "redirectTo", "errorCallbackURL", "newUserCallbackURL"} {
		target, kind := body.text(field)
		if field == "callbackURL" && !body.Truthy(field) {
			target, kind = queryCallbackURL, kindString
		}
		if kind != kindString && body.Truthy(field) {
			return NewError(fault.Invalid, "", "Invalid "+redirectFields[field].label+": expected a string")
		}
		if err := s.CheckRedirect(r, field, target); err != nil {
			return err
		}
	}
	return nil
}
