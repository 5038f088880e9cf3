package sqlite

// The columns of migration 3, for tests that take it back.
var (
	MappedColumns      = mappedColumns
	MappedTraceColumns = mappedTraceColumns
)
