package trace

import "time"

// Limits of what is accepted. They bound a row, an index entry and a sum;
// prompts and answers are bounded only by the request body.
const (
	MaxBatch        = 100           // records in one request, as the contract has it
	MaxIDBytes      = 512           // trace, span, parent and session ids
	MaxNameBytes    = 1024          // provider, model, tool, service, agent and event names, finish reasons
	MaxPathBytes    = 4096          // cwd and file paths
	MaxTokens       = 1<<53 - 1     // what a JSON number holds exactly
	MaxDurationMS   = float64(1e13) // about 300 years
	maxSummedUS     = 1e13          // what one duration adds to a sum at most (115 days), so that sums stay within int64
	MaxCostCents    = float64(1e9)  // ten million dollars for one call
	NanoUSDPerCent  = 10_000_000
	MaxNestingDepth = 200 // of JSON within one record

	MaxTraceServices = 32 // names that a trace's row lists
	MaxTraceTags     = 64
)

// MinTime and MaxTime bound a record's timestamp: [MinTime, MaxTime). Both
// engines and every roll-up hold such times without loss.
var (
	MinTime = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	MaxTime = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
)

// NanoUSD turns cents, as they travel on the wire, into the integer that is
// stored, rounding to the nearest nano-dollar.
func NanoUSD(cents float64) int64 { return int64(cents*NanoUSDPerCent + 0.5) }

// Cents turns stored nano-dollars into the wire's cents.
func Cents(nano int64) float64 { return float64(nano) / NanoUSDPerCent }
