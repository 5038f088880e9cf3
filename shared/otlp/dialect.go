package otlp

import (
	"bytes"
	"cmp"
	"math/bits"
	"slices"
	"strings"
	"sync"

	"github.com/pulse-traces/pulse/shared/trace"
)

// A dialect is how one family of instrumentations says what a span is about: a
// table from attributes to facts. Each dialect has a file of its own, which
// registers it; nothing else names it.
//
// All dialects read every span, for many spans speak several: what two of them
// say is settled by rank, then by the order of the rules, then by the span's own
// attribute over its resource's.
type dialect struct {
	name string
	rank int // the smaller wins; unique

	// scopes limits the rules to spans of scopes whose names begin so, for
	// attributes whose names are not the family's own. nil: everywhere.
	scopes []string

	rules []rule

	// before sees what was found before it is put together, after sees the span
	// that was made of it. They are for what a table cannot say, and are called
	// in the order of ranks for spans that the dialect has part in: of its
	// scopes, or, where it has none, with an attribute of its rules.
	before func(*reading)
	after  func(*reading, *trace.Span)
}

// rule says what an attribute tells. A key that ends in "*" stands for all keys
// that begin with what is before; the rest is the name within the fact.
type rule struct {
	key   string
	fact  fact
	kinds map[string]trace.Kind // of factKind: what its values mean; others mean nothing
	scale float64               // of times: milliseconds in a unit; of costs: dollars in a unit
	keep  bool                  // show the attribute beside the fact that it tells

	quoted bool // the text is JSON, with its quotes
	late   bool // counts only if no other dialect says anything
}

// late is what the ranks of late rules begin at.
const late = 1 << 24

// fact is something that a span can tell.
type fact uint8

const (
	factNone fact = iota // known, and of no use: hidden from the attributes

	// Who and where.
	factTraceID
	factSession
	factSessionName
	factUser
	factTags
	factEnvironment
	factRelease
	factService
	factSource
	factEventType
	factAgent
	factCWD
	factInterrupt

	// What.
	factKind
	factOperation
	factProvider
	factModel
	factModelUsed
	factResponseID
	factFinish
	factTier         // the class of service that the call was billed as
	factFirstToken   // a duration; scale says the unit
	factFirstTokenAt // a time
	factParameter    // one, by name
	factParameters   // many: an object

	// Contents.
	factInput      // of any operation
	factOutput     //
	factSystem     // instructions beside the input
	factReasoning  // text beside the output
	factToolCalls  // beside the output
	factOutputText // the answer alone
	factInputAt    // flattened, by path
	factOutputAt
	factTools   // definitions that were offered
	factToolsAt // flattened, by path
	factRequest // the provider's bodies
	factResponse
	factQuery
	factDocumentsAt
	factTextsAt // that were embedded, flattened

	// Tools.
	factToolName
	factToolID
	factToolInput
	factToolOutput

	// Counts.
	factInputTokens // in all, or without what was cached: see reading.exclusive
	factOutputTokens
	factUncached // of the input
	factCacheRead
	factCacheWrite
	factCacheWrite5m
	factCacheWrite1h
	factReasoningTokens
	factAudioInput
	factAudioOutput
	factImageInput
	factImageOutput
	factUsage // an object, in any provider's words

	// Costs, in dollars.
	factCost
	factCostIn
	factCostOut
	factCosts // an object

	// Faults.
	factError
	factErrorType
	factErrorMessage
	factStatusMessage
	factLevel
	factSuccess

	// The rest.
	factMetadata      // an object
	factMetadataEntry // one, by name
	factEvent         // of log records: what happened
	factTime          // of log records that have it as an attribute
	factDuration      // the same, in milliseconds

	factCount
)

// hit is an attribute that a rule was found for.
type hit struct {
	rule *rule
	rank int32
	at   int32  // index of the attribute in the reading
	name []byte // what "*" stood for
}

// ref points from a key to a rule.
type ruleRef struct {
	rule    *rule
	dialect int // index in the table
	rank    int32
}

// table is all dialects, ready to look keys up in.
type table struct {
	dialects []*dialect
	exact    map[string][]ruleRef
	prefix   map[string][]ruleRef // keys end in '.' or another mark
	marks    [256]bool            // the bytes that keys of prefix end in
	anywhere uint64               // dialects without scopes
}

var registry []*dialect

// register adds a dialect. It is called from the dialects' files only.
func register(d *dialect) { registry = append(registry, d) }

var dialects = sync.OnceValue(func() *table {
	t := &table{dialects: slices.Clone(registry), exact: map[string][]ruleRef{}, prefix: map[string][]ruleRef{}}
	slices.SortFunc(t.dialects, func(a, b *dialect) int { return cmp.Compare(a.rank, b.rank) })
	for i, d := range t.dialects {
		if i >= bits.UintSize || i > 0 && d.rank == t.dialects[i-1].rank {
			panic("otlp: dialect " + d.name + " needs a rank of its own, among at most 64")
		}
		if d.scopes == nil {
			t.anywhere |= 1 << i
		}
		for j := range d.rules {
			r := &d.rules[j]
			ref := ruleRef{rule: r, dialect: i, rank: int32(i)<<16 | int32(j)<<1}
			if r.late {
				ref.rank += late
			}
			if key, ok := strings.CutSuffix(r.key, "*"); ok {
				t.prefix[key] = append(t.prefix[key], ref)
				t.marks[key[len(key)-1]] = true
			} else {
				t.exact[r.key] = append(t.exact[r.key], ref)
			}
		}
	}
	return t
})

// speaks gives the dialects whose scopes a scope is of.
func (t *table) speaks(scope []byte) uint64 {
	mask := t.anywhere
	for i, d := range t.dialects {
		for _, prefix := range d.scopes {
			if bytes.HasPrefix(scope, []byte(prefix)) {
				mask |= 1 << i
			}
		}
	}
	return mask
}

// find gives the rules that a key has among the dialects of mask, which the
// caller still has to look at, and what their "*" stood for. A rule for the whole
// key hides those for its beginning, and a longer beginning a shorter one.
func (t *table) find(key []byte, mask uint64) (refs []ruleRef, name []byte) {
	if refs := t.exact[string(key)]; spoken(refs, mask) {
		return refs, nil
	}
	for i := len(key) - 1; i >= 0; i-- {
		if t.marks[key[i]] {
			if refs := t.prefix[string(key[:i+1])]; spoken(refs, mask) {
				return refs, key[i+1:]
			}
		}
	}
	return nil, nil
}

// spoken reports whether one of the rules is of a dialect of mask.
func spoken(refs []ruleRef, mask uint64) bool {
	for i := range refs {
		if mask>>refs[i].dialect&1 != 0 {
			return true
		}
	}
	return false
}
