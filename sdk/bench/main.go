// Command bench tells what a wrapped call costs beside a bare one, from the times
// that the SDKs' own programs measured: a line for each call on the standard input,
// with the kind of the call, the number of its block, bare or wrapped, and
// milliseconds, between tabs. -pulse names the row.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
)

// shares are the percentiles that are shown.
var shares = []float64{0.5, 0.9, 0.99}

// resamples of the blocks, of which the interval is made.
const resamples = 2000

func main() {
	pulse := flag.String("pulse", "", "what the Pulse of these calls does")
	flag.Parse()
	if err := run(os.Stdin, os.Stdout, *pulse); err != nil {
		log.Fatal(err)
	}
}

// block is a run of bare calls and one of wrapped ones, in milliseconds.
type block struct{ bare, wrapped []float64 }

func run(from io.Reader, to io.Writer, pulse string) error {
	kinds, blocks, err := read(from)
	if err != nil {
		return err
	}
	for _, kind := range kinds {
		of := blocks[kind]
		bare, wrapped := joined(of)
		fmt.Fprintf(to, "%-10s %-24s %6d", pulse, kind, len(bare))
		for _, share := range shares {
			low, high := interval(of, share)
			b, w := at(bare, share), at(wrapped, share)
			fmt.Fprintf(to, " | p%.0f %7.3f %7.3f %+7.3f (%+.3f to %+.3f)", share*100, b, w, w-b, low, high)
		}
		fmt.Fprintln(to)
	}
	return nil
}

// read gives the kinds of calls in their order, and the blocks of each.
func read(from io.Reader) (kinds []string, blocks map[string][]block, err error) {
	blocks = map[string][]block{}
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		kind, number, side, ms, err := parse(lines.Text())
		if err != nil {
			return nil, nil, fmt.Errorf("line %q: %w", lines.Text(), err)
		}
		if blocks[kind] == nil {
			kinds = append(kinds, kind)
		}
		for number >= len(blocks[kind]) {
			blocks[kind] = append(blocks[kind], block{})
		}
		b := &blocks[kind][number]
		if side == "bare" {
			b.bare = append(b.bare, ms)
		} else {
			b.wrapped = append(b.wrapped, ms)
		}
	}
	return kinds, blocks, lines.Err()
}

func parse(line string) (kind string, number int, side string, ms float64, err error) {
	cells := strings.Split(line, "\t")
	if len(cells) != 4 || cells[2] != "bare" && cells[2] != "wrapped" {
		return "", 0, "", 0, fmt.Errorf("want kind, block, bare or wrapped, and milliseconds")
	}
	if number, err = strconv.Atoi(cells[1]); err != nil || number < 0 {
		return "", 0, "", 0, fmt.Errorf("block %q is no number", cells[1])
	}
	ms, err = strconv.ParseFloat(cells[3], 64)
	return cells[0], number, cells[2], ms, err
}

func joined(blocks []block) (bare, wrapped []float64) {
	for _, b := range blocks {
		bare, wrapped = append(bare, b.bare...), append(wrapped, b.wrapped...)
	}
	slices.Sort(bare)
	slices.Sort(wrapped)
	return bare, wrapped
}

// interval gives the ends of the 95% interval of the difference of a percentile, by
// bootstrap: blocks and not calls are drawn, since neighbours have the machine's
// ups and downs in common.
func interval(blocks []block, share float64) (low, high float64) {
	differences := make([]float64, resamples)
	random := rand.New(rand.NewPCG(1, 2)) // the same figures each time
	for i := range differences {
		drawn := make([]block, len(blocks))
		for j := range drawn {
			drawn[j] = blocks[random.IntN(len(blocks))]
		}
		bare, wrapped := joined(drawn)
		differences[i] = at(wrapped, share) - at(bare, share)
	}
	slices.Sort(differences)
	return at(differences, 0.025), at(differences, 0.975)
}

// at is a percentile of times in order.
func at(sorted []float64, share float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(float64(len(sorted)-1)*share)]
}
