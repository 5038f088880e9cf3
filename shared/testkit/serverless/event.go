package serverless

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/testkit"
)

// httpEvent is the event of payload format 2.0. It is spelled out here, and not
// taken from the library that the functions read it with, so that the two check
// each other.
type httpEvent struct {
	Version         string            `json:"version"`
	RouteKey        string            `json:"routeKey"`
	RawPath         string            `json:"rawPath"`
	RawQueryString  string            `json:"rawQueryString"`
	Cookies         []string          `json:"cookies,omitempty"`
	Headers         map[string]string `json:"headers"`
	Query           map[string]string `json:"queryStringParameters,omitempty"`
	RequestContext  httpContext       `json:"requestContext"`
	Body            string            `json:"body,omitempty"`
	PathParameters  map[string]string `json:"pathParameters,omitempty"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
}

type httpContext struct {
	AccountID    string `json:"accountId"`
	APIID        string `json:"apiId"`
	DomainName   string `json:"domainName"`
	DomainPrefix string `json:"domainPrefix"`
	HTTP         struct {
		Method    string `json:"method"`
		Path      string `json:"path"`
		Protocol  string `json:"protocol"`
		SourceIP  string `json:"sourceIp"`
		UserAgent string `json:"userAgent"`
	} `json:"http"`
	RequestID string `json:"requestId"`
	RouteKey  string `json:"routeKey"`
	Stage     string `json:"stage"`
	Time      string `json:"time"`
	TimeEpoch int64  `json:"timeEpoch"`
}

// hopHeaders are between a client and the gateway only.
var hopHeaders = map[string]bool{
	"connection": true, "keep-alive": true, "te": true, "trailer": true, "transfer-encoding": true, "upgrade": true, "expect": true,
	"proxy-connection": true, "content-length": true, "cookie": true,
}

// newEvent makes the event of a request whose body was read.
func newEvent(r *http.Request, route Route, path string, values map[string]string, body []byte, now time.Time) ([]byte, error) {
	peer, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return nil, err
	}
	e := httpEvent{
		Version: "2.0", RouteKey: route.Key(), RawPath: path, RawQueryString: r.URL.RawQuery,
		Headers: map[string]string{"host": r.Host}, Query: map[string]string{}, PathParameters: values,
	}
	for name, all := range r.Header {
		if name = strings.ToLower(name); !hopHeaders[name] {
			e.Headers[name] = strings.Join(all, ",")
		}
	}
	for _, line := range r.Header.Values("Cookie") {
		e.Cookies = append(e.Cookies, strings.Split(line, "; ")...)
	}
	e.Headers["x-forwarded-for"] = strings.TrimPrefix(e.Headers["x-forwarded-for"]+","+peer, ",")
	e.Headers["x-forwarded-proto"] = "https"
	e.Headers["x-forwarded-port"] = "443"
	e.Headers["x-amzn-trace-id"] = fmt.Sprintf("Root=1-%08x-%024x", now.Unix(), now.UnixNano())
	if len(body) > 0 || r.ContentLength > 0 {
		e.Headers["content-length"] = strconv.Itoa(len(body))
	}
	query, _ := url.ParseQuery(r.URL.RawQuery) // what cannot be read is left out
	for name, all := range query {
		e.Query[name] = strings.Join(all, ",")
	}
	c := &e.RequestContext
	c.AccountID, c.APIID, c.RouteKey, c.Stage = testkit.AccountID, "testapi", e.RouteKey, "$default"
	c.DomainName = r.Host
	c.DomainPrefix, _, _ = strings.Cut(r.Host, ".")
	c.HTTP.Method, c.HTTP.Path, c.HTTP.Protocol = r.Method, path, r.Proto
	c.HTTP.SourceIP, c.HTTP.UserAgent = peer, r.UserAgent()
	c.RequestID = uuid.NewString()
	c.Time, c.TimeEpoch = now.UTC().Format("02/Jan/2006:15:04:05 -0700"), now.UnixMilli()
	e.Body, e.IsBase64Encoded = string(body), !isText(r.Header, body)
	if e.IsBase64Encoded {
		e.Body = base64.StdEncoding.EncodeToString(body)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	err = enc.Encode(e)
	return out.Bytes(), err
}

// isText tells whether a body travels as it is. Which types count as text on AWS
// is not documented: those that every example shows.
func isText(h http.Header, body []byte) bool {
	if len(body) == 0 {
		return true
	}
	if h.Get("Content-Encoding") != "" || !utf8.Valid(body) {
		return false
	}
	media, _, _ := mime.ParseMediaType(h.Get("Content-Type")) // "" is none
	switch media {
	case "application/json", "application/javascript", "application/xml":
		return true
	}
	return strings.HasPrefix(media, "text/") || strings.HasSuffix(media, "+json") || strings.HasSuffix(media, "+xml")
}

// httpAnswer is what a function gives back.
type httpAnswer struct {
	StatusCode      int               `json:"statusCode"`
	Headers         map[string]string `json:"headers"`
	Cookies         []string          `json:"cookies"`
	Body            string            `json:"body"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
}

// write sends the answer of a function, or reports why it is none.
func (a *httpAnswer) write(w http.ResponseWriter, raw []byte) error {
	if err := json.Unmarshal(raw, a); err != nil {
		return err
	}
	if a.StatusCode < 200 || a.StatusCode > 599 {
		return errors.New("an answer without a status")
	}
	body := []byte(a.Body)
	if a.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(a.Body); err != nil {
			return err
		}
	}
	for name, value := range a.Headers {
		if name = http.CanonicalHeaderKey(name); name != "Content-Length" && name != "Connection" && name != "Transfer-Encoding" {
			w.Header().Set(name, value)
		}
	}
	for _, c := range a.Cookies {
		w.Header().Add("Set-Cookie", c)
	}
	if a.StatusCode != http.StatusNoContent && a.StatusCode != http.StatusNotModified {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(a.StatusCode)
	_, _ = w.Write(body) // the client is gone, or asked for the head only
	return nil
}
