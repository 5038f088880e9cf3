package postgres

import (
	"context"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pulse-traces/pulse/shared/account"
)

// column is how a field of R is stored.
type column[R any] struct {
	name  string
	typ   string // SQL type, for arrays of it
	field func(*R) any
	slice func([]*R) any // all rows' values, for unnest
}

// col makes a column of a field whose type pgx encodes and scans.
func col[R, T any](name, typ string, field func(*R) *T) column[R] {
	return column[R]{
		name: name, typ: typ,
		field: func(r *R) any { return field(r) },
		slice: func(rows []*R) any {
			values := make([]T, len(rows))
			for i, r := range rows {
				values[i] = *field(r)
			}
			return values
		},
	}
}

// table is a table's columns but project_id, written down once for reading,
// COPY and bulk upsert. Its SQL is built at start from constants.
type table[R any] struct {
	name    string
	columns []column[R]
	list    string // the columns' names
	upsert  string
}

// newTable describes a table whose key is project_id and the first keys columns.
func newTable[R any](name string, keys int, columns ...column[R]) *table[R] {
	t := &table[R]{name: name, columns: columns}
	var names, key, arrays, sets []string
	for i, c := range columns {
		names = append(names, c.name)
		arrays = append(arrays, "$"+strconv.Itoa(i+2)+"::"+c.typ+"[]")
		if i < keys {
			key = append(key, c.name)
		} else {
			sets = append(sets, c.name+" = excluded."+c.name)
		}
	}
	t.list = strings.Join(names, ", ")
	t.upsert = "INSERT INTO " + name + " (project_id, " + t.list + ") SELECT $1::text, r.* FROM unnest(" + strings.Join(arrays, ", ") +
		") r ON CONFLICT (project_id, " + strings.Join(key, ", ") + ") DO UPDATE SET " + strings.Join(sets, ", ")
	return t
}

// listOf is t.list with the table's alias.
func (t *table[R]) listOf(alias string) string {
	return alias + "." + strings.ReplaceAll(t.list, ", ", ", "+alias+".")
}

// scan reads a row of t.list.
func (t *table[R]) scan(row pgx.CollectableRow) (*R, error) {
	r := new(R)
	return r, row.Scan(t.fields(r)...)
}

func (t *table[R]) fields(r *R) []any {
	out := make([]any, len(t.columns))
	for i := range t.columns {
		out[i] = t.columns[i].field(r)
	}
	return out
}

// put writes rows, over those that have their keys. No two rows may share one.
func (t *table[R]) put(ctx context.Context, e execer, project account.ProjectID, rows []*R) error {
	if len(rows) == 0 {
		return nil
	}
	args := make([]any, 0, len(t.columns)+1)
	args = append(args, string(project))
	for _, c := range t.columns {
		args = append(args, c.slice(rows))
	}
	return execute(ctx, e, t.upsert, args...)
}

// copy adds rows whose keys are known to be new.
func (t *table[R]) copy(ctx context.Context, tx pgx.Tx, project account.ProjectID, rows []*R) error {
	if len(rows) == 0 {
		return nil
	}
	names := make([]string, 0, len(t.columns)+1)
	names = append(names, "project_id")
	for _, c := range t.columns {
		names = append(names, c.name)
	}
	_, err := tx.CopyFrom(ctx, pgx.Identifier{t.name}, names, &copySource[R]{table: t, project: string(project), rows: rows})
	return faultOf(err)
}

// copySource gives rows to COPY.
type copySource[R any] struct {
	table   *table[R]
	project string
	rows    []*R // the next one first
	values  []any
}

func (s *copySource[R]) Next() bool { return len(s.rows) > 0 }

func (s *copySource[R]) Values() ([]any, error) {
	r := s.rows[0]
	s.rows = s.rows[1:]
	s.values = append(s.values[:0], s.project)
	for i := range s.table.columns {
		s.values = append(s.values, s.table.columns[i].field(r))
	}
	return s.values, nil
}

func (s *copySource[R]) Err() error { return nil }
