// Package reqctx defines the values that travel in a request's context: who
// asks, for which project, under which request id. Nothing else is put there.
package reqctx

import (
	"context"

	"github.com/pulse-traces/pulse/shared/account"
)

type key[T any] struct{}

func with[T any](ctx context.Context, v T) context.Context {
	return context.WithValue(ctx, key[T]{}, v)
}

func get[T any](ctx context.Context) T {
	v, _ := ctx.Value(key[T]{}).(T)
	return v
}

type (
	requestID string
	clientIP  string
)

// WithRequestID sets the id that logs and answers of one request share.
func WithRequestID(ctx context.Context, id string) context.Context { return with(ctx, requestID(id)) }

// RequestID gives the request's id, "" outside a request.
func RequestID(ctx context.Context) string { return string(get[requestID](ctx)) }

// WithClientIP sets the address that limits are kept by.
func WithClientIP(ctx context.Context, ip string) context.Context { return with(ctx, clientIP(ip)) }

// ClientIP gives the caller's address without a port: the peer's, or the one
// that the configured number of trusted proxies vouches for. "" if unknown.
func ClientIP(ctx context.Context) string { return string(get[clientIP](ctx)) }

// WithProject sets the tenant of a request. Only the edge's checks call it.
func WithProject(ctx context.Context, p account.ProjectID) context.Context { return with(ctx, p) }

// Project gives the tenant: set on every route that asks for a key or a
// membership, "" elsewhere.
func Project(ctx context.Context) account.ProjectID { return get[account.ProjectID](ctx) }

// WithKey sets the API key that a request carries, and its project. Only the
// edge's checks call it.
func WithKey(ctx context.Context, k *account.APIKey) context.Context {
	return with(WithProject(ctx, k.ProjectID), k.ID)
}

// Sender gives the project and the API key of a request; both "" on routes that
// do not ask for a key.
func Sender(ctx context.Context) account.Sender {
	return account.Sender{Project: Project(ctx), Key: get[account.KeyID](ctx)}
}

// WithRole sets what the caller may do in Project.
func WithRole(ctx context.Context, r account.Role) context.Context { return with(ctx, r) }

// Role gives the caller's role in Project; "" on /v1.
func Role(ctx context.Context) account.Role { return get[account.Role](ctx) }

// WithUser sets who is signed in.
func WithUser(ctx context.Context, u account.User) context.Context { return with(ctx, u) }

// User gives who is signed in; the zero User on routes without a session.
func User(ctx context.Context) account.User { return get[account.User](ctx) }
