package demo

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/tarndb/tarn/cmd/tarn/internal/godoc"
	"github.com/tarndb/tarn/cmd/tarn/internal/progress"
)

const (
	shown      = 5                // questions whose answers are printed, and answers of each
	settleTime = 30 * time.Second // how long the index is given to take in what was streamed last
)

// recall asks every question at the default ef and compares the answers with
// the exact ones, which are computed here on the live symbols.
func (d *demo) recall(ctx context.Context) error {
	if err := d.settle(ctx); err != nil {
		return err
	}
	exact := d.newExact()
	d.show.Start("asking questions", len(d.set.Queries), progress.Things)
	hits, wanted := 0, 0
	for i := range d.set.Queries {
		q := &d.set.Queries[i]
		answer, err := d.c.Search(ctx, q.Vector, k)
		if err != nil {
			return fmt.Errorf("question %d: %w", q.ID, err)
		}
		distances := exact.distances(q.Vector)
		kth := exact.kth(distances)
		for _, r := range answer {
			// A point at the same distance as the last of the exact ones is as good as it.
			if at, ok := exact.at[r.ID]; ok && distances[at] <= kth {
				hits++
			}
		}
		wanted += min(k, len(distances))
		if i%max(1, len(d.set.Queries)/shown) == 0 && len(d.report.Questions) < shown {
			a := Question{Text: q.Text}
			for _, r := range answer[:min(shown, len(answer))] {
				a.Nearest = append(a.Nearest, nearest(&d.set.Symbols[r.ID-1], r.Distance))
			}
			d.report.Questions = append(d.report.Questions, a)
		}
		d.show.Add(1)
	}
	d.report.RecallAt10 = float64(hits) / float64(wanted)
	return nil
}

// settle waits for the delta to become empty, so that recall is the graph's.
func (d *demo) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		stats := d.c.Stats()
		d.report.InGraph, d.report.InDelta = stats.InGraph, stats.InDelta
		if stats.InDelta == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			if ctx.Err() == context.DeadlineExceeded {
				return nil // the report says how many were left
			}
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// exact scans the live symbols in float64.
type exact struct {
	symbols []*godoc.Symbol
	norms   []float64
	at      map[uint64]int // id -> place in symbols
}

func (d *demo) newExact() *exact {
	e := &exact{at: map[uint64]int{}}
	live, _ := d.ledger.live()
	for _, id := range live {
		s := &d.set.Symbols[id-1]
		e.at[id] = len(e.symbols)
		e.symbols = append(e.symbols, s)
		e.norms = append(e.norms, math.Sqrt(dot(s.Vector, s.Vector)))
	}
	return e
}

func (e *exact) distances(query []float32) []float64 {
	norm := math.Sqrt(dot(query, query))
	out := make([]float64, len(e.symbols))
	for i, s := range e.symbols {
		out[i] = 1 - dot(query, s.Vector)/(norm*e.norms[i])
	}
	return out
}

// kth returns the distance of the last of the k nearest.
func (e *exact) kth(distances []float64) float64 {
	sorted := slices.Sorted(slices.Values(distances))
	return sorted[min(k, len(sorted))-1]
}

func dot(a, b []float32) float64 {
	var sum float64
	for i, v := range a {
		sum += float64(v) * float64(b[i])
	}
	return sum
}

func nearest(s *godoc.Symbol, distance float32) Nearest {
	return Nearest{Symbol: s.Symbol, Distance: distance, Doc: strings.TrimSpace(s.Doc)}
}
