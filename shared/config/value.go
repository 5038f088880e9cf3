package config

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// value is one field of a Config seen as text.
type value interface {
	set(text string) (complaint string) // "" if text is taken; holds no secret
	String() string                     // as set takes it; secrets say only that they are there
	accepts() string                    // what set takes, for the documentation (Markdown)
}

type choice[T ~string] struct {
	p      *T
	values []T
	// refuse words the error for a value that is none of them.
	refuse func(text string) (complaint string)
}

func oneOf[T ~string](p *T, values ...T) *choice[T] {
	return &choice[T]{p: p, values: values, refuse: func(string) string {
		quoted := make([]string, len(values))
		for i, v := range values {
			quoted[i] = strconv.Quote(string(v))
		}
		return "Invalid option: expected one of " + strings.Join(quoted, "|")
	}}
}

func (c *choice[T]) set(text string) (complaint string) {
	if !slices.Contains(c.values, T(text)) {
		return c.refuse(text)
	}
	*c.p = T(text)
	return ""
}

func (c *choice[T]) String() string { return string(*c.p) }

func (c *choice[T]) accepts() string {
	quoted := make([]string, len(c.values))
	for i, v := range c.values {
		quoted[i] = "`" + string(v) + "`"
	}
	return strings.Join(quoted, ", ")
}

// integer is a number variable. It reads text as JavaScript's Number does,
// since the earlier service did, and drops a fraction.
type integer[T ~int | ~int64] struct {
	p        *T
	min, max int64
	unit     T // what 1 stands for; a time.Duration for times, else 1
	unitName string
}

func whole[T ~int | ~int64](p *T, minimum, maximum int64, unitName string) *integer[T] {
	return &integer[T]{p: p, min: minimum, max: maximum, unit: 1, unitName: unitName}
}

func duration(p *time.Duration, minimum, maximum int64, unit time.Duration, unitName string) *integer[time.Duration] {
	return &integer[time.Duration]{p: p, min: minimum, max: maximum, unit: unit, unitName: unitName}
}

func (n *integer[T]) set(text string) (complaint string) {
	f, ok := jsNumber(text)
	if !ok {
		return "Invalid input: expected number, received NaN"
	}
	f = math.Trunc(f)
	if f < float64(n.min) {
		return fmt.Sprintf("Too small: expected number to be >=%d", n.min)
	}
	if f > float64(n.max) {
		return fmt.Sprintf("Too big: expected number to be <=%d", n.max)
	}
	*n.p = T(f) * n.unit
	return ""
}

func (n *integer[T]) String() string { return strconv.FormatInt(int64(*n.p/n.unit), 10) }

func (n *integer[T]) accepts() string {
	s := fmt.Sprintf("%d – %d", n.min, n.max)
	if n.max == math.MaxInt32 {
		s = fmt.Sprintf("≥ %d", n.min)
	}
	return strings.TrimSpace(s + " " + n.unitName)
}

// jsNumber is JavaScript's Number(text): blanks around it, decimals, exponents,
// 0x, 0o, 0b and Infinity are taken, "" is 0. NaN is not ok.
func jsNumber(text string) (f float64, ok bool) {
	text = strings.TrimSpace(text)
	if text == "" {
		return 0, true
	}
	if len(text) > 2 && text[0] == '0' && strings.ContainsRune("xXoObB", rune(text[1])) && text[2] != '_' {
		n, err := strconv.ParseUint(text, 0, 63)
		return float64(n), err == nil && !strings.Contains(text, "_")
	}
	switch strings.TrimLeft(text, "+-") {
	case "Infinity":
		text = strings.Replace(text, "Infinity", "Inf", 1)
	default:
		// Go's own spellings: inf, nan, hexadecimal floats, digits with _.
		if strings.ContainsAny(text, "xXpP_iInN") {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil || errors.Is(err, strconv.ErrRange)
}

type path struct {
	p *string
	l *loader
}

func (v path) set(text string) (complaint string) {
	if text == "~" || strings.HasPrefix(text, "~/") {
		home := v.l.homeDir()
		if home == "" {
			return "~ cannot be used: the home directory is not known"
		}
		text = filepath.Join(home, text[1:])
	}
	if !filepath.IsAbs(text) {
		text = filepath.Join(v.l.defaults.WorkDir, text)
	}
	*v.p = filepath.Clean(text)
	return ""
}

func (v path) String() string { return *v.p }

func (path) accepts() string { return "path" }

type text struct {
	p    *string
	what string
}

func (v text) set(s string) (complaint string) {
	*v.p = s
	return ""
}

func (v text) String() string { return *v.p }

func (v text) accepts() string { return v.what }

type onOff struct{ p *bool }

func (v onOff) set(text string) (complaint string) {
	switch strings.ToLower(text) {
	case "on", "true", "1":
		*v.p = true
	case "off", "false", "0":
		*v.p = false
	default:
		return `Invalid option: expected one of "on"|"off"`
	}
	return ""
}

func (v onOff) String() string {
	if *v.p {
		return "on"
	}
	return "off"
}

func (onOff) accepts() string { return "`on`, `off`" }

// secret takes any text of at least min characters; check, if set, has a say.
type secret struct {
	p     *Secret
	name  string
	min   int
	check func(text string) (complaint string)
}

func (v secret) set(text string) (complaint string) {
	if utf8.RuneCountInString(text) < v.min {
		return fmt.Sprintf("%s must be at least %d characters", v.name, v.min)
	}
	if v.check != nil {
		if complaint := v.check(text); complaint != "" {
			return complaint
		}
	}
	*v.p = Secret(text)
	return ""
}

func (v secret) String() string { return v.p.String() }

func (v secret) accepts() string {
	if v.min > 0 {
		return fmt.Sprintf("≥ %d characters", v.min)
	}
	return "text"
}

// cipherKeyChars is how many characters of ENCRYPTION_KEY become the key of
// AES-256; they must be as many bytes.
const cipherKeyChars = 32

func checkEncryptionKey(text string) (complaint string) {
	for i, r := range []rune(text)[:cipherKeyChars] {
		if r >= utf8.RuneSelf {
			return fmt.Sprintf("%s: character %d is not ASCII; the first %d must be", encryptionKeyName, i+1, cipherKeyChars)
		}
	}
	return ""
}

// publicURL is where the service is as browsers see it: an origin, since the
// paths below it are fixed.
type publicURL struct{ p *string }

func (v publicURL) set(text string) (complaint string) {
	u, ok := parseHTTP(text)
	if !ok || (u.Path != "" && u.Path != "/") {
		return "Invalid URL: expected http://host[:port] or https://host[:port], without a path"
	}
	*v.p = u.Scheme + "://" + u.Host
	return ""
}

func (v publicURL) String() string { return *v.p }

func (publicURL) accepts() string { return "`http://` or `https://` URL without a path" }

// httpURL is where another service is.
type httpURL struct{ p *string }

func (v httpURL) set(text string) (complaint string) {
	if _, ok := parseHTTP(text); !ok {
		return "Invalid URL: expected http://host[:port][/path] or https://host[:port][/path]"
	}
	*v.p = strings.TrimRight(text, "/")
	return ""
}

func (v httpURL) String() string { return *v.p }

func (httpURL) accepts() string { return "`http://` or `https://` URL" }

// parseHTTP gives the parts of a URL that holds no password and no query.
func parseHTTP(text string) (*url.URL, bool) {
	u, err := url.Parse(text) // its error would quote the text, which may hold a password
	return u, err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == "" && validPort(u)
}

// validPort reports whether a URL's port can be one, or is left out.
func validPort(u *url.URL) bool {
	if u.Port() == "" {
		return true
	}
	n, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && n > 0
}

// walURL says what the durable log is.
type walURL struct{ l *loader }

func (v walURL) set(raw string) (complaint string) {
	const expected = "Invalid WAL_URL: expected file:///directory, sqs://host/account/name-, sqs:// or nats://host:port"
	u, err := url.Parse(raw) // its error would quote the text, which may hold a password
	if err != nil || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" || !validPort(u) {
		return expected
	}
	c := &v.l.cfg
	switch u.Scheme {
	case "file":
		if u.Host != "" { // also file://data, which is no relative path
			return expected
		}
		c.WALKind = WALFile
		if u.Path != "" {
			c.TraceWALDir, c.SpanWALDir = filepath.Join(u.Path, "wal"), filepath.Join(u.Path, "wal-spans")
		}
	case "sqs":
		if u.User != nil || (u.Host == "") != (u.Path == "") {
			return expected
		}
		c.WALKind = WALSQS
		if u.Host != "" {
			c.TraceQueueURLPrefix, c.SpanQueueURLPrefix = "https://"+u.Host+u.Path+"trace-", "https://"+u.Host+u.Path+"span-"
		}
	case "nats", "tls":
		if u.Host == "" || strings.Trim(u.Path, "/") != "" {
			return expected
		}
		c.WALKind = WALNATS
	default:
		return expected
	}
	c.WALURL = Secret(raw)
	return ""
}

// String shows what a URL without credentials says.
func (v walURL) String() string {
	u, err := url.Parse(v.l.cfg.WALURL.Reveal())
	if err != nil || v.l.cfg.WALURL == "" {
		return ""
	}
	if u.User != nil {
		u.User = url.User(Secret("x").String())
	}
	return u.String()
}

func (walURL) accepts() string { return "`file:`, `sqs:`, `nats:` or `tls:` URL" }

// origins is a comma list of exact origins, kept as browsers send them.
type origins struct{ p *[]string }

func (v origins) set(text string) (complaint string) {
	var list, wrong []string
	for entry := range strings.SplitSeq(text, ",") {
		entry = strings.TrimSpace(entry)
		if entry == "" || entry == "*" {
			continue
		}
		origin, ok := parseOrigin(entry)
		if !ok {
			wrong = append(wrong, strconv.Quote(withoutUserinfo(entry)))
			continue
		}
		if !slices.Contains(list, origin) {
			list = append(list, origin)
		}
	}
	const expected = ": expected scheme://host[:port] without a path"
	switch len(wrong) {
	case 0:
	case 1:
		return wrong[0] + " is not an origin" + expected
	default:
		return strings.Join(wrong, ", ") + " are not origins" + expected
	}
	*v.p = list
	return ""
}

// parseOrigin gives an origin as the Origin header has it: lower case, without
// the scheme's own port.
func parseOrigin(s string) (string, bool) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || (u.Path != "" && u.Path != "/") {
		return "", false
	}
	if u.Hostname() == "*" || strings.Contains(u.Host, "*") {
		return "", false
	}
	host := strings.ToLower(u.Host)
	switch u.Scheme {
	case "http":
		host = strings.TrimSuffix(host, ":80")
	case "https":
		host = strings.TrimSuffix(host, ":443")
	}
	return u.Scheme + "://" + host, true
}

// withoutUserinfo cuts what stands before an @.
func withoutUserinfo(s string) string { return s[strings.LastIndexByte(s, '@')+1:] }

func (v origins) String() string { return strings.Join(*v.p, ",") }

func (origins) accepts() string { return "comma list of origins" }

type logLevel struct{ p *slog.Level }

func (v logLevel) set(text string) (complaint string) {
	switch text = strings.ToLower(text); text {
	case "debug", "info", "warn", "error":
		if v.p.UnmarshalText([]byte(text)) == nil {
			return ""
		}
	}
	return `Invalid option: expected one of "debug"|"info"|"warn"|"error"`
}

func (v logLevel) String() string { return strings.ToLower(v.p.String()) }

func (logLevel) accepts() string { return "`debug`, `info`, `warn`, `error`" }
