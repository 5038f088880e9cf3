package migrator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/go-playground/validator/v10"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/host"
	"github.com/pulse-traces/pulse/shared/host/lambda"
	"github.com/pulse-traces/pulse/shared/logging"
)

const (
	// answerReserve is what is kept of an invocation's time to tell CloudFormation
	// how it went: without an answer a deployment hangs for an hour.
	answerReserve = 15 * time.Second
	// answerTries bounds how often the answer is sent, answerTimeout each try.
	answerTries   = 3
	answerTimeout = 4 * time.Second
	// maxReasonBytes keeps an answer below the 4 KB that CloudFormation takes.
	maxReasonBytes = 1 << 10
	// resourceID names the database as a resource of a stack. It never changes:
	// CloudFormation would delete the old one.
	resourceID = "pulse-database"
)

// eventHandler migrates when CloudFormation, or anybody who may invoke the
// function, asks for it.
type eventHandler struct {
	deps   *host.Deps
	client *http.Client // for answers to CloudFormation
	checks *validator.Validate
}

func newEventHandler(_ context.Context, d *host.Deps) (lambda.Handler, error) {
	h := &eventHandler{deps: d, client: &http.Client{}, checks: validator.New()}
	h.checks.RegisterStructValidationMapRules(resourceRules, cfn.Event{})
	return h, nil
}

// event is what the function is called with: a request of CloudFormation for a
// custom resource, or an action.
type event struct {
	RequestType json.RawMessage `json:"RequestType"` // of CloudFormation's alone
	Action      string          `json:"action" validate:"omitempty,oneof=migrate maintain"`
}

// resourceRules are what a request for a custom resource must have; the type is
// not ours.
var resourceRules = map[string]string{
	"RequestType":       "oneof=Create Update Delete",
	"ResponseURL":       "required,startswith=https://,url",
	"RequestID":         "required",
	"LogicalResourceID": "required",
	"StackID":           "required",
}

// Invoke implements lambda.Handler.
func (h *eventHandler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	var e event
	if err := lambda.Decode(payload, &e); err != nil {
		return nil, err
	}
	if e.RequestType != nil {
		return h.resource(ctx, payload)
	}
	if err := h.checks.Struct(&e); err != nil {
		return nil, errors.New("action must be migrate or maintain")
	}
	if e.Action == "maintain" {
		removed, err := h.deps.MaintainOnce(ctx)
		if err != nil {
			return nil, err
		}
		return lambda.Encode(struct {
			Status  string          `json:"status"`
			Removed host.Maintained `json:"removed"`
		}{"ok", removed})
	}
	if err := migrate(ctx, h.deps); err != nil {
		return nil, err
	}
	return []byte(`{"status":"ok"}`), nil
}

// resource serves a request for the custom resource that the database is: to
// create or update it is to migrate, to delete it does nothing. An update to a
// program that is older than the database leaves it as it is.
func (h *eventHandler) resource(ctx context.Context, payload []byte) ([]byte, error) {
	var e cfn.Event
	if err := lambda.Decode(payload, &e); err != nil {
		return nil, err
	}
	if err := h.checks.Struct(&e); err != nil {
		return nil, fmt.Errorf("the event is no request for a custom resource: %w", err)
	}
	answer := cfn.NewResponse(&e)
	answer.Status, answer.PhysicalResourceID = cfn.StatusSuccess, resourceID
	if e.PhysicalResourceID != "" {
		answer.PhysicalResourceID = e.PhysicalResourceID
	}
	if e.RequestType != cfn.RequestDelete {
		err := h.migrateInTime(ctx)
		if fault.Is(err, fault.Invalid) && e.RequestType == cfn.RequestUpdate {
			// CloudFormation undoes a deployment that failed by an update back to the
			// program before it. Migrations are not undone, and to refuse would leave the
			// stack stuck half way.
			h.deps.Log.WarnContext(ctx, "the database is newer than this program, and stays as it is", slog.Any(logging.KeyError, err))
			err = nil
		}
		if err != nil {
			h.deps.Log.ErrorContext(ctx, "migration failed", slog.Any(logging.KeyError, err))
			answer.Status, answer.Reason = cfn.StatusFailed, reason(err)
		}
	}
	if err := h.send(ctx, e.ResponseURL, answer); err != nil {
		return nil, err
	}
	return lambda.Encode(struct {
		Status cfn.StatusType `json:"status"`
	}{answer.Status})
}

// migrateInTime is migrate with an end before the invocation's.
func (h *eventHandler) migrateInTime(ctx context.Context) error {
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, end.Add(-answerReserve))
		defer cancel()
	}
	err := migrate(ctx, h.deps)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("there was not enough time; give the function more, or run the container of migrate: %w", err)
	}
	return err
}

func reason(err error) string {
	text := err.Error()
	if len(text) > maxReasonBytes {
		text = text[:maxReasonBytes]
	}
	return text
}

// send gives the answer to CloudFormation.
func (h *eventHandler) send(ctx context.Context, url string, answer *cfn.Response) error {
	body, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	for range answerTries {
		if err = h.put(ctx, url, body); err == nil {
			return nil
		}
		h.deps.Log.WarnContext(ctx, "CloudFormation did not take the answer", slog.Any(logging.KeyError, err))
	}
	return err
}

func (h *eventHandler) put(ctx context.Context, url string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, url, bytes.NewReader(body))
	if err != nil {
		return errors.New("answer CloudFormation: the URL does not parse")
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return errors.New("answer CloudFormation: its server does not answer") // err holds the URL, whose query is a key
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<10))
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("answer CloudFormation: %s", resp.Status)
	}
	return nil
}
