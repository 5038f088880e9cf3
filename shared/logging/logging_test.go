package logging_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/logging"
)

func TestLoggers(t *testing.T) {
	t.Parallel()
	t.Run("Text", func(t *testing.T) {
		t.Parallel()
		var out bytes.Buffer
		logging.NewText(&out, slog.LevelInfo).Info("drained", logging.KeyCount, 3, logging.KeyElapsed, 1500*time.Millisecond)
		want := regexp.MustCompile(`^time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=INFO msg=drained count=3 elapsed=1.5s\n$`)
		if !want.MatchString(out.String()) {
			t.Errorf("got %q", out.String())
		}
	})
	t.Run("JSON", func(t *testing.T) {
		t.Parallel()
		var out bytes.Buffer
		log := logging.NewJSON(&out, slog.LevelInfo)
		log.Error("drain", slog.Any(logging.KeyError, errors.New("disk full")), slog.Group("g", slog.String("time", "kept")),
			slog.Duration(logging.KeyElapsed, 1500500*time.Microsecond))
		var line struct {
			Time  string
			Level string
			Msg   string
			Err   string
			MS    float64 `json:"elapsed_ms"`
			G     struct{ Time string }
		}
		if err := json.Unmarshal(out.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(line.Time, "Z") || line.Level != "ERROR" || line.Msg != "drain" || line.Err != "disk full" || line.MS != 1500.5 || line.G.Time != "kept" {
			t.Errorf("got %s", out.String())
		}
	})
	t.Run("LevelCanChange", func(t *testing.T) {
		t.Parallel()
		var out bytes.Buffer
		var level slog.LevelVar
		level.Set(slog.LevelWarn)
		log := logging.NewText(&out, &level)
		log.Info("hidden")
		level.Set(slog.LevelDebug)
		log.Debug("shown")
		if s := out.String(); strings.Contains(s, "hidden") || !strings.Contains(s, "shown") {
			t.Errorf("got %q", s)
		}
	})
}
