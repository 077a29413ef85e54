package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/cmd/tarn/internal/progress"
	"github.com/tarndb/tarn/cmd/tarn/internal/sweep"
)

func benchCommand() *cli.Command {
	return storeCommand{
		name: "bench", usage: "measure recall and latency of your own searches over the beam", collection: true,
		text: "Asks with vectors half way between a random point and one of its neighbours: new to the store, and where its\n" +
			"points are. What is right is found by comparing with every point. --plot draws recall over latency into a file, which must not exist.",
		flags: []cli.Flag{
			&cli.IntFlag{Name: "queries", Usage: "ask `N` times per beam", Value: 200},
			&cli.IntFlag{Name: "k", Usage: "for `N` points", Value: 10},
			&cli.IntSliceFlag{Name: "ef", Usage: "beams `N,...`", Value: []int{10, 20, 40, 80, 160, 320}},
			&cli.Uint64Flag{Name: "seed", Usage: "`N` chooses the points", Value: 1},
			&cli.StringFlag{Name: "plot", Usage: "draw into `FILE`: .png, .svg or .pdf"},
		},
		run: runBench,
	}.command()
}

func runBench(ctx context.Context, r *request) error {
	k := r.cmd.Int("k")
	if n := r.cmd.Int("queries"); n < 1 {
		return usageError(fmt.Sprintf("--queries is %d: it must be at least 1", n))
	}
	queries, err := r.queries(ctx, r.cmd.Int("queries"))
	if err != nil {
		return err
	}
	show := progress.New(r.cmd.Root().ErrWriter)
	defer show.Stop()
	show.Start("comparing all points", len(queries), progress.Things)
	truth := make([][]tarn.Result, len(queries))
	for i, q := range queries {
		if truth[i], err = r.c.Search(ctx, q, k, tarn.WithExact(), tarn.WithoutPayload()); err != nil {
			return err
		}
		show.Set(i + 1)
	}
	points := []sweep.Point{}
	for _, ef := range r.cmd.IntSlice("ef") {
		show.Start(fmt.Sprintf("searching, beam %d", ef), len(queries), progress.Things)
		p, err := r.measure(ctx, queries, truth, k, ef, show.Set)
		if err != nil {
			return err
		}
		points = append(points, p)
	}
	show.Stop()
	if file := r.cmd.String("plot"); file != "" {
		title := fmt.Sprintf("%s: %s points of %d dimensions", r.c.Name(), count(r.c.Len()), r.c.Config().Dim)
		if _, err := writeNew(file, func(w io.Writer) error { return sweep.Draw(w, file, title, k, points) }); err != nil {
			return err
		}
	}
	if r.json() {
		return r.printJSON(map[string]any{"k": k, "queries": len(queries), "points": r.c.Len(), "sweep": points})
	}
	rows := [][]string{{"ef", fmt.Sprintf("recall@%d", k), "p50", "p99", "searches a second"}}
	for _, p := range points {
		rows = append(rows, []string{
			fmt.Sprint(p.Ef), fmt.Sprintf("%.4f", p.Recall), fmt.Sprintf("%.0f µs", p.P50), fmt.Sprintf("%.0f µs", p.P99), count(int(p.PerSecond)),
		})
	}
	return table(r.out(), rows)
}

// queries returns vectors that lie between neighbours.
func (r *request) queries(ctx context.Context, n int) ([][]float32, error) {
	if r.c.Len() < 2 {
		return nil, fmt.Errorf("the collection has %d points: there is nothing to measure", r.c.Len())
	}
	var all [][]float32
	rng := rand.New(rand.NewPCG(r.cmd.Uint64("seed"), 0))
	each, seen := 0, 0
	keep := make([][]float32, 0, min(n, r.c.Len()))
	for p, err := range r.c.All(ctx) { // a sample of all, in one pass
		if err != nil {
			return nil, err
		}
		if seen++; len(keep) < n {
			keep = append(keep, p.Vector)
		} else if each = rng.IntN(seen); each < n {
			keep[each] = p.Vector
		}
	}
	for _, v := range keep {
		near, err := r.c.Search(ctx, v, 2, tarn.WithVectors(), tarn.WithoutPayload())
		if err != nil {
			return nil, err
		}
		q := slices.Clone(v)
		for i := range q {
			q[i] = (q[i] + near[len(near)-1].Vector[i]) / 2
		}
		all = append(all, q)
	}
	return all, nil
}

func (r *request) measure(ctx context.Context, queries [][]float32, truth [][]tarn.Result, k, ef int, done func(int)) (sweep.Point, error) {
	took := make([]float64, len(queries))
	right, of := 0, 0
	total := 0.0
	for i, q := range queries {
		start := time.Now()
		found, err := r.c.Search(ctx, q, k, tarn.WithEf(ef), tarn.WithoutPayload())
		took[i] = float64(time.Since(start)) / float64(time.Microsecond)
		done(i + 1)
		if err != nil {
			return sweep.Point{}, err
		}
		total += took[i]
		of += len(truth[i])
		right += hits(found, truth[i])
	}
	slices.Sort(took)
	at := func(share float64) float64 {
		return took[int(math.Min(share*float64(len(took)), float64(len(took)-1)))]
	}
	return sweep.Point{Ef: ef, Recall: float64(right) / float64(of), P50: at(0.5), P99: at(0.99), PerSecond: 1e6 * float64(len(took)) / total}, nil
}

// hits counts the results that are as near as the last right one.
func hits(found, truth []tarn.Result) int {
	if len(truth) == 0 {
		return 0
	}
	n := 0
	for _, f := range found {
		if f.Distance <= truth[len(truth)-1].Distance {
			n++
		}
	}
	return min(n, len(truth))
}
