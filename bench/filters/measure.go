package main

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
)

const (
	k      = 10
	target = 0.95 // recall at which ways are compared
	takes  = 5
	again  = 10  // takes of a search that seems to be above the bound, each between the same others
	bound  = 1.2 // see I3
	walked = 0.1 // the share from which on the ordinary walk is measured: below it takes longer than anybody waits
)

var beams = []int{16, 32, 64, 128, 256}

// ways are the stores that a set is opened as: under a filter their searches go one
// way each.
type ways struct{ chosen, walk, hops *tarn.Collection }

func openWays(ctx context.Context, dir string) (w ways, err error) {
	for _, o := range []struct {
		c **tarn.Collection
		k collection.Knobs
	}{
		{&w.chosen, collection.Knobs{}},
		{&w.walk, collection.Knobs{NoFilterScan: true, PlainShare: -1}},
		{&w.hops, collection.Knobs{NoFilterScan: true, PlainShare: 2}},
	} {
		if *o.c, err = open(ctx, dir, o.k); err != nil {
			return w, err
		}
	}
	return w, nil
}

func (w ways) close() {
	for _, c := range []*tarn.Collection{w.chosen, w.walk, w.hops} {
		if c != nil {
			c.Close()
		}
	}
}

// cell is what one set under one kind of filter of one share was measured as.
type cell struct {
	set, kind          string
	share              float64
	matches            int
	scan               float64 // µs, recall 1
	walk, hops, chosen curve
	plain              []float64 // µs by beam
	bounds             []float64 // per beam and query, see I3
	first              []float64 // the same before those above the bound were asked again
}

// curve is a way by beam.
type curve struct{ micros, recall []float64 }

func (w ways) measure(ctx context.Context, x *subject, kind string, share float64, asked []question) (*cell, error) {
	c := &cell{set: x.Name, kind: kind, share: share}
	all, err := w.chosen.Search(ctx, asked[0].query, tarn.DefaultMaxK, tarn.WithFilter(asked[0].filter), tarn.WithExact(), tarn.WithoutPayload())
	if err != nil {
		return nil, err
	}
	if c.matches = len(all); c.matches == tarn.DefaultMaxK {
		c.matches = int(share * float64(len(x.Base)))
	}
	for _, ef := range beams {
		if err := w.beam(ctx, c, ef, asked); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// beam measures all ways by one beam: all questions one way, then the next, so that
// none finds in the caches what the way before it left there for the same query.
func (w ways) beam(ctx context.Context, c *cell, ef int, asked []question) error {
	all := []take{
		{c: w.chosen, opts: []tarn.SearchOption{tarn.WithExact()}, filtered: true},
		{c: w.chosen},
		{c: w.chosen, filtered: true},
		{c: w.hops, filtered: true},
		{c: w.walk, filtered: true},
	}
	if c.share < walked {
		all = all[:len(all)-1]
	}
	for range takes {
		for i := range all {
			if err := all[i].ask(ctx, ef, asked); err != nil {
				return err
			}
		}
	}
	scan, plain, chosen := &all[0], &all[1], &all[2]
	for i := range asked {
		parts := chosen.micros[i] / (scan.micros[i] + plain.micros[i])
		c.first = append(c.first, parts)
		if parts > bound {
			var err error
			if parts, err = alike(ctx, scan, plain, chosen, ef, asked, i); err != nil {
				return err
			}
		}
		c.bounds = append(c.bounds, parts)
	}
	c.scan += mean(scan.micros) / float64(len(beams))
	c.plain = append(c.plain, mean(plain.micros))
	for i, to := range []*curve{&c.chosen, &c.hops, &c.walk}[:len(all)-2] {
		to.micros = append(to.micros, mean(all[i+2].micros))
		to.recall = append(to.recall, all[i+2].recall(scan))
	}
	return nil
}

// take is all questions of a cell, asked one way.
type take struct {
	c        *tarn.Collection
	opts     []tarn.SearchOption
	filtered bool
	micros   []float64 // by question, the shortest so far
	near     [][]tarn.Result
}

func (t *take) ask(ctx context.Context, ef int, asked []question) error {
	first := t.near == nil
	for i, a := range asked {
		near, micros, err := t.one(ctx, ef, a)
		if err != nil {
			return err
		}
		if first {
			t.micros, t.near = append(t.micros, micros), append(t.near, near)
			continue
		}
		t.micros[i] = min(t.micros[i], micros)
	}
	return nil
}

// one asks one question.
func (t *take) one(ctx context.Context, ef int, a question) (near []tarn.Result, micros float64, err error) {
	opts := append(slices.Clone(t.opts), tarn.WithEf(ef), tarn.WithoutPayload())
	if t.filtered {
		opts = append(opts, tarn.WithFilter(a.filter))
	}
	start := time.Now()
	near, err = t.c.Search(ctx, a.query, k, opts...)
	return near, time.Since(start).Seconds() * 1e6, err
}

// alike is the bound of one question when each way finds in the caches what the other
// questions of its row have left there, asked as the store chooses. Asked in a row,
// exact scans find there what the scan before them has read; the one scan among walks
// does not.
func alike(ctx context.Context, scan, plain, chosen *take, ef int, asked []question, i int) (float64, error) {
	best := [3]float64{math.Inf(1), math.Inf(1), math.Inf(1)}
	for range again {
		for j, t := range []*take{scan, plain, chosen} {
			for n := 1; n < len(asked); n++ {
				if _, _, err := chosen.one(ctx, ef, asked[(i+n)%len(asked)]); err != nil {
					return 0, err
				}
			}
			_, micros, err := t.one(ctx, ef, asked[i])
			if err != nil {
				return 0, err
			}
			best[j] = min(best[j], micros)
		}
	}
	return best[2] / (best[0] + best[1]), nil
}

// recall is the share of what the exact answers hold, ties by distance.
func (t *take) recall(exact *take) float64 {
	hits, of := 0, 0
	for i, truth := range exact.near {
		for _, r := range t.near[i] {
			if r.Distance <= truth[len(truth)-1].Distance {
				hits++
			}
		}
		of += len(truth)
	}
	return float64(hits) / float64(max(1, of))
}

func mean(of []float64) float64 {
	sum := 0.0
	for _, v := range of {
		sum += v
	}
	return sum / float64(len(of))
}

// at returns the time at a recall, between the two beams around it; 0 if the widest
// is below.
func (c curve) at(recall float64) float64 {
	for i, r := range c.recall {
		if r < recall {
			continue
		}
		if i == 0 || r <= c.recall[i-1] {
			return c.micros[i]
		}
		part := (recall - c.recall[i-1]) / (r - c.recall[i-1])
		return math.Exp(math.Log(c.micros[i-1])*(1-part) + math.Log(c.micros[i])*part)
	}
	return 0
}
