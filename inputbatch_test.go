package tarn_test

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
)

func TestE07_OfTwoPointsWithOneIDInABatchTheLaterWins(t *testing.T) {
	for _, knobs := range []collection.Knobs{{}, graphOnly} {
		c, db, path := newCollection(t, tarn.CollectionConfig{Dim: dim, Streaming: &tarn.StreamingConfig{}}, tarn.WithKnobs(knobs))
		s, err := c.Stream()
		require.NoError(t, err)
		r := newRand(1)
		batch := func(first uint64) (ps []tarn.Point, last map[uint64]tarn.Point) {
			last = map[uint64]tarn.Point{}
			for i := range 60 {
				p := tarn.Point{ID: first + uint64(i%7), Vector: vector(r, dim), Payload: tarn.Payload{"n": int64(i)}}
				ps, last[p.ID] = append(ps, p), p
			}
			return ps, last
		}
		ps, last := batch(0)
		require.NoError(t, c.Upsert(ctx, ps...))
		require.NoError(t, c.Upsert(ctx, ps...), "and again, over itself")
		more, lastSent := batch(100)
		ticket, err := s.SendBatch(ctx, more, tarn.From("a", 1))
		require.NoError(t, settled(ticket, err))
		n, err := c.Delete(ctx, 3, 3, 3, 103)
		require.NoError(t, err)
		require.Equal(t, 2, n, "an id counts once")
		delete(last, 3)
		delete(lastSent, 103)
		for range 2 {
			require.Equal(t, 12, c.Len())
			for _, want := range []map[uint64]tarn.Point{last, lastSent} {
				for _, p := range want {
					requirePoint(t, c, p)
					requireFound(t, c, p)
				}
			}
			all, err := c.Search(ctx, vector(r, dim), 100)
			require.NoError(t, err)
			require.Len(t, all, 12, "one slot of each id is live")
			c, db = reopen(t, db, path, tarn.WithKnobs(knobs))
		}
	}
}

func TestE08_EveryIDIsLegal(t *testing.T) {
	ids := []uint64{0, 1, 2, math.MaxUint32 - 1, math.MaxUint32, math.MaxUint32 + 1, 1<<63 - 1, 1 << 63, math.MaxUint64 - 1, math.MaxUint64}
	c, db, path := newCollection(t, tarn.CollectionConfig{Dim: dim, Streaming: quick}, tarn.WithKnobs(graphOnly))
	s, err := c.Stream()
	require.NoError(t, err)
	r := newRand(1)
	var ps []tarn.Point
	for i, id := range ids {
		p := tarn.Point{ID: id, Vector: vector(r, dim), Payload: tarn.Payload{"id": id}}
		if id <= math.MaxInt64 {
			p.Payload["id"] = int64(id) // what Get returns
		}
		ps = append(ps, p)
		if i%2 == 0 {
			require.NoError(t, c.Upsert(ctx, p))
		} else {
			waitAll(t, send(t, s, p))
		}
	}
	for range 3 {
		var seen []uint64
		for p, err := range c.All(ctx) {
			require.NoError(t, err)
			seen = append(seen, p.ID)
		}
		require.Equal(t, ids, seen, "ascending, as unsigned numbers")
		for _, p := range ps {
			requirePoint(t, c, p)
			requireFound(t, c, p)
		}
		c, db = reopen(t, db, path, tarn.WithKnobs(graphOnly))
	}
	n, err := c.Delete(ctx, ids...)
	require.NoError(t, err)
	require.Equal(t, len(ids), n)
	require.Zero(t, c.Len())
}

func TestE13_WhatGoesInIsCopiedAndWhatComesOutIsTheCallers(t *testing.T) {
	for _, knobs := range []collection.Knobs{{}, graphOnly} {
		c, db, path := newCollection(t, tarn.CollectionConfig{Dim: dim}, tarn.WithKnobs(knobs))
		v := vector(newRand(1), dim)
		want := tarn.Point{ID: 1, Vector: append([]float32(nil), v...), Payload: tarn.Payload{"a": []any{int64(1)}}}
		inner := []any{1}
		p := tarn.Point{ID: 1, Vector: v, Payload: tarn.Payload{"a": inner}}
		ps := []tarn.Point{p}
		require.NoError(t, c.Upsert(ctx, ps...))
		ps[0].ID, inner[0], p.Payload["b"] = 9, 2, 3
		clear(v)
		for range 2 {
			for range 2 { // the second time after what was returned has been changed
				requirePoint(t, c, want)
				got, err := c.Get(ctx, 1)
				require.NoError(t, err)
				got.Payload["a"].([]any)[0] = "changed"
				clear(got.Vector)
				near, err := c.Search(ctx, want.Vector, 1, tarn.WithVectors())
				require.NoError(t, err)
				require.Equal(t, want.Vector, near[0].Vector)
				near[0].Payload["a"].([]any)[0] = "changed"
				clear(near[0].Vector)
				for p, err := range c.All(ctx) {
					require.NoError(t, err)
					clear(p.Vector)
					clear(p.Payload)
				}
			}
			require.NoError(t, c.Checkpoint(ctx))
			requirePoint(t, c, want)
			c, db = reopen(t, db, path, tarn.WithKnobs(knobs))
		}
	}
}

func TestE14_AVectorThatWasReturnedOutlivesTheStore(t *testing.T) {
	c, db, _ := newCollection(t, tarn.CollectionConfig{Dim: dim}, nil)
	ps := points(newRand(1), 1, 10, dim)
	require.NoError(t, c.Upsert(ctx, ps...))
	got, err := c.Get(ctx, 3)
	require.NoError(t, err)
	near, err := c.Search(ctx, ps[4].Vector, 1, tarn.WithVectors())
	require.NoError(t, err)
	again, err := c.Search(ctx, got.Vector, 1)
	require.NoError(t, err, "what was returned may be the query of a search")
	require.Equal(t, uint64(3), again[0].ID)
	moved := got
	moved.ID = 77
	require.NoError(t, c.Upsert(ctx, moved), "and be written")
	require.NoError(t, db.Close()) // a mapped slice would fault from here on
	require.Equal(t, ps[2].Vector, got.Vector)
	require.Equal(t, ps[4].Vector, near[0].Vector)
}

func TestE15_NilMeansTheDefault(t *testing.T) {
	c, _, _ := newCollection(t, tarn.CollectionConfig{Dim: 2, Streaming: quick}, nil)
	v := []float32{1, 2}
	require.NoError(t, c.Upsert(ctx))
	n, err := c.Delete(ctx)
	require.NoError(t, err)
	require.Zero(t, n)
	require.NoError(t, c.Upsert(ctx, tarn.Point{ID: 1, Vector: v}))
	near, err := c.Search(ctx, v, 1, nil, tarn.WithVectors(), nil)
	require.NoError(t, err)
	require.Equal(t, v, near[0].Vector)
	s, err := c.Stream()
	require.NoError(t, err)
	_, err = s.SendBatch(ctx, nil, nil)
	require.NoError(t, err)
	_, err = s.SendOps(ctx, nil)
	require.NoError(t, err)
	accepted, _, err := s.TrySendBatch(nil)
	require.NoError(t, err)
	require.Zero(t, accepted)
}

func TestE15_ANilContextPanicsAndLeavesTheStoreUsable(t *testing.T) {
	c, db, _ := newCollection(t, tarn.CollectionConfig{Dim: 2, Streaming: quick}, nil)
	s, err := c.Stream()
	require.NoError(t, err)
	v := []float32{1, 2}
	var none context.Context
	calls := map[string]func(){
		"CreateCollection": func() { db.CreateCollection(none, "x", tarn.CollectionConfig{Dim: 1}) },
		"EnsureCollection": func() { db.EnsureCollection(none, "test", tarn.CollectionConfig{Dim: 2}) },
		"DropCollection":   func() { db.DropCollection(none, "test") },
		"Upsert":           func() { c.Upsert(none, tarn.Point{Vector: v}) },
		"Delete":           func() { c.Delete(none, 1) },
		"Get":              func() { c.Get(none, 1) },
		"Search":           func() { c.Search(none, v, 1) },
		"Sync":             func() { c.Sync(none) },
		"Rebuild":          func() { c.Rebuild(none, tarn.IndexConfig{}) },
		"EnableStreaming":  func() { c.EnableStreaming(none, tarn.StreamingConfig{}) },
		"Send":             func() { s.Send(none, tarn.Point{Vector: v}) },
	}
	for name, call := range calls {
		require.Panics(t, call, name)
	}
	require.NoError(t, c.Upsert(ctx, tarn.Point{ID: 1, Vector: v}))
	waitAll(t, send(t, s, tarn.Point{ID: 2, Vector: v}))
	require.NoError(t, c.Rebuild(ctx, tarn.IndexConfig{}))
	require.Equal(t, 2, c.Len())
	require.Equal(t, []string{"test"}, db.Collections())
	require.NoError(t, db.Close(), "no call is taken to be under way for ever")
}

func TestE16_BatchesOfAnySize(t *testing.T) {
	opts := tarn.WithKnobs(collection.Knobs{LogSegment: 64 << 10, ChunkSlots: 256, ExactThreshold: -1})
	c, db, path := newCollection(t, tarn.CollectionConfig{Dim: 64}, opts)
	r := newRand(1)
	ps := points(r, 1, 3000, 64) // 800 KiB in one record, of segments of 64 KiB
	require.NoError(t, c.Upsert(ctx, ps[:1]...))
	require.NoError(t, c.Upsert(ctx, ps...))
	require.Equal(t, uint64(2), c.Stats().AppliedLSN)
	killed, other := openCollection(t, crashCopy(t, path), opts)
	require.Equal(t, 3000, killed.Len())
	require.NoError(t, other.Close())
	c, _ = reopen(t, db, path, opts)
	require.Equal(t, 3000, c.Len())
	for i := 0; i < len(ps); i += 97 {
		requirePoint(t, c, ps[i])
	}
	all := make([]uint64, 3000)
	for i := range all {
		all[i] = uint64(i + 1)
	}
	n, err := c.Delete(ctx, all...)
	require.NoError(t, err)
	require.Equal(t, 3000, n)
	require.Zero(t, c.Len())
}

func TestE16_ABatchThatFitsNoRecordIsRefusedWhole(t *testing.T) {
	c, _, _ := newCollection(t, tarn.CollectionConfig{Dim: 65_536}, nil)
	shared := make([]float32, 65_536)
	ps := make([]tarn.Point, 256) // 64 MiB of vectors, and a little
	for i := range ps {
		ps[i] = tarn.Point{ID: uint64(i), Vector: shared}
	}
	require.ErrorIs(t, c.Upsert(ctx, ps...), tarn.ErrTooLarge)
	require.Zero(t, c.Len())
	require.Zero(t, c.Stats().AppliedLSN)
}

func TestE17_UnknownIDsAreNoErrorToDeleteAndNotFoundToGet(t *testing.T) {
	c, db, path := newCollection(t, tarn.CollectionConfig{Dim: 2}, nil)
	for range 2 {
		n, err := c.Delete(ctx, 1, 2, math.MaxUint64)
		require.NoError(t, err)
		require.Zero(t, n)
		require.Zero(t, c.Stats().AppliedLSN, "a delete of nothing writes nothing")
		_, err = c.Get(ctx, 1)
		require.ErrorIs(t, err, tarn.ErrNotFound)
		c, db = reopen(t, db, path, nil)
	}
	require.NoError(t, c.Upsert(ctx, tarn.Point{ID: 1, Vector: []float32{1, 2}}))
	for _, want := range []int{1, 0} {
		n, err := c.Delete(ctx, 1, 5)
		require.NoError(t, err)
		require.Equal(t, want, n)
	}
	_, err := c.Get(ctx, 1)
	require.ErrorIs(t, err, tarn.ErrNotFound)
}

func TestAKeyIsRefusedWhereIDsNamePoints(t *testing.T) {
	c, _, _ := newCollection(t, tarn.CollectionConfig{Dim: 2, Streaming: quick}, nil)
	everyDoor(t, c, func(t *testing.T, enter func(p tarn.Point) error) {
		require.ErrorIs(t, enter(tarn.Point{ID: 1, Key: "k", Vector: []float32{1, 2}}), tarn.ErrInvalidPoint)
	})
}

func TestTheBatchOfOneBadPointIsRefusedWholeAndNamed(t *testing.T) {
	c, _, _ := newCollection(t, tarn.CollectionConfig{Dim: 2, Metric: tarn.Cosine}, nil)
	good := []float32{1, 2}
	err := c.Upsert(ctx, tarn.Point{ID: 1, Vector: good}, tarn.Point{ID: 2, Vector: good}, tarn.Point{ID: 30, Vector: []float32{0, 0}})
	var bad *tarn.InvalidPointError
	require.ErrorAs(t, err, &bad)
	require.Equal(t, 2, bad.Index)
	require.Equal(t, uint64(30), bad.ID)
	require.ErrorIs(t, err, tarn.ErrInvalidVector)
	require.Zero(t, c.Len())
}
