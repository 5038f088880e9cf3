// Package lambda is where the functions run on AWS Lambda. It turns events into
// what the rest of Pulse knows, and its answers into what Lambda takes. It holds
// no route and no rule of Pulse's own.
package lambda

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
)

// Handler answers the events of one function.
type Handler interface {
	Invoke(ctx context.Context, event []byte) ([]byte, error)
}

// Start serves events until the platform ends the process; it does not return.
func Start(h Handler) { lambda.Start(h) }
