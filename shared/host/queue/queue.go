// Package queue says how the logs on SQS are reached, and makes their queues. It
// is apart from package stream so that migrate, which only makes queues, links no
// other log.
package queue

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/pulse-traces/pulse/shared/config"
	"github.com/pulse-traces/pulse/shared/wal/sqswal"
)

// Traces are the queues of traces.
func Traces(cfg *config.Config, log *slog.Logger) sqswal.Options {
	return options(cfg, log, cfg.TraceQueueURLPrefix, cfg.TraceWALPartitions)
}

// Spans are the queues of spans.
func Spans(cfg *config.Config, log *slog.Logger) sqswal.Options {
	return options(cfg, log, cfg.SpanQueueURLPrefix, cfg.SpanWALPartitions)
}

func options(cfg *config.Config, log *slog.Logger, prefix string, partitions int) sqswal.Options {
	return sqswal.Options{
		QueueURLPrefix: prefix, Partitions: partitions, Region: cfg.AWS.Region, Endpoint: cfg.SQSEndpoint,
		Credentials: sqswal.Credentials(sqswal.CredentialSource{
			AccessKeyID: cfg.AWS.AccessKeyID.Reveal(), SecretAccessKey: cfg.AWS.SecretAccessKey.Reveal(), SessionToken: cfg.AWS.SessionToken.Reveal(),
			EndpointURL: cfg.AWS.CredentialsURI, EndpointPath: cfg.AWS.CredentialsPath, TokenFile: cfg.AWS.TokenFile,
		}),
		BatchRecords: cfg.DrainBatchRecords, BatchBytes: int(cfg.DrainBatchBytes), Logger: log,
	}
}

// Ensure makes the queues of both logs that are missing, where
// SQS_CREATE_QUEUES asks for it.
func Ensure(ctx context.Context, cfg *config.Config, log *slog.Logger) error {
	if cfg.WALKind != config.WALSQS || !cfg.SQSCreateQueues {
		return nil
	}
	for _, o := range []sqswal.Options{Traces(cfg, log), Spans(cfg, log)} {
		if err := sqswal.Ensure(ctx, o); err != nil {
			return fmt.Errorf("make queues %s<n>: %w", o.QueueURLPrefix, err)
		}
	}
	log.Info("the queues are there")
	return nil
}
