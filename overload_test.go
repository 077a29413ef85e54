package tarn_test

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
)

// TestD20_WritersFasterThanTheIndexerAreSlowedAndNothingIsRefused writes faster than
// graphs take it in. TARN_OVERLOAD_SECONDS=600 does so for ten minutes, over the same
// ids again and again, and compares the memory of the second half with the first.
func TestD20_WritersFasterThanTheIndexerAreSlowedAndNothingIsRefused(t *testing.T) {
	const dim, writers, batch, ids = 64, 4, 32, 5_000
	limit := 400
	seconds := fromEnv("TARN_OVERLOAD_SECONDS", 0)
	if seconds > 0 {
		limit = 4_000
	}
	c, _, _ := newCollection(t, tarn.CollectionConfig{Dim: dim, WriteMode: tarn.WriteStreaming,
		Streaming: &tarn.StreamingConfig{BufferSize: 256, BatchSize: batch}}, tarn.WithKnobs(collection.Knobs{ExactThreshold: -1, DeltaLimit: limit, SoftLimit: limit / 8, CheckpointBytes: 4 << 20, LogSegment: 1 << 20}))
	s, err := c.Stream()
	require.NoError(t, err)
	var over atomic.Bool
	var written, full atomic.Int64
	var waits []func() error
	last := make([]map[uint64][]float32, writers)
	for i := range writers {
		last[i] = map[uint64][]float32{}
		r := newRand(uint64(i))
		waits = append(waits, inBackgroundUntil(t, time.Duration(seconds)*time.Second+10*patience, func() error {
			for n := 0; !over.Load() && (seconds > 0 || n < unlessShort(30, 10)); n++ {
				var ps []tarn.Point
				for range batch {
					p := tarn.Point{ID: uint64(i*ids) + r.Uint64N(ids), Vector: vector(r, dim)}
					last[i][p.ID] = p.Vector
					ps = append(ps, p)
				}
				switch {
				case i%2 == 0: // a call waits
					if err := c.Upsert(ctx, ps...); err != nil {
						return err
					}
				default: // a stream takes what it has room for, and says so
					for len(ps) > 0 {
						k, _, err := s.TrySendBatch(ps)
						if ps = ps[k:]; err == nil {
							continue
						}
						full.Add(1)
						if err := settled(s.Send(ctx, ps[0])); err != nil {
							return err
						}
						ps = ps[1:]
					}
				}
				written.Add(batch)
			}
			return nil
		}))
	}
	var most, early, late, slots, first, tells int
	done := make(chan error, 1)
	go func() {
		var err error
		for _, wait := range waits {
			if e := wait(); e != nil {
				err = e
			}
		}
		done <- err
	}()
	begin := time.Now()
	for running := true; running; {
		select {
		case err := <-done:
			require.NoError(t, err)
			running = false
		case <-time.After(2 * time.Millisecond):
			st := c.Stats()
			most, slots = max(most, st.InDelta), max(slots, st.Points+st.Deleted)
			past := time.Since(begin).Seconds() / float64(max(seconds, 1))
			if seconds > 0 && past >= float64(tells)/20 {
				t.Logf("after %2.0f %%: %d points written, %d slots, %d rebuilds, %d MiB resident", 100*past, written.Load(), st.Points+st.Deleted, st.Rebuilds, resident(t)>>20)
				tells++
			}
			switch {
			case seconds == 0:
			case past < 0.5:
				early, first = max(early, resident(t)), slots
			case past < 1:
				late = max(late, resident(t))
			default:
				over.Store(true)
			}
		}
	}
	require.NoError(t, s.Flush(soon(t)))
	t.Logf("%d points written to at most %d slots, at most %d in the delta (limit %d), the stream full %d times, %d rebuilds; resident %d MiB in the first half, %d in the second",
		written.Load(), slots, most, limit, full.Load(), c.Stats().Rebuilds, early>>20, late>>20)
	require.LessOrEqual(t, most, limit+writers*batch+256, "each writer overshoots by its batch at most")
	require.GreaterOrEqual(t, most, limit/2, "writers were faster than the indexer")
	if seconds > 0 {
		require.LessOrEqual(t, late, max(early+early/4, early+64<<20), "memory stays bounded")
		require.LessOrEqual(t, slots, first+first/2, "so do slots")
		require.Positive(t, c.Stats().Rebuilds, "what is dead leaves the graph")
	}
	require.Eventually(t, func() bool { return c.Stats().InDelta == 0 }, 10*patience, 10*time.Millisecond, "the delta is empty")
	total := 0
	for _, have := range last {
		total += len(have)
		for id, v := range have {
			got, err := c.Get(ctx, id)
			require.NoError(t, err)
			require.Equal(t, v, got.Vector)
		}
	}
	require.Equal(t, total, c.Len(), "nothing refused that was accepted")
}

// smallerUnderRace halves a count under the race detector, which makes each look at a link
// of a graph many times as slow.
func smallerUnderRace(n int) int {
	if raceOn {
		return n / 2
	}
	return n
}

// resident returns the memory of this process, 0 where the system does not say.
func resident(t testing.TB) int {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, pages int
	_, err = fmt.Sscan(string(text), &size, &pages)
	require.NoError(t, err)
	return pages * os.Getpagesize()
}

// TestD20_ARebuildEndsThoughEveryPointIsReplacedInEachRound has writers that are as
// fast as a rebuild: before each round they replace every point, for as long as there
// is room. A rebuild that left the room to the indexer of the graph it replaces would
// go on for as many rounds as it may, with as much to do in the last as in the first.
func TestD20_ARebuildEndsThoughEveryPointIsReplacedInEachRound(t *testing.T) {
	const allowed = 6 // rounds: two before it is seen, two to converge, and what lies within the delta
	n, limit := smallerUnderRace(2_000), smallerUnderRace(200)
	hooks := newSteps()
	w := newWorld(t, tarn.CollectionConfig{Dim: dim, WriteMode: tarn.WriteStreaming}, collection.Knobs{ExactThreshold: -1, DeltaLimit: limit, SoftLimit: 20, FewDeaths: 1 << 30, Hook: hooks.hook})
	w.upsert(t, points(w.r, 0, n, dim)...)

	var over atomic.Bool
	var replaced atomic.Int64
	t.Cleanup(func() { over.Store(true) })
	wait := inBackground(t, func() error {
		r := newRand(9)
		for id := uint64(0); !over.Load(); id = (id + 1) % uint64(n) {
			if err := w.c.Upsert(ctx, tarn.Point{ID: id, Vector: vector(r, dim)}); err != nil {
				return err
			}
			replaced.Add(1)
		}
		return nil
	})
	rounds := 0
	hooks.call("rebuild: before audit", func() { hooks.call("rebuild: round", nil) })
	hooks.call("rebuild: round", func() {
		if rounds++; rounds > allowed {
			return
		}
		from := replaced.Load()
		eventually(t, "every point is replaced, or there is no room", func() bool {
			return replaced.Load() >= from+int64(n) || rounds > 2 && w.c.Stats().InDelta >= limit
		})
	})
	require.NoError(t, w.c.Rebuild(ctx, tarn.IndexConfig{}))
	over.Store(true)
	require.NoError(t, wait())
	require.LessOrEqual(t, rounds, allowed)
	require.Equal(t, int64(1), w.c.Stats().Rebuilds)
	eventually(t, "the indexer goes on", func() bool { return w.c.Stats().InDelta == 0 })
	require.Equal(t, n, w.c.Len())
}

// TestD20_WhatIsWrittenWhileARebuildEndsFitsTheDelta has a writer that replaces points
// while a rebuild asks once more for what was pushed out, and while it is about to swap
// the graphs: for as long as there is room, or not quite a full delta each time. The
// new graph's delta holds what is written then: if the old graph's were emptied meanwhile
// there would be no end to it.
func TestD20_WhatIsWrittenWhileARebuildEndsFitsTheDelta(t *testing.T) {
	const limit, smallRest = 600, 256 // what is written is more than is left to the new graph's delta
	n := smallerUnderRace(1_500)
	for _, many := range []int{limit - 50, 4 * limit} {
		t.Run(fmt.Sprint(many), func(t *testing.T) {
			hooks := newSteps()
			w := newWorld(t, tarn.CollectionConfig{Dim: dim, WriteMode: tarn.WriteStreaming}, collection.Knobs{ExactThreshold: -1, DeltaLimit: limit, SoftLimit: 20, FewDeaths: 1 << 30, Hook: hooks.hook})
			w.upsert(t, points(w.r, 0, n, dim)...)
			eventually(t, "all is indexed", func() bool { return w.c.Stats().InDelta == 0 })

			var over atomic.Bool
			var wanted, replaced atomic.Int64
			t.Cleanup(func() { over.Store(true) })
			wait := inBackground(t, func() error {
				r := newRand(9)
				for !over.Load() {
					if replaced.Load() == wanted.Load() {
						runtime.Gosched()
						continue
					}
					p := tarn.Point{ID: uint64(replaced.Load()) % uint64(n), Vector: vector(r, dim)}
					if err := w.c.Upsert(ctx, p); err != nil {
						return err
					}
					replaced.Add(1)
				}
				return nil
			})
			hold := func() {
				wanted.Store(replaced.Load() + int64(many))
				type state struct {
					replaced int64
					delta    int
				}
				last, still := state{-1, 0}, 0
				eventually(t, "they are replaced and indexed, or there is no room", func() bool {
					now := state{replaced.Load(), w.c.Stats().InDelta}
					if now != last {
						last, still = now, 0
					}
					still++
					return now == state{wanted.Load(), 0} || still > 20
				})
				wanted.Store(replaced.Load())
			}
			asked, most := 0, 0
			hooks.call("rebuild: before audit", hold)
			hooks.call("rebuild: before asking again", func() {
				if asked++; asked <= 6 {
					hold()
				}
			})
			hooks.call("rebuild: before publication", hold)
			hooks.call("rebuild: after publication", func() { most = w.c.Stats().InDelta })
			require.NoError(t, w.c.Rebuild(ctx, tarn.IndexConfig{}))
			over.Store(true)
			require.NoError(t, wait())
			require.Positive(t, asked)
			require.LessOrEqual(t, most, limit+smallRest, "what the new graph does not hold")
			eventually(t, "the indexer goes on", func() bool { return w.c.Stats().InDelta == 0 })
			require.Equal(t, n, w.c.Len())
		})
	}
}
