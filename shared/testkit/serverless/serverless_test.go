package serverless_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/apitest"
	"github.com/pulse-traces/pulse/shared/host/routes"
	"github.com/pulse-traces/pulse/shared/testkit"
	"github.com/pulse-traces/pulse/shared/testkit/clienttest"
	"github.com/pulse-traces/pulse/shared/testkit/serverless"
)

// window is how long mappings gather messages here: the tests read what they
// have just written.
const window = 10 * time.Millisecond

// env is that of tests: no limits of sign-ins, and log lines that the suites can
// read.
func env(more map[string]string) map[string]string {
	e := map[string]string{"NODE_ENV": "test", "LOG_FORMAT": "text", "SIGNUP_MODE": "open"}
	maps.Copy(e, more)
	return e
}

// TestServerlessAPI holds the functions to the contract of Pulse, behind the
// gateway: the same suite as that of the program.
func TestServerlessAPI(t *testing.T) {
	t.Parallel()
	byFunction, err := routes.Table()
	if err != nil {
		t.Fatal(err)
	}
	var all []api.Route
	for _, name := range routes.Functions {
		all = slices.Concat(all, byFunction[name])
	}
	const maxBody = 4 << 20
	s := serverless.New(t, serverless.Options{
		Window:    window,
		InOrder:   true,
		Emulators: map[string]int{"Ingest": 3, "Query": 3, "Dashboard": 3, "Auth": 2, "Web": 2, "Drain": 2},
		// A key that one function deletes must not work on in another.
		Env: env(map[string]string{"MAX_BODY_BYTES": "4194304", "KEY_CACHE_SECONDS": "0"}),
	})
	apitest.Exercise(t, apitest.Target{URL: s.URL, Routes: all, MaxBodyBytes: maxBody, Remote: true, Output: s.Output})
}

func TestServerlessPythonSDK(t *testing.T) {
	t.Parallel()
	s := serverless.New(t, serverless.Options{Window: window, Env: env(nil)})
	clienttest.PythonSDK(t, s.Client)
	clienttest.PythonSDKCaptures(t, s.Client)
}

// TestServerlessLargePrompts sends prompts that fit no event of Lambda as they
// are, and one that fits no message of a queue either: gzipped they arrive, and
// are read back whole.
func TestServerlessLargePrompts(t *testing.T) {
	t.Parallel()
	s := serverless.New(t, serverless.Options{Window: window, Env: env(nil)})
	a := s.SignUp()
	messages := func() (n int) {
		for _, q := range s.Template.Queues {
			n += len(s.Proxy.Accepted(q.Name))
		}
		return n
	}
	random := make([]byte, 3<<20)
	for i := range random {
		random[i] = byte('a' + rand.IntN(26))
	}
	for name, prompt := range map[string]string{"Repeated": strings.Repeat("All work and no play. ", 6<<20/22), "Random": string(random)} {
		id, before := uuid.NewString(), messages()
		body := strings.Replace(testkit.TraceBody(id), "Hello 0", prompt, 1)
		if name == "Repeated" { // the gateway itself refuses what is no event
			if resp, _ := s.Do(a, http.MethodPost, "/v1/traces/async", body); resp.StatusCode != http.StatusRequestEntityTooLarge {
				t.Errorf("%s, not compressed: %s", name, resp.Status)
			}
		}
		header := http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}, "Authorization": {"Bearer " + a.Key}}
		if resp, answer := request(t, http.MethodPost, s.URL+"/v1/traces/async", header, gzipped(t, body)); resp.StatusCode != http.StatusAccepted {
			t.Fatalf("%s: %s: %s", name, resp.Status, answer)
		}
		if sent := messages() - before; (sent == 0) != (name == "Random") {
			t.Errorf("%s: %d messages", name, sent)
		}
		header.Set("Accept-Encoding", "gzip")
		resp, answer := request(t, http.MethodGet, s.URL+"/v1/traces/"+id, header, nil)
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Encoding") != "gzip" {
			t.Fatalf("%s: %s %v", name, resp.Status, resp.Header)
		}
		unzip, err := gzip.NewReader(bytes.NewReader(answer))
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			RequestBody struct{ Messages []struct{ Content string } }
		}
		if err := json.NewDecoder(unzip).Decode(&got); err != nil {
			t.Fatal(err)
		}
		if len(got.RequestBody.Messages) != 1 || got.RequestBody.Messages[0].Content != prompt {
			t.Errorf("%s: the prompt comes back otherwise", name)
		}
	}
}

func gzipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// request sends a body as it is, and gives the answer's as it is.
func request(t *testing.T, method, url string, header http.Header, body []byte) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, answer
}

// TestServerlessMigration asks for the migrations as CloudFormation does, and
// wants the answer where it waits for it.
func TestServerlessMigration(t *testing.T) {
	t.Parallel()
	answers := make(chan string, 1)
	cloudFormation := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPut {
			t.Errorf("%s: %v", r.Method, err)
		}
		answers <- string(body)
	}))
	t.Cleanup(cloudFormation.Close)
	trusted := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(trusted, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cloudFormation.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serverless.New(t, serverless.Options{Env: env(map[string]string{"SSL_CERT_FILE": trusted})})
	for _, kind := range []string{"Create", "Update", "Delete"} {
		event := fmt.Sprintf(`{"RequestType":%q,"ResponseURL":"%s/answer?key=x","StackId":"arn:aws:cloudformation:us-east-1:000000000000:stack/pulse/1",`+
			`"RequestId":"r-1","ResourceType":"Custom::Migration","LogicalResourceId":"Migration","PhysicalResourceId":"pulse-database",`+
			`"ResourceProperties":{"ServiceToken":"arn","Version":"v1"}}`, kind, cloudFormation.URL)
		if _, err := s.Invoke(t.Context(), "Migrate", []byte(event)); err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		var answer struct{ Status, RequestID, StackID, LogicalResourceID, PhysicalResourceID, Reason string }
		if err := json.Unmarshal([]byte(<-answers), &answer); err != nil {
			t.Fatal(err)
		}
		if answer.Status != "SUCCESS" || answer.RequestID != "r-1" || answer.LogicalResourceID != "Migration" || answer.PhysicalResourceID != "pulse-database" || answer.StackID == "" {
			t.Errorf("%s: %+v", kind, answer)
		}
	}
}
