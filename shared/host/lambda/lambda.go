// Package lambda is where the functions run on AWS Lambda. It turns events into
// what the rest of Pulse knows, and its answers into what Lambda takes. It holds
// no route and no rule of Pulse's own.
package lambda

import (
	"context"
	"errors"
	stdlog "log"
	"log/slog"
	"runtime/debug"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/go-json-experiment/json"

	"github.com/pulse-traces/pulse/shared/api"
)

// Handler answers the events of one function. The text of an error is logged by
// the platform and given to who asked: it holds nothing of the event.
type Handler interface {
	Invoke(ctx context.Context, event []byte) ([]byte, error)
}

// Start serves events until the platform ends the process; it does not return.
// What the library itself prints, as when the platform cannot be reached, is a
// line of log.
func Start(h Handler, log *slog.Logger) {
	stdlog.SetFlags(0)
	stdlog.SetOutput(slog.NewLogLogger(log.Handler(), slog.LevelError).Writer())
	lambda.Start(Guarded(h, log))
}

// Guarded makes errors of h's panics: the library would end the process for one.
func Guarded(h Handler, log *slog.Logger) Handler { return guarded{h, log} }

type guarded struct {
	Handler
	log *slog.Logger
}

func (g guarded) Invoke(ctx context.Context, event []byte) (out []byte, err error) {
	defer func() {
		if v := recover(); v != nil {
			g.log.ErrorContext(ctx, "panic", slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
			out, err = nil, errors.New("internal error: see the log")
		}
	}()
	return g.Handler.Invoke(ctx, event)
}

// Decode reads an event.
func Decode(event []byte, v any) error {
	if err := json.Unmarshal(event, v, api.DecodeOptions); err != nil {
		return errors.New("the event is not JSON of the kind that this function takes")
	}
	return nil
}

// Encode writes an answer.
func Encode(v any) ([]byte, error) { return json.Marshal(v, api.DecodeOptions) }
