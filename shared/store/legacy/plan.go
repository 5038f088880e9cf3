package legacy

import (
	"strings"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// Plan says what becomes of the rows of one step.
type Plan struct {
	// Batches hold what is to be written: one batch per project, by first row.
	Batches []store.Batch

	places [][]int        // of Batches[i].Spans[j]: the index of its row
	kept   []KeptRow      // known before the write
	notes  map[int]string // by row: what had to be changed
}

// KeptRow is a row that is put into Table.Kept().
type KeptRow struct {
	Row    int    // index among the step's rows
	Reason string // begins with "moved" or "not moved"; holds nothing of the row's content
}

// NewPlan plans what becomes of rows of t, which must be in the order in which
// they came, so that payloads that are read together lie together. projects
// holds all that exist.
//
// The payloads count as having arrived now: RETENTION_DAYS begins anew for
// them. The spans keep their start, so retention soon deletes those that are
// older than it allows, as it would had Pulse stored them from the beginning.
func NewPlan(t Table, rows []Row, projects map[account.ProjectID]bool, now time.Time) *Plan {
	p := &Plan{notes: map[int]string{}}
	spans := map[account.ProjectID][]trace.Span{}
	places := map[account.ProjectID][]int{}
	var order []account.ProjectID
	for i := range rows {
		project := rows[i].projectID()
		if !projects[project] {
			p.keep(i, "not moved: there is no such project")
			continue
		}
		s, changed := rows[i].span(t)
		if issues := s.Check(); len(issues) > 0 {
			p.keep(i, "not moved: "+describe(issues))
			continue
		}
		if len(changed) > 0 {
			p.notes[i] = "moved, but changed to fit: " + strings.Join(changed, ", ")
		}
		if spans[project] == nil {
			order = append(order, project)
		}
		spans[project] = append(spans[project], s)
		places[project] = append(places[project], i)
	}
	for _, project := range order {
		p.Batches = append(p.Batches, store.Pack(project, now, spans[project]))
		p.places = append(p.places, places[project])
	}
	return p
}

func (p *Plan) keep(row int, reason string) {
	p.kept = append(p.kept, KeptRow{Row: row, Reason: reason})
}

// describe names the fields and what is wrong; issues never quote values.
func describe(issues []fault.Issue) string {
	texts := make([]string, len(issues))
	for i, issue := range issues {
		texts[i] = issue.Path[0].(string) + ": " + issue.Message
	}
	return strings.Join(texts, "; ")
}

// Kept gives the rows to keep as they were, once the batches are written.
func (p *Plan) Kept(outcomes []store.Outcome) []KeptRow {
	kept := p.kept
	for b, outcome := range outcomes {
		for i, inserted := range outcome.Inserted {
			row := p.places[b][i]
			if !inserted {
				kept = append(kept, KeptRow{Row: row, Reason: "not moved: another record of the project has its id"})
			} else if note, ok := p.notes[row]; ok {
				kept = append(kept, KeptRow{Row: row, Reason: note})
			}
		}
	}
	return kept
}
