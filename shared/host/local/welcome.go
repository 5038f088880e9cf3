package local

import (
	"fmt"
	"os"
	"time"

	"github.com/pulse-traces/pulse/shared/config"
)

// welcome prints what to do next: commands that work as they stand.
func (c *command) welcome(cfg *config.Config) {
	url := fmt.Sprintf("http://localhost:%d", cfg.Port)
	fmt.Fprintf(c.stdout, `
Pulse %s is running at %s

1. Make an account, a project and a key (the key is printed; keep it):

   export PULSE_API_KEY=$(PULSE_PASSWORD='choose-a-password' %s keys create --email you@example.com)

2. Send a trace:

   curl -sS %s/v1/traces/batch -H "Authorization: Bearer $PULSE_API_KEY" -H 'Content-Type: application/json' -d '[{
     "trace_id": "'$(uuidgen 2>/dev/null || cat /proc/sys/kernel/random/uuid)'", "timestamp": "%s",
     "provider": "openai", "model_requested": "gpt-4o-mini", "status": "success", "latency_ms": 420,
     "request_body": {"messages": [{"role": "user", "content": "Hello"}]}, "output_text": "Hi!",
     "input_tokens": 8, "output_tokens": 2 }]'

3. Read it back:

   curl -sS "%s/v1/traces?limit=1" -H "Authorization: Bearer $PULSE_API_KEY"

`, c.Version, url, programName(), url, time.Now().UTC().Format("2006-01-02T15:04:05Z"), url)
}

// programName is how the program was called, so that the printed command works.
func programName() string { return os.Args[0] }
