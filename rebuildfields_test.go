package tarn_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
)

// keeper writes points that nobody else writes and knows what each of them is: what it
// asks under a filter has one right answer, whatever goes on beside it.
type keeper struct {
	c       *tarn.Collection
	s       *tarn.Stream
	r       *rng
	name    int64
	version int64
	have    map[uint64]tarn.Point
}

const keeperIDs = 60

var kindsKept = []string{"man", "page", "note"}

// step writes once, and asks for what it wrote and for what was there before.
func (k *keeper) step() error {
	id := uint64(k.name)<<32 + k.r.Uint64N(keeperIDs)
	old, was := k.have[id]
	switch op := k.r.IntN(10); {
	case op == 0:
		return k.deleteKind()
	case op < 3:
		n, err := k.c.Delete(ctx, id)
		if delete(k.have, id); err != nil || n == 1 != was {
			return fmt.Errorf("a delete of %d, which was there: %v, removed %d: %w", id, was, n, err)
		}
	default:
		k.version++
		p := tarn.Point{ID: id, Vector: vector(k.r, dim), Payload: tarn.Payload{"keeper": k.name, "version": k.version, "kind": kindsKept[k.r.IntN(3)]}}
		var err error
		if op%2 == 0 {
			err = settled(k.s.Send(ctx, p))
		} else {
			err = k.c.Upsert(ctx, p)
		}
		if err != nil {
			return err
		}
		k.have[id] = p
		if err := errors.Join(ask(k.c, p), k.expect(tarn.Eq("version", k.version), p)); err != nil {
			return err
		}
	}
	if was {
		if err := k.expect(tarn.Eq("version", old.Payload["version"])); err != nil {
			return err
		}
	}
	kind := kindsKept[k.r.IntN(3)]
	return k.expect(tarn.Eq("kind", kind), k.of(kind)...)
}

// of returns its points of a kind.
func (k *keeper) of(kind string) (ps []tarn.Point) {
	for _, p := range k.have {
		if p.Payload["kind"] == kind {
			ps = append(ps, p)
		}
	}
	return ps
}

func (k *keeper) deleteKind() error {
	kind := kindsKept[k.r.IntN(3)]
	ps := k.of(kind)
	for _, p := range ps {
		delete(k.have, p.ID)
	}
	n, err := k.c.DeleteWhere(ctx, tarn.And(tarn.Eq("keeper", k.name), tarn.Eq("kind", kind)))
	if err == nil && n != len(ps) {
		err = fmt.Errorf("keeper %d had %d points of kind %s, and %d were deleted", k.name, len(ps), kind, n)
	}
	return err
}

// expect asks for the keeper's points that a filter leaves: all of them by a search, and
// by a listing, with what they are.
func (k *keeper) expect(f tarn.Filter, want ...tarn.Point) error {
	f = tarn.And(tarn.Eq("keeper", k.name), f)
	q := vector(k.r, dim)
	near, err := k.c.Search(ctx, q, keeperIDs, tarn.WithFilter(f), tarn.WithVectors())
	if err != nil {
		return err
	}
	slices.SortFunc(want, func(a, b tarn.Point) int { return int(int64(a.ID) - int64(b.ID)) })
	found := make([]tarn.Point, 0, len(near))
	for i, n := range near {
		if d := trueDistance(tarn.L2, q, n.Vector) - float64(n.Distance); math.Abs(d) > tolerance(tarn.L2, q, n.Vector)+1e-5 || i > 0 && near[i-1].Distance > n.Distance {
			return fmt.Errorf("a wrong distance, or out of order: %v", near)
		}
		found = append(found, tarn.Point{ID: n.ID, Vector: n.Vector, Payload: n.Payload})
	}
	slices.SortFunc(found, func(a, b tarn.Point) int { return int(int64(a.ID) - int64(b.ID)) })
	if err := samePoints(want, found); err != nil {
		return fmt.Errorf("keeper %d, a search: %w", k.name, err)
	}
	listed, err := k.c.Scroll(ctx, 0, keeperIDs+1, f)
	if err != nil {
		return err
	}
	if err := samePoints(want, listed); err != nil {
		return fmt.Errorf("keeper %d, a listing: %w", k.name, err)
	}
	return nil
}

// samePoints compares points in the order of their ids.
func samePoints(want, got []tarn.Point) error {
	same := slices.EqualFunc(want, got, func(a, b tarn.Point) bool {
		return a.ID == b.ID && slices.Equal(a.Vector, b.Vector) && maps.Equal(a.Payload, b.Payload)
	})
	if !same {
		return fmt.Errorf("%d points, it should be %d:\n%v\n%v", len(got), len(want), got, want)
	}
	return nil
}

// TestD16_D17_FieldsRebuildsAndCompactsBesideWritersLoseAndResurrectNothing changes the
// indexed fields, rebuilds, some of it cancelled half way, and compacts, all the time
// that keepers write and ask. TARN_FIELD_WRITES=20000 goes on for longer.
func TestD16_D17_FieldsRebuildsAndCompactsBesideWritersLoseAndResurrectNothing(t *testing.T) {
	writes := fromEnv("TARN_FIELD_WRITES", unlessShort(150, 60))
	var units atomic.Int64
	var cancel atomic.Pointer[context.CancelFunc]
	opts := tarn.WithKnobs(collection.Knobs{ExactThreshold: -1, ChunkSlots: 64, SnapshotChange: 40, CheckpointBytes: 32 << 10, LogSegment: 16 << 10, Ring: 16, FewDeaths: 40, CompactBytes: 8 << 10,
		Hook: func(step string) {
			if step == "rebuild: unit" && units.Add(-1) == 0 {
				(*cancel.Load())()
			}
		}})
	c, db, path := newCollection(t, tarn.CollectionConfig{Dim: dim, WriteMode: tarn.WriteStreaming, Streaming: &tarn.StreamingConfig{BatchSize: 4}}, opts)
	standing := points(newRand(9), 0, 200, dim) // nobody's
	require.NoError(t, c.Upsert(ctx, standing...))
	s, err := c.Stream()
	require.NoError(t, err)
	running, stop := context.WithCancel(ctx)
	defer stop()
	var keepers []*keeper
	var waits, others []func() error
	for i := range int64(4) {
		k := &keeper{c: c, s: s, r: newRand(uint64(i)), name: i + 1, have: map[uint64]tarn.Point{}}
		keepers = append(keepers, k)
		waits = append(waits, inBackgroundFor(t, func() error {
			for range writes {
				if running.Err() != nil {
					return nil
				}
				if err := k.step(); err != nil {
					stop()
					return err
				}
			}
			return nil
		}))
	}
	counts := make([]int, 3)
	for i, work := range []func(r *rng, n int) error{
		func(r *rng, _ int) error {
			all := []string{"keeper", "version", "kind", "none"}
			r.Shuffle(4, func(i, j int) { all[i], all[j] = all[j], all[i] })
			return c.SetFields(running, all[:r.IntN(5)]...)
		},
		func(r *rng, n int) error {
			if n%3 > 0 {
				return c.Rebuild(running, tarn.IndexConfig{})
			}
			some, end := context.WithCancel(running)
			defer end()
			cancel.Store(&end)
			units.Store(1 + r.Int64N(20))
			err := c.Rebuild(some, tarn.IndexConfig{M: 4 + r.IntN(20)})
			units.Store(0)
			if running.Err() == nil && errors.Is(err, context.Canceled) {
				return nil
			}
			return err
		},
		func(*rng, int) error { return c.Compact(running) },
	} {
		r := newRand(uint64(100 + i))
		others = append(others, inBackgroundFor(t, func() error {
			for ; ; counts[i]++ {
				if err := work(r, counts[i]); running.Err() != nil {
					return nil
				} else if err != nil {
					stop()
					return err
				}
			}
		}))
	}
	for _, wait := range waits {
		require.NoError(t, wait())
	}
	stop()
	for _, wait := range others {
		require.NoError(t, wait())
	}
	t.Logf("fields set %d times, %d rebuilds begun and %d done, %d times compacted", counts[0], counts[1], c.Stats().Rebuilds, counts[2])
	for range 2 {
		requireKeepers(t, c, keepers, standing)
		indexed(t, c)
		requireKeepers(t, c, keepers, standing)
		requireSound(t, db)
		c, db = reopen(t, db, path, opts)
	}
}

// requireKeepers asserts that a collection holds what its keepers have and what
// stands in it, and no more, and finds each by its own vector.
func requireKeepers(t *testing.T, c *tarn.Collection, keepers []*keeper, standing []tarn.Point) {
	t.Helper()
	total := len(standing)
	for _, p := range standing {
		requireFound(t, c, p)
	}
	for _, k := range keepers {
		k.c = c
		total += len(k.have)
		require.NoError(t, k.expect(tarn.And(), slices.Collect(maps.Values(k.have))...))
		for _, kind := range kindsKept {
			require.NoError(t, k.expect(tarn.Eq("kind", kind), k.of(kind)...))
		}
		for _, p := range k.have {
			requireFound(t, c, p)
		}
	}
	require.Equal(t, total, c.Len())
}
