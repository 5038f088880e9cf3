package otlpapi

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/pulse-traces/pulse/shared/account"
)

func TestFindKey(t *testing.T) {
	t.Parallel()
	const ours, other = account.KeyPrefix + "one", account.KeyPrefix + "two"
	basic := func(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, c := range []struct {
		name    string
		headers [][2]string
		want    string // "" if none
	}{
		{"Bearer", [][2]string{{"Authorization", "Bearer " + ours}}, ours},
		{"AnyCase", [][2]string{{"Authorization", "bearer " + ours}}, ours},
		{"Blanks", [][2]string{{"Authorization", " Bearer   " + ours + " "}}, ours},
		{"AnotherKey", [][2]string{{"Authorization", "Bearer sk-lf-1"}}, "sk-lf-1"},
		{"PercentEncoded", [][2]string{{"Authorization", "Bearer%20" + ours}}, ours},
		{"Plain", [][2]string{{"Authorization", ours}}, ours},
		{"BasicUser", [][2]string{{"Authorization", basic(ours + ":")}}, ours},
		{"BasicPassword", [][2]string{{"Authorization", basic("pk-lf-1:" + ours)}}, ours},
		{"BasicOnlyPassword", [][2]string{{"Authorization", basic(":" + ours)}}, ours},
		{"BasicBoth", [][2]string{{"Authorization", basic(ours + ":" + ours)}}, ours},
		{"BasicWithoutPadding", [][2]string{{"Authorization", strings.TrimRight(basic("pk-lf-12:"+ours), "=")}}, ours},
		{"BasicPercentEncoded", [][2]string{{"Authorization", strings.Replace(basic("pk:"+ours), " ", "%20", 1)}}, ours},
		{"APIKey", [][2]string{{"X-Api-Key", ours}}, ours},
		{"PlainAPIKey", [][2]string{{"Api-Key", ours}}, ours},
		{"Token", [][2]string{{"X-Auth-Token", ours}, {"Authorization", "Bearer " + ours}}, ours},
		{"ProxysBasic", [][2]string{{"Authorization", basic("user:password")}, {"X-Api-Key", ours}}, ours},
		{"Twice", [][2]string{{"Authorization", "Bearer " + ours}, {"Authorization", "Bearer " + ours}}, ours},

		{"Nothing", nil, ""},
		{"Empty", [][2]string{{"Authorization", ""}, {"X-Api-Key", " "}}, ""},
		{"BearerAlone", [][2]string{{"Authorization", "Bearer "}}, ""},
		{"BasicAlone", [][2]string{{"Authorization", "basic"}}, ""},
		{"TwoWords", [][2]string{{"Authorization", "Bearer a b"}}, ""},
		{"Joined", [][2]string{{"Authorization", "Bearer " + ours + ", Bearer " + other}}, ""},
		{"JoinedPlain", [][2]string{{"Authorization", ours + "," + other}}, ""},
		{"Scheme", [][2]string{{"Authorization", "Digest " + ours}}, ""},
		{"BasicNoBase64", [][2]string{{"Authorization", "Basic ***"}}, ""},
		{"BasicNoColon", [][2]string{{"Authorization", basic(ours)}}, ""},
		{"BasicTwoKeys", [][2]string{{"Authorization", basic(ours + ":" + other)}}, ""},
		{"BasicNeither", [][2]string{{"Authorization", basic("pk:sk")}}, ""},
		{"TwoHeaders", [][2]string{{"Authorization", "Bearer " + ours}, {"X-Api-Key", other}}, ""},
		{"TwoValues", [][2]string{{"Authorization", "Bearer " + ours}, {"Authorization", "Bearer " + other}}, ""},
		{"OneMalformed", [][2]string{{"Authorization", "Basic ***"}, {"X-Api-Key", ours}}, ""},
	} {
		r := &http.Request{Header: http.Header{}}
		for _, h := range c.headers {
			r.Header.Add(h[0], h[1])
		}
		if got, ok := findKey(r); got != c.want || ok != (c.want != "") {
			t.Errorf("%s: %q, %v; want %q", c.name, got, ok, c.want)
		}
	}
}

func FuzzFindKey(f *testing.F) {
	f.Add("Bearer x", "y")
	f.Add("Basic cGs6c2s=", "")
	f.Add("Bearer%20pulse_sk_1", "pulse_sk_1")
	f.Fuzz(func(t *testing.T, authorization, apiKey string) {
		r := &http.Request{Header: http.Header{"Authorization": {authorization}, "X-Api-Key": {apiKey}}}
		if key, ok := findKey(r); ok && (key == "" || strings.ContainsAny(key, " ,\t")) {
			t.Errorf("%q is no key", key)
		}
	})
}
