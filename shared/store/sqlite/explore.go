package sqlite

import (
	"context"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/filter"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/fold"
)

// TraceMeasures implements store.TraceExplorer.
func (db *DB) TraceMeasures(ctx context.Context, project account.ProjectID, q store.TraceQuery, edges []time.Time, measures []store.Measure) (store.MeasureSeries, error) {
	return searched(ctx, db, project, func(s *searching) (store.MeasureSeries, error) { return fold.TraceMeasures(ctx, s, q, edges, measures) })
}

// TraceHeatmap implements store.TraceExplorer.
func (db *DB) TraceHeatmap(ctx context.Context, project account.ProjectID, q store.TraceQuery, h store.Heatmap) (store.HeatmapCounts, error) {
	return searched(ctx, db, project, func(s *searching) (store.HeatmapCounts, error) { return fold.TraceHeatmap(ctx, s, q, h) })
}

// TraceBreakdown implements store.TraceExplorer.
func (db *DB) TraceBreakdown(ctx context.Context, project account.ProjectID, q store.TraceQuery, b store.Breakdown) (store.Groups, error) {
	return searched(ctx, db, project, func(s *searching) (store.Groups, error) { return fold.TraceBreakdown(ctx, s, q, b) })
}

// TraceDifference implements store.TraceExplorer.
func (db *DB) TraceDifference(ctx context.Context, project account.ProjectID, q, selection store.TraceQuery, fields []filter.Field, limit int) (store.Difference, error) {
	return searched(ctx, db, project, func(s *searching) (store.Difference, error) {
		return fold.TraceDifference(ctx, s, q, selection, fields, limit)
	})
}
