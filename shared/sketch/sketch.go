// Package sketch holds the mergeable summaries that roll-ups keep: Latency for
// quantiles and Distinct for the number of distinct strings. Both are sums in
// the sense that matters for an idempotent log: the order and grouping of Add
// and Merge never changes the result, and equal content has equal bytes.
//
// The binary forms are Pulse's own and are stored: a change needs a new
// version byte beside the old ones.
package sketch

import "errors"

// errDamaged is what every decoder answers for bytes that it did not write.
var errDamaged = errors.New("sketch is damaged")
