package betterauth

import (
	"fmt"
	"net/netip"
	"strings"
)

// Client is what a session remembers of where it was made; both MAY be "".
type Client struct {
	IP        string // the peer's address, without port
	UserAgent string
}

// maxUserAgentBytes bounds what a session row keeps of a User-Agent.
const maxUserAgentBytes = 1024

// storedIP is how the library writes addresses: IPv4 as it is, IPv6 cut to its
// /64 (one subscriber's network) and written out in full, "" for anything else.
func storedIP(address string) string {
	ip, err := netip.ParseAddr(strings.TrimSpace(address))
	if err != nil || ip.Zone() != "" {
		return ""
	}
	ip = ip.Unmap()
	if ip.Is4() {
		return ip.String()
	}
	b := ip.As16()
	return fmt.Sprintf("%02x%02x:%02x%02x:%02x%02x:%02x%02x:0000:0000:0000:0000", b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7])
}

// storedUserAgent makes a header value fit for a text column: valid UTF-8, no
// NUL, bounded.
func storedUserAgent(ua string) string {
	if len(ua) > maxUserAgentBytes {
		ua = ua[:maxUserAgentBytes]
	}
	return strings.ReplaceAll(strings.ToValidUTF8(ua, "\uFFFD"), "\x00", "")
}
