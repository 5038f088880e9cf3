// Command generate makes shared/pricing/data/prices.tsv out of the published
// lists that it names. It downloads them with pip into -cache unless they are
// there; what it writes depends on nothing else.
package main

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	cache := flag.String("cache", ".cache/prices", "directory of the downloaded packages")
	out := flag.String("o", "shared/pricing/data/prices.tsv", "file to write")
	flag.Parse()
	if err := run(*cache, *out); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(cache, out string) error {
	h := history{}
	for _, l := range lists {
		data, err := load(cache, l)
		if err != nil {
			return fmt.Errorf("list %s: %w", l.version, err)
		}
		models, err := convert(data)
		if err != nil {
			return fmt.Errorf("list %s: %w", l.version, err)
		}
		h.add(l.date, models)
	}
	h.addUndated()
	return os.WriteFile(out, h.file(), 0o644) //nolint:gosec // a source file of the repository, as the others are
}

// load gives a list out of the package that carries it.
func load(cache string, l list) ([]byte, error) {
	pattern := filepath.Join(cache, packageName+"-"+l.version+"-*.whl")
	found, err := filepath.Glob(pattern)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		if err := download(cache, l.version); err != nil {
			return nil, err
		}
		if found, err = filepath.Glob(pattern); err != nil || len(found) == 0 {
			return nil, fmt.Errorf("pip left no %s", pattern)
		}
	}
	wheel, err := zip.OpenReader(found[0])
	if err != nil {
		return nil, err
	}
	defer wheel.Close()
	f, err := wheel.Open(listFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != l.sha256 {
		return nil, fmt.Errorf("its SHA-256 is %x", sum)
	}
	return data, nil
}

func download(cache, version string) error {
	//nolint:gosec,noctx // the arguments are constants of this program, which a user may stop
	pip := exec.Command("python3", "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", cache, packageName+"=="+version)
	pip.Stdout, pip.Stderr = os.Stderr, os.Stderr
	return pip.Run()
}

// dated is what a model cost from a date on.
type dated struct {
	from   string
	listed listed
}

// history holds what each model cost, oldest first.
type history map[key][]dated

// add takes up the list of a date. A model that the list no longer names keeps
// its last price, which is still that of older calls. What the list only adds is
// taken to have been so before.
func (h history) add(from string, models map[key]listed) {
	for k, l := range models {
		past := h[k]
		last := len(past) - 1
		switch {
		case last < 0 || past[last].listed.changed(l):
			if last >= 0 && past[last].listed.losesAnswers(l) {
				continue
			}
			h[k] = append(past, dated{from, l})
		default:
			past[last].listed = l
		}
	}
}

// addUndated names models by their names without a date, as providers do, where
// the lists have only dated ones and all of them cost the same.
func (h history) addUndated() {
	issues := map[key][]key{}
	for k := range h {
		if undated, ok := cutDate(k.model); ok {
			stem := key{k.provider, undated}
			issues[stem] = append(issues[stem], k)
		}
	}
	for stem, dated := range issues {
		if h[stem] != nil {
			continue
		}
		slices.SortFunc(dated, func(a, b key) int { return strings.Compare(a.model, b.model) })
		newest := dated[len(dated)-1]
		same := !slices.ContainsFunc(dated, func(k key) bool {
			a, b := h.latest(k)[condition{}], h.latest(newest)[condition{}]
			return a["in"] != b["in"] || a["out"] != b["out"]
		})
		if same {
			h[stem] = h[newest]
		}
	}
}

func (h history) latest(k key) listed { return h[k][len(h[k])-1].listed }

// file is the price data.
func (h history) file() []byte {
	var out strings.Builder
	out.WriteString(`# Prices of models. Made by "make prices": do not edit.
# Source: the price lists in these releases of ` + packageName + ` on PyPI (MIT license, see NOTICE):
`)
	for _, l := range lists {
		fmt.Fprintf(&out, "#   %s of %s, SHA-256 of the list %s\n", l.version, l.date, l.sha256)
	}
	out.WriteString(`# Columns: provider, model, first day of the price, prices in dollars for a million tokens.
# "read" and "write" are of a cache, "?" is charged but not by the token, "|" begins other prices
# for a service tier, for prompts of more tokens than ">" says, or both. "search" is for a million searches.
`)
	var rows []string
	for k, past := range h {
		last := ""
		for _, d := range past {
			if line := d.listed.line(); line != last {
				rows = append(rows, k.provider+"\t"+k.model+"\t"+d.from+"\t"+line+"\n")
				last = line
			}
		}
	}
	slices.Sort(rows)
	for _, row := range rows {
		out.WriteString(row)
	}
	return []byte(out.String())
}
