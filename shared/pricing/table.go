package pricing

import (
	_ "embed" // the price data
	"strings"
	"sync"
	"time"
)

// data is a line for each provider, model and date from which a price applies,
// sorted; see the head of the file for its form.
//
//go:embed data/prices.tsv
var data string

// Default is the table of published prices that this version of Pulse comes
// with. It is made when it is first asked for, in about a millisecond, and holds
// 64 KiB beside the data, which stay in the binary as they are.
func Default() *Table { return defaultTable() }

var defaultTable = sync.OnceValue(func() *Table { return newTable(data) })

// Table finds prices by provider and model. It does not change once made, so any
// number of goroutines may use it. A nil Table has no prices.
type Table struct {
	text string
	// slots is a hash table, open and half empty at most, of where in text the
	// first line of each provider and model begins, plus one; 0 is free.
	slots []uint32
}

// newTable makes a table of text, whose lines must be sorted.
func newTable(text string) *Table {
	size := 2
	for size < 2*(strings.Count(text, "\n")+1) {
		size *= 2
	}
	t := &Table{text: text, slots: make([]uint32, size)}
	before := ""
	for at := 0; at < len(text); {
		line := text[at:]
		if end := strings.IndexByte(line, '\n'); end >= 0 {
			line = line[:end]
		}
		if provider, model, _ := keysOf(line); model != "" {
			if key := line[:len(provider)+1+len(model)]; key != before {
				*t.slot(provider, model) = uint32(at) + 1
				before = key
			}
		}
		at += len(line) + 1
	}
	return t
}

// keysOf splits a line of the data. A comment has no model.
func keysOf(line string) (provider, model, rest string) {
	if strings.HasPrefix(line, "#") {
		return "", "", ""
	}
	provider, rest, _ = strings.Cut(line, "\t")
	model, rest, _ = strings.Cut(rest, "\t")
	return provider, model, rest
}

// slot is where a provider's model is, or would be put.
func (t *Table) slot(provider, model string) *uint32 {
	mask := uint64(len(t.slots) - 1)
	for i := hash(provider, model) & mask; ; i = (i + 1) & mask {
		s := &t.slots[i]
		if *s == 0 {
			return s
		}
		if p, m, _ := keysOf(t.text[*s-1:]); p == provider && m == model {
			return s
		}
	}
}

// hash is FNV-1a of both names.
func hash(provider, model string) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for i := range len(provider) {
		h = (h ^ uint64(provider[i])) * prime
	}
	h = (h ^ '\t') * prime
	for i := range len(model) {
		h = (h ^ uint64(model[i])) * prime
	}
	return h ^ h>>32
}

// listing is a line of the data: what a provider asks for a model from a day on.
type listing string

// split gives the parts of l: both keys, the day, and the prices as parseRates
// reads them.
func (l listing) split() (provider, model, from, prices string) {
	provider, model, rest := keysOf(string(l))
	from, prices, _ = strings.Cut(rest, "\t")
	return provider, model, from, prices
}

// prices are those of l.
func (l listing) prices() string {
	_, _, _, prices := l.split()
	return prices
}

// on gives the line of a provider's model on a day: the latest that is not after
// it, or the first if all are. Both names are keys.
func (t *Table) on(provider, model string, day date) (found listing, ok bool) {
	if t == nil || model == "" {
		return "", false
	}
	at := *t.slot(provider, model)
	if at == 0 {
		return "", false
	}
	for text := t.text[at-1:]; text != ""; {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		p, m, from, _ := listing(line).split()
		if p != provider || m != model || (found != "" && from > string(day[:])) {
			break
		}
		found = listing(line)
	}
	return found, found != ""
}

// date is a day of UTC as 2006-01-02, which sorts as text.
type date [10]byte

func dayOf(t time.Time) (d date) {
	t.UTC().AppendFormat(d[:0], time.DateOnly)
	return d
}
