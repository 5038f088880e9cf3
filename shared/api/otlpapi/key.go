package otlpapi

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"github.com/pulse-traces/pulse/shared/account"
)

// keyHeaders are where exporters put a key beside Authorization: LangSmith's,
// gateways', LangWatch's.
var keyHeaders = []string{"X-Api-Key", "Api-Key", "X-Auth-Token"}

// findKey gives the one API key of a request, wherever its exporter puts it:
// what follows the scheme Bearer in Authorization, either part of Basic, all of
// it where there is no scheme, or one of keyHeaders. Where several are sent, the
// one that looks like a key of Pulse counts, for some exporters send a second
// name beside their key. false if there is none, or no telling which it is.
func findKey(r *http.Request) (string, bool) {
	var found []string
	for _, value := range r.Header.Values("Authorization") {
		keys, ok := authorization(value)
		if !ok {
			return "", false
		}
		found = append(found, keys...)
	}
	for _, name := range keyHeaders {
		for _, value := range r.Header.Values(name) {
			if value = strings.TrimSpace(value); value != "" {
				found = append(found, value)
			}
		}
	}
	slices.Sort(found)
	found = slices.Compact(found)
	ours := slices.DeleteFunc(slices.Clone(found), func(key string) bool { return !strings.HasPrefix(key, account.KeyPrefix) })
	if len(ours) > 0 {
		found = ours
	}
	if len(found) != 1 || strings.ContainsAny(found[0], " ,\t") {
		return "", false
	}
	return found[0], true
}

// authorization gives what may be a key in a value of the Authorization header.
func authorization(value string) (keys []string, ok bool) {
	value = strings.TrimSpace(value)
	// Some exporters take percent-encoded headers from the environment as they are.
	if head, rest, ok := strings.Cut(value, "%20"); ok && !strings.Contains(value, " ") {
		value = head + " " + rest
	}
	scheme, rest, hasScheme := strings.Cut(value, " ")
	rest = strings.TrimSpace(rest)
	switch {
	case value == "":
		return nil, true
	case !hasScheme:
		return []string{value}, !strings.EqualFold(scheme, "bearer") && !strings.EqualFold(scheme, "basic")
	case strings.EqualFold(scheme, "bearer"):
		return []string{rest}, true
	case strings.EqualFold(scheme, "basic"):
		decoded, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(rest, "="))
		user, password, ok := strings.Cut(string(decoded), ":")
		for _, part := range []string{user, password} {
			if part != "" {
				keys = append(keys, part)
			}
		}
		return keys, ok && err == nil
	}
	return nil, false
}
