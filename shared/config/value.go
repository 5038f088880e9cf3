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
	Set(text string) error // the error is for the operator and holds no secret
	String() string        // as Set takes it; secrets say only that they are there
	accepts() string       // what Set takes, for the documentation (Markdown)
}

type choice[T ~string] struct {
	p      *T
	values []T
	// refuse words the error for a value that is none of them.
	refuse func(text string) error
}

func oneOf[T ~string](p *T, values ...T) *choice[T] {
	return &choice[T]{p: p, values: values, refuse: func(string) error {
		quoted := make([]string, len(values))
		for i, v := range values {
			quoted[i] = strconv.Quote(string(v))
		}
		return errors.New("Invalid option: expected one of " + strings.Join(quoted, "|"))
	}}
}

func (c *choice[T]) Set(text string) error {
	if !slices.Contains(c.values, T(text)) {
		return c.refuse(text)
	}
	*c.p = T(text)
	return nil
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

func (n *integer[T]) Set(text string) error {
	f, ok := jsNumber(text)
	if !ok {
		return errors.New("Invalid input: expected number, received NaN")
	}
	f = math.Trunc(f)
	if f < float64(n.min) {
		return fmt.Errorf("Too small: expected number to be >=%d", n.min)
	}
	if f > float64(n.max) {
		return fmt.Errorf("Too big: expected number to be <=%d", n.max)
	}
	*n.p = T(f) * n.unit
	return nil
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

func (v path) Set(text string) error {
	if text == "~" || strings.HasPrefix(text, "~/") {
		home := v.l.homeDir()
		if home == "" {
			return errors.New("~ cannot be used: the home directory is not known")
		}
		text = filepath.Join(home, text[1:])
	}
	if !filepath.IsAbs(text) {
		text = filepath.Join(v.l.defaults.WorkDir, text)
	}
	*v.p = filepath.Clean(text)
	return nil
}

func (v path) String() string { return *v.p }

func (path) accepts() string { return "path" }

type text struct {
	p    *string
	what string
}

func (v text) Set(s string) error { *v.p = s; return nil }

func (v text) String() string { return *v.p }

func (v text) accepts() string { return v.what }

type onOff struct{ p *bool }

func (v onOff) Set(text string) error {
	switch strings.ToLower(text) {
	case "on", "true", "1":
		*v.p = true
	case "off", "false", "0":
		*v.p = false
	default:
		return errors.New(`Invalid option: expected one of "on"|"off"`)
	}
	return nil
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
	check func(text string) error
}

func (v secret) Set(text string) error {
	if utf8.RuneCountInString(text) < v.min {
		return fmt.Errorf("%s must be at least %d characters", v.name, v.min)
	}
	if v.check != nil {
		if err := v.check(text); err != nil {
			return err
		}
	}
	*v.p = Secret(text)
	return nil
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

func checkEncryptionKey(text string) error {
	for i, r := range []rune(text)[:cipherKeyChars] {
		if r >= utf8.RuneSelf {
			return fmt.Errorf("%s: character %d is not ASCII; the first %d must be", encryptionKeyName, i+1, cipherKeyChars)
		}
	}
	return nil
}

// publicURL is the base URL of the service as browsers see it.
type publicURL struct{ p *string }

func (v publicURL) Set(text string) error {
	u, err := url.Parse(text) // its error would quote the text, which may hold a password
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("Invalid URL: expected http://host[:port] or https://host[:port]")
	}
	*v.p = strings.TrimRight(text, "/")
	return nil
}

func (v publicURL) String() string { return *v.p }

func (publicURL) accepts() string { return "`http://` or `https://` URL" }

// origins is a comma list of exact origins, kept as browsers send them.
type origins struct{ p *[]string }

func (v origins) Set(text string) error {
	var list []string
	for entry := range strings.SplitSeq(text, ",") {
		entry = strings.TrimSpace(entry)
		if entry == "" || entry == "*" {
			continue
		}
		origin, ok := parseOrigin(entry)
		if !ok {
			return fmt.Errorf("%q is not an origin: expected scheme://host[:port] without a path", withoutUserinfo(entry))
		}
		if !slices.Contains(list, origin) {
			list = append(list, origin)
		}
	}
	*v.p = list
	return nil
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

func (v logLevel) Set(text string) error {
	switch text = strings.ToLower(text); text {
	case "debug", "info", "warn", "error":
		return v.p.UnmarshalText([]byte(text))
	}
	return errors.New(`Invalid option: expected one of "debug"|"info"|"warn"|"error"`)
}

func (v logLevel) String() string { return strings.ToLower(v.p.String()) }

func (logLevel) accepts() string { return "`debug`, `info`, `warn`, `error`" }
