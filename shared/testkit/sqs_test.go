package testkit_test

import (
	"bufio"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/testkit"
)

// TestQueueServersEndWithTheirProcess starts the servers in a child and kills it.
func TestQueueServersEndWithTheirProcess(t *testing.T) {
	servers := map[string]func(testing.TB) string{"fauxqs": testkit.SQS, "ElasticMQ": testkit.ElasticMQ}
	const endpointIs = "endpoint: "
	if name := os.Getenv("TESTKIT_CHILD"); name != "" {
		os.Stdout.WriteString(endpointIs + servers[name](t) + "\n")
		<-t.Context().Done() // killed before that
		return
	}
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			if name == "fauxqs" && os.Getenv("TEST_SQS_ENDPOINT") != "" {
				t.Skip("TEST_SQS_ENDPOINT names a server that outlives the tests")
			}
			start(t) // skips if it is not installed
			child := exec.Command(os.Args[0], "-test.run=^TestQueueServersEndWithTheirProcess$")
			child.Env = append(os.Environ(), "TESTKIT_CHILD="+name)
			out, err := child.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			endpoint := ""
			for lines := bufio.NewScanner(out); endpoint == "" && lines.Scan(); {
				_, endpoint, _ = strings.Cut(lines.Text(), endpointIs)
			}
			if err := answers(endpoint); err != nil {
				t.Error(err)
			}
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = child.Wait() // it was killed
			for end := time.Now().Add(20 * time.Second); answers(endpoint) == nil; {
				if time.Now().After(end) {
					t.Fatal("the server outlived the process that started it")
				}
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
}

func answers(endpoint string) error {
	resp, err := http.Get(endpoint + "/health")
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
