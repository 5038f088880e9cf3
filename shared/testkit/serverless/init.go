package serverless

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// Functions lists the template's functions, built and with the variables that
// they get, except that neither database nor queues are there: a start needs
// neither.
func Functions(t testing.TB) []Function {
	t.Helper()
	need(t)
	template, err := loadTemplate("pulse", nil)
	if err != nil {
		t.Fatal(err)
	}
	functions, err := template.functions(map[string]string{"DATABASE_URL": "postgres://nobody@127.0.0.1:1/none", "SQS_ENDPOINT": "http://127.0.0.1:1"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return functions
}

// initReport is what the emulator prints once a function has started. What it
// says of a start in its REPORT line is wrong.
var initReport = regexp.MustCompile(`INIT REPORT\(durationMs: ([0-9.]+)\)`)

// Init starts a function in an emulator of its own and tells how long that took.
func Init(ctx context.Context, f Function) (time.Duration, error) {
	var out Output
	p, err := NewPool(f, 1, &out)
	if err != nil {
		return 0, err
	}
	_, err = p.Invoke(ctx, []byte("[]"))
	p.Close()                                // all that was printed is in out then
	if err != nil && !isFunctionError(err) { // it is no event of any function
		return 0, err
	}
	m := initReport.FindStringSubmatch(out.String())
	if m == nil {
		return 0, fmt.Errorf("%s did not start:\n%s", f.Name, out.String())
	}
	ms, err := strconv.ParseFloat(m[1], 64)
	return time.Duration(ms * float64(time.Millisecond)), err
}
