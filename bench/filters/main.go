package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/tarndb/tarn/bench/internal/data"
	"github.com/tarndb/tarn/internal/kernel"
)

func main() {
	log.SetFlags(0)
	dir := flag.String("dir", filepath.Join(os.TempDir(), "tarn-filters"), "where the stores are, and stay")
	only := flag.String("set", "", "one set; all if empty")
	make := flag.Bool("build", false, "make the stores and measure nothing")
	out := flag.String("out", "bench/results/filter-ways.md", "the table; - is the standard output")
	flag.Parse()
	if err := run(context.Background(), *dir, *only, *make, *out); err != nil {
		log.Fatal("filters: ", err)
	}
}

func run(ctx context.Context, dir, only string, make bool, out string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	sets := data.Names
	if only != "" {
		sets = []string{only}
	}
	var text, end bytes.Buffer
	head(&text)
	for _, set := range sets {
		cells, err := measure(ctx, set, filepath.Join(dir, set), make)
		if err != nil {
			return fmt.Errorf("%s: %w", set, err)
		}
		for _, c := range cells {
			c.row(&text)
		}
		verdict(&end, set, cells)
	}
	text.Write(end.Bytes())
	switch {
	case make:
		return nil
	case out == "-":
		_, err := text.WriteTo(os.Stdout)
		return err
	}
	return os.WriteFile(out, text.Bytes(), 0o644)
}

// measure measures all cells of a set, whose store is made first if it is not there.
func measure(ctx context.Context, set, dir string, only bool) ([]*cell, error) {
	x, err := load(set)
	if err != nil {
		return nil, err
	}
	if err := build(ctx, x, dir); err != nil || only {
		return nil, err
	}
	w, err := openWays(ctx, dir)
	defer w.close()
	if err != nil {
		return nil, err
	}
	var cells []*cell
	for _, kind := range kinds {
		for _, share := range shares {
			asked := kind.ask(x, share)
			if len(asked) == 0 {
				continue
			}
			c, err := w.measure(ctx, x, kind.name, share, asked)
			if err != nil {
				return nil, err
			}
			cells = append(cells, c)
		}
	}
	return cells, nil
}

func head(w io.Writer) {
	tier, _ := kernel.Tier()
	fmt.Fprintf(w, "## The ways of a search under a filter\n\n%s, %d CPUs, %s, %s, kernel %s, %s.\n\n",
		processor(), runtime.NumCPU(), runtime.GOOS, runtime.Version(), tier, time.Now().UTC().Format(time.DateOnly))
	fmt.Fprintf(w, "µs a search, k = %d, one thread; scan: of all that matches, recall 1; the others at recall@10 %v by interpolation\n"+
		"between beams %v, `-` where the widest is below. `chosen`: what the store does; recall and bound at ef 64 and over\n"+
		"all beams; bound: time in parts of scan + search without a filter, query by query; see doc.go for those above 1.2. Repeat it with\n\n"+
		"    go run ./bench/filters -build && go run ./bench/filters\n\n", k, target, beams)
	fmt.Fprint(w, "| set | what matches lies | s | matches | scan | walk | two hops | chosen | recall at ef 64 | least recall from ef 64 on | bound, median | 95 % | most |\n|"+strings.Repeat("---|", 13)+"\n")
}

func (c *cell) row(w io.Writer) {
	at := func(v float64) string {
		if v == 0 {
			return "-"
		}
		return fmt.Sprintf("%.0f", v)
	}
	const usual = 2 // of beams
	b := slices.Sorted(slices.Values(c.bounds))
	fmt.Fprintf(w, "| %s | %s | %v | %d | %.0f | %s | %s | %s | %.3f | %.3f | %.2f | %.2f | %.2f |\n", c.set, c.kind, c.share, c.matches, c.scan,
		at(c.walk.at(target)), at(c.hops.at(target)), at(c.chosen.at(target)), c.chosen.recall[usual], slices.Min(c.chosen.recall[usual:]),
		b[len(b)/2], b[len(b)*95/100], b[len(b)-1])
}

// verdict says of a set how its searches stand to the bound.
func verdict(w io.Writer, set string, cells []*cell) {
	if len(cells) == 0 {
		return
	}
	before, over, of, worst, middle := 0, 0, 0, 0.0, 0.0
	for _, c := range cells {
		middle = max(middle, slices.Sorted(slices.Values(c.bounds))[len(c.bounds)/2])
		for i, b := range c.bounds {
			of++
			if c.first[i] > bound {
				before++
			}
			if b > bound {
				over++
			}
			worst = max(worst, b)
		}
	}
	fmt.Fprintf(w, "\n%s: the largest median of a row is %.2f; of %d single searches %d took more than %v asked way by way, %d of them asked between the same other searches; the worst %.2f.\n",
		set, middle, of, before, bound, over, worst)
}

func processor() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
