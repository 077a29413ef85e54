package tarn_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
)

// loadBatch is the nth batch of a producer: made anew whenever it is asked for, so that
// what a store must hold after any number of batches can be told from that number.
func loadBatch(producer, n, dim int) []tarn.Op {
	r := newRand(uint64(producer)<<32 | uint64(n))
	ops := make([]tarn.Op, 1+r.IntN(20))
	for i := range ops {
		id := uint64(producer)*1_000 + r.Uint64N(150)
		ops[i] = tarn.Op{Delete: r.IntN(3) == 0, Point: tarn.Point{ID: id}}
		if !ops[i].Delete {
			ops[i].Point = tarn.Point{ID: id, Vector: vector(r, dim), Payload: tarn.Payload{"batch": int64(n)}}
		}
	}
	return ops
}

// requireAfterBatches asserts that of a producer's points a store holds exactly what
// its first n batches leave.
func requireAfterBatches(t *testing.T, c *tarn.Collection, producer, n, dim int) (points int) {
	t.Helper()
	want := map[uint64]tarn.Point{}
	for i := 1; i <= n; i++ {
		for _, o := range loadBatch(producer, i, dim) {
			delete(want, o.Point.ID)
			if !o.Delete {
				want[o.Point.ID] = o.Point
			}
		}
	}
	for id := range uint64(150) {
		id += uint64(producer) * 1_000
		got, err := c.Get(ctx, id)
		p, there := want[id]
		if !there {
			require.ErrorIs(t, err, tarn.ErrNotFound, "producer %d after %d batches: point %d", producer, n, id)
			continue
		}
		require.NoError(t, err, "producer %d after %d batches: point %d", producer, n, id)
		require.Equal(t, p, got, "producer %d after %d batches", producer, n)
		requirePoint(t, c, p)
	}
	return len(want)
}

// A producer's place in its source says how many of its batches a backup holds. What
// else is in it must be what exactly these batches leave: a batch that is half in it,
// or a place of another moment than the points, is seen.
func TestABackupUnderLoadIsTheModelAfterTheBatchesThatItNames(t *testing.T) {
	const producers, dim = 3, 6
	c, db, _ := newCollection(t, tarn.CollectionConfig{Dim: dim}, tarn.WithKnobs(smallChunks))
	s, err := c.EnableStreaming(ctx, tarn.StreamingConfig{BatchSize: 64, BufferSize: 512})
	require.NoError(t, err)
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, producers+1)
	begun := make(chan struct{}, producers)
	for p := range producers {
		go func() {
			for n := 1; running.Err() == nil; n++ {
				ticket, err := s.SendOps(ctx, loadBatch(p, n, dim), tarn.From(fmt.Sprint("feed ", p), uint64(n)))
				if err == nil && (p > 0 || n%50 == 0) {
					err = ticket.Wait(ctx)
				}
				if err != nil {
					done <- err
					return
				}
				if n == 20 {
					begun <- struct{}{}
				}
			}
			done <- nil
		}()
	}
	for range producers {
		<-begun
	}
	go func() {
		for n := 0; running.Err() == nil; n++ {
			do := []func() error{
				func() error { return c.Checkpoint(ctx) }, func() error { return c.Rebuild(ctx, tarn.IndexConfig{}) }, func() error { return c.Compact(ctx) },
			}[n%3]
			if err := do(); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	var last [producers]uint64
	for range unlessShort(6, 3) {
		db2, _ := restored(t, backup(t, db), tarn.WithKnobs(graphOnly))
		c2, err := db2.Collection("test")
		require.NoError(t, err)
		total := 0
		for p := range producers {
			n, known := c2.Position(fmt.Sprint("feed ", p))
			require.True(t, known)
			require.GreaterOrEqual(t, n, last[p], "a later backup is of an earlier moment")
			last[p] = n
			total += requireAfterBatches(t, c2, p, int(n), dim)
		}
		require.Equal(t, total, c2.Len())
		requireSound(t, db2)
		t.Logf("after %v batches: %d points", last, total)
	}
	cancel()
	for range producers + 1 {
		require.NoError(t, <-done)
	}
}
