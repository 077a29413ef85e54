package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/bench/internal/await"
	"github.com/tarndb/tarn/bench/internal/data"
)

// every is the length of a sample.
const every = 50 * time.Millisecond

// recording is a run as it is kept.
type recording struct {
	Set     string
	Machine string
	Samples []sample
	Events  []event
}

// sample is what one stretch of the run showed. Times are in seconds.
type sample struct {
	At         float64
	InDelta    int
	InGraph    int
	Rebuilding bool
	Searches   int
	Misses     int
	P50, P99   float64 // microseconds
}

type event struct {
	At   float64
	What string
}

// run is one recording under way.
type run struct {
	c     *tarn.Collection
	set   *data.Set
	begin time.Time
	rec   recording

	mu     sync.Mutex
	acked  int             // points whose write was acknowledged: ids below it
	took   []time.Duration // of the searches of this sample
	misses int
	err    error
}

// record fills a store with half of points, and lives with it.
func record(ctx context.Context, points int, machine string) (rec *recording, err error) {
	set, err := data.Load("debdocs-minilm")
	if errors.Is(err, data.ErrNoFolder) {
		set, err = data.Generate(data.Shape{N: points, Dim: 384, Intrinsic: 20, Metric: tarn.Cosine}), nil
	}
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "tarn-swap")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	db, err := tarn.Open(filepath.Join(dir, "db"), nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	c, err := db.CreateCollection(ctx, "swap", tarn.CollectionConfig{Dim: set.Dim(), Metric: set.Metric, WriteMode: tarn.WriteStreaming})
	if err != nil {
		return nil, err
	}
	r := &run{c: c, set: set, rec: recording{Set: set.Name, Machine: machine}}
	if err := r.write(ctx, points/2); err != nil {
		return nil, err
	}
	if _, err := await.Indexed(ctx, r.c); err != nil {
		return nil, err
	}
	r.begin = time.Now()
	watching, stop := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	watchers.Go(func() { r.search(watching) })
	watchers.Go(func() { r.sample(watching) })
	err = r.live(ctx, points)
	stop()
	watchers.Wait()
	return &r.rec, errors.Join(err, r.err)
}

// live is the story that the picture tells.
func (r *run) live(ctx context.Context, points int) error {
	quiet := func() { time.Sleep(2 * time.Second) }
	quiet()
	r.happens("burst")
	if err := r.write(ctx, points/4); err != nil {
		return err
	}
	if _, err := await.Indexed(ctx, r.c); err != nil {
		return err
	}
	quiet()
	r.happens("stream")
	rebuilt := make(chan error, 1)
	go func() {
		time.Sleep(time.Second)
		r.happens("rebuild")
		rebuilt <- r.c.Rebuild(ctx, tarn.IndexConfig{})
		r.happens("swapped")
	}()
	for {
		select {
		case err := <-rebuilt:
			quiet()
			return err
		case <-time.After(10 * time.Millisecond):
			if err := r.write(ctx, 8); err != nil {
				return errors.Join(err, <-rebuilt)
			}
		}
	}
}

func (r *run) happens(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rec.Events = append(r.rec.Events, event{time.Since(r.begin).Seconds(), what})
}

// vector returns the vector of an id.
func (r *run) vector(id int) []float32 { return r.set.Base[id%len(r.set.Base)] }

// write upserts the next n points in batches.
func (r *run) write(ctx context.Context, n int) error {
	for ; n > 0; n -= 64 {
		var batch []tarn.Point
		for i := range min(n, 64) {
			batch = append(batch, tarn.Point{ID: uint64(r.acked + i), Vector: r.vector(r.acked + i)})
		}
		if err := r.c.Upsert(ctx, batch...); err != nil {
			return err
		}
		r.mu.Lock()
		r.acked += len(batch)
		r.mu.Unlock()
	}
	return nil
}

// search asks for acknowledged points, the newest as often as all others.
func (r *run) search(ctx context.Context) {
	rng := rand.New(rand.NewPCG(1, 2))
	for ctx.Err() == nil {
		r.mu.Lock()
		acked := r.acked
		r.mu.Unlock()
		id := rng.IntN(acked)
		if rng.IntN(2) == 0 {
			id = acked - 1 - rng.IntN(min(acked, 500))
		}
		start := time.Now()
		found, err := r.c.Search(context.WithoutCancel(ctx), r.vector(id), 10, tarn.WithoutPayload())
		took := time.Since(start)
		r.mu.Lock()
		r.took = append(r.took, took)
		switch {
		case err != nil:
			r.err = err
		case len(found) == 0 || found[0].ID != uint64(id) && found[0].Distance > 1e-6:
			r.misses++
		}
		r.mu.Unlock()
	}
}

// sample notes what the last stretch showed.
func (r *run) sample(ctx context.Context) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		st := r.c.Stats()
		r.mu.Lock()
		slices.Sort(r.took)
		s := sample{At: time.Since(r.begin).Seconds(), InDelta: st.InDelta, InGraph: st.InGraph, Rebuilding: st.Rebuilding, Searches: len(r.took), Misses: r.misses}
		if n := len(r.took); n > 0 {
			s.P50, s.P99 = r.took[n/2].Seconds()*1e6, r.took[n*99/100].Seconds()*1e6
		}
		r.took, r.misses = r.took[:0], 0
		r.rec.Samples = append(r.rec.Samples, s)
		r.mu.Unlock()
	}
}

// summary says in a line what a recording shows.
func (rec *recording) summary() string {
	searches, misses, most := 0, 0, 0
	for _, s := range rec.Samples {
		searches, misses, most = searches+s.Searches, misses+s.Misses, max(most, s.InDelta)
	}
	return fmt.Sprintf("%d searches, %d misses, at most %d points in the delta", searches, misses, most)
}
