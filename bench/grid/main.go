package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"time"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/bench/internal/data"
	"github.com/tarndb/tarn/hnsw"
	"github.com/tarndb/tarn/internal/kernel"
)

var (
	ms    = []int{8, 12, 16, 24, 32}
	efcs  = []int{100, 200, 400}
	beams = []int{10, 14, 20, 28, 40, 56, 80, 112, 160, 224, 320, 450, 640}
)

const k = 10

func main() {
	n := flag.Int("n", 20_000, "vectors of a set")
	only := flag.String("only", "", "grid, exact or dead; all if empty")
	flag.Parse()
	if err := run(*n, *only); err != nil {
		fmt.Fprintln(os.Stderr, "grid:", err)
		os.Exit(1)
	}
}

func run(n int, only string) error {
	for _, set := range sets(n) {
		if only == "" || only == "dead" {
			if err := dead(set); err != nil {
				return err
			}
		}
		if only == "" || only == "grid" {
			if err := grid(set); err != nil {
				return err
			}
		}
		if only == "" || only == "exact" {
			if err := exact(set); err != nil {
				return err
			}
		}
	}
	return nil
}

// sets returns generated sets of several dimensions, and the real ones if they are there.
func sets(n int) []*data.Set {
	var all []*data.Set
	for _, dim := range []int{32, 128, 768} {
		all = append(all, data.Generate(data.Shape{N: n, Dim: dim, Intrinsic: min(dim, 24), Clusters: max(1, n/2_000), Metric: tarn.L2}))
	}
	for _, name := range data.Names {
		set, err := data.Load(name)
		if errors.Is(err, data.ErrNoFolder) {
			continue
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "grid:", err)
			continue
		}
		set.Queries, set.Truth = set.Queries[:min(300, len(set.Queries))], set.Truth[:min(300, len(set.Truth))]
		all = append(all, set.Head(n))
	}
	return all
}

func build(set *data.Set, m, efc int) (*hnsw.Index, error) {
	x, err := hnsw.NewIndex(hnsw.Config{Dim: set.Dim(), Metric: hnsw.Metric(set.Metric), M: m, EfConstruction: efc})
	if err != nil {
		return nil, err
	}
	_, err = x.AddAll(context.Background(), set.Base, 1)
	return x, err
}

// grid prints one set's table.
func grid(set *data.Set) error {
	fmt.Printf("\n%s, %d vectors of %d dimensions\n\n", set.Name, len(set.Base), set.Dim())
	fmt.Println("| M | efConstruction | distances an insert | links, bytes | recall at ef 64 | distances at 0.95 | at 0.99 |")
	fmt.Println("|---|---|---|---|---|---|---|")
	for _, m := range ms {
		for _, efc := range efcs {
			x, err := build(set, m, efc)
			if err != nil {
				return err
			}
			cost := float64(x.Graph().Distances()) / float64(len(set.Base))
			var curve [][2]float64 // recall, distances
			for _, ef := range beams {
				recall, work, err := ask(x, set, ef)
				if err != nil {
					return err
				}
				if curve = append(curve, [2]float64{recall, work}); recall >= 0.995 {
					break
				}
			}
			at64, _, err := ask(x, set, 64)
			if err != nil {
				return err
			}
			fmt.Printf("| %d | %d | %.0f | %d | %.4f | %s | %s |\n", m, efc, cost, (2*m+15)&^15*4+16, at64, at(curve, 0.95), at(curve, 0.99))
		}
	}
	return nil
}

// ask returns recall and distances per query of a beam.
func ask(x *hnsw.Index, set *data.Set, ef int) (recall, work float64, err error) {
	return askRows(x, set, nil, ef)
}

// askRows is ask of an index whose slots are not the set's rows: rows maps them, nil
// where they are.
func askRows(x *hnsw.Index, set *data.Set, rowOf map[uint32]uint32, ef int) (recall, work float64, err error) {
	judge := set.NewJudge(k)
	var near []hnsw.Neighbour
	before := x.Graph().Distances()
	for i, q := range set.Queries {
		if near, err = x.Search(context.Background(), q, k, ef, near); err != nil {
			return 0, 0, err
		}
		rows := make([]uint32, len(near))
		for j, n := range near {
			rows[j] = n.Slot
			if rowOf != nil {
				rows[j] = rowOf[n.Slot]
			}
		}
		judge.Add(i, rows)
	}
	return judge.Recall(), float64(x.Graph().Distances()-before) / float64(len(set.Queries)), nil
}

// at interpolates the distances at a recall.
func at(curve [][2]float64, recall float64) string {
	for i, p := range curve {
		switch {
		case p[0] < recall:
			continue
		case i == 0:
			return fmt.Sprintf("<= %.0f", p[1])
		}
		low := curve[i-1]
		share := (recall - low[0]) / (p[0] - low[0])
		return fmt.Sprintf("%.0f", math.Exp(math.Log(low[1])*(1-share)+math.Log(p[1])*share))
	}
	return "-"
}

// exact times a scan of all vectors against a walk through the graph with ef 64, by
// how many there are: medians of searches in turn.
func exact(set *data.Set) error {
	fmt.Printf("\n%s: µs a search, exactly and by the graph at ef %d\n\n| vectors | exact | graph |\n|---|---|---|\n", set.Name, hnsw.DefaultEf)
	for _, n := range []int{500, 1_000, 2_000, 4_000, 8_000} {
		if n > len(set.Base) {
			break
		}
		x, err := build(&data.Set{Metric: set.Metric, Base: set.Base[:n]}, 16, 200)
		if err != nil {
			return err
		}
		var took [2][]float64
		var q kernel.Query
		var found []kernel.Candidate
		var near []hnsw.Neighbour
		for round := range 3 {
			for _, v := range set.Queries {
				start := time.Now()
				if near, err = x.Search(context.Background(), v, k, n, near); err != nil { // a beam of all is a scan
					return err
				}
				middle := time.Now()
				q.Set(hnsw.Metric(set.Metric), v)
				if found, err = x.Graph().Search(context.Background(), &q, k, hnsw.DefaultEf, nil, nil, found); err != nil {
					return err
				}
				if round > 0 {
					took[0] = append(took[0], float64(middle.Sub(start).Nanoseconds()))
					took[1] = append(took[1], float64(time.Since(middle).Nanoseconds()))
				}
			}
		}
		fmt.Printf("| %d | %.0f | %.0f |\n", n, median(took[0])/1e3, median(took[1])/1e3)
	}
	return nil
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}
