package host

import (
	"io"
	"log/slog"

	"github.com/pulse-traces/pulse/shared/config"
	"github.com/pulse-traces/pulse/shared/logging"
)

// NewLogger makes the process's logger as the configuration asks.
func NewLogger(w io.Writer, cfg *config.Config) *slog.Logger {
	if cfg.LogFormat == config.LogFormatJSON {
		return logging.NewJSON(w, cfg.LogLevel)
	}
	return logging.NewText(w, cfg.LogLevel)
}

// Warn logs what the configuration says that does nothing.
func Warn(log *slog.Logger, warnings []string) {
	for _, w := range warnings {
		log.Warn("configuration", slog.String(logging.KeyReason, w))
	}
}
