package tarn_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
)

// named is a collection with StringKeys, and what must be in it.
type named struct {
	*world
	have map[string]tarn.Point
	ids  map[string]uint64 // of the keys that are there
	used map[uint64]string // every id that was ever seen, and whose it was
}

func newNamed(t testing.TB, cfg tarn.CollectionConfig, k collection.Knobs) *named {
	cfg.Keys = tarn.StringKeys
	if cfg.Streaming == nil {
		cfg.Streaming = &tarn.StreamingConfig{}
	}
	return &named{newWorld(t, cfg, k), map[string]tarn.Point{}, map[string]uint64{}, map[uint64]string{}}
}

func (n *named) apply(ops ...tarn.Op) {
	for _, o := range ops {
		if o.Delete {
			delete(n.have, o.Point.Key)
			delete(n.ids, o.Point.Key)
		} else {
			n.have[o.Point.Key] = o.Point
		}
	}
}

// check compares the collection with what must be in it, by every way of asking.
func (n *named) check(t testing.TB) {
	t.Helper()
	require.Equal(t, len(n.have), n.c.Len())
	for key, p := range n.have {
		got, err := n.c.GetKey(ctx, key)
		require.NoError(t, err)
		n.requireSame(t, p, got)
		near, err := n.c.Search(ctx, p.Vector, 1, tarn.WithExact())
		require.NoError(t, err)
		require.Equal(t, key, near[0].Key)
		require.Equal(t, n.ids[key], near[0].ID)
		require.Equal(t, p.Payload, near[0].Payload)
	}
	var listed []string
	for p, err := range n.c.All(ctx) {
		require.NoError(t, err)
		n.requireSame(t, n.have[p.Key], p)
		listed = append(listed, p.Key)
	}
	want := slices.Sorted(maps.Keys(n.have))
	require.Equal(t, want, listed)
	require.Equal(t, want, n.scrollKeys(t, 7))
}

// requireSame compares a point with what was written, and its id with what it was.
func (n *named) requireSame(t testing.TB, want, got tarn.Point) {
	t.Helper()
	require.Equal(t, want.Key, got.Key)
	require.Equal(t, want.Vector, got.Vector)
	require.Equal(t, want.Payload, got.Payload)
	if id, ok := n.ids[got.Key]; ok {
		require.Equal(t, id, got.ID, "the id of a key is the same while it is there")
		return
	}
	if owner, ok := n.used[got.ID]; ok {
		require.Equal(t, got.Key, owner, "an id is never given to another key")
	}
	n.ids[got.Key], n.used[got.ID] = got.ID, got.Key
}

func (n *named) scrollKeys(t testing.TB, limit int) (names []string) {
	t.Helper()
	for from := ""; ; {
		page, err := n.c.ScrollKeys(ctx, from, limit, nil)
		require.NoError(t, err)
		for _, p := range page {
			n.requireSame(t, n.have[p.Key], p)
			names = append(names, p.Key)
		}
		if len(page) < limit {
			return names
		}
		from = page[len(page)-1].Key + "\x00"
	}
}

var someKeys = []string{
	"a", "b", "A", "aa", "a\x00", "ä", "a\u0308", "日本語", "😀", " ", "\n", "a/b", "..", "\x00", "0", "10", "9",
	strings.Repeat("k", 1024), strings.Repeat("ü", 512), "key-1", "key-2", "key-3", "\uffff", "\U0010ffff",
}

func (n *named) point(r *rng) tarn.Point {
	return tarn.Point{Key: someKeys[r.IntN(len(someKeys))], Vector: vector(r, dim), Payload: shelfInts(r)}
}

// shelfInts is a payload that comes back as it is.
func shelfInts(r *rng) tarn.Payload {
	if r.IntN(3) == 0 {
		return nil
	}
	return tarn.Payload{"n": int64(r.IntN(10)), "s": "x"}
}

// Key and id survive whatever happens to a store.
func TestAnyRunOfOperationsOnKeysEqualsAMap(t *testing.T) {
	for name, k := range map[string]collection.Knobs{
		"as it comes": {}, "by the graph": graphOnly,
		"checkpoints all the time": {ExactThreshold: -1, ChunkSlots: 64, LogSegment: 8192, CheckpointBytes: 2048, LogLimit: 8192, SnapshotChange: 10},
	} {
		t.Run(name, func(t *testing.T) {
			n, r := newNamed(t, tarn.CollectionConfig{Dim: dim}, k), newRand(8)
			for range unlessShort(120, 40) {
				n.step(t, r, k.CheckpointBytes > 0)
			}
			n.check(t)
		})
	}
}

func (n *named) step(t *testing.T, r *rng, busy bool) {
	var ops []tarn.Op
	for range 1 + r.IntN(6) {
		ops = append(ops, tarn.Op{Delete: r.IntN(4) == 0, Point: n.point(r)})
	}
	switch r.IntN(10) {
	case 0, 1, 2:
		var ps []tarn.Point
		for i := range ops {
			ops[i].Delete = false
			ps = append(ps, ops[i].Point)
		}
		require.NoError(t, n.c.Upsert(ctx, ps...))
	case 3:
		names, there := []string{}, map[string]bool{}
		for i := range ops {
			ops[i].Delete = true
			names = append(names, ops[i].Point.Key)
			if _, ok := n.have[ops[i].Point.Key]; ok {
				there[ops[i].Point.Key] = true
			}
		}
		deleted, err := n.c.DeleteKeys(ctx, names...)
		require.NoError(t, err)
		require.Equal(t, len(there), deleted)
	case 4, 5, 6:
		s, err := n.c.Stream()
		require.NoError(t, err)
		for _, o := range ops {
			if o.Delete {
				_, err = s.DeleteKey(ctx, o.Point.Key)
			} else {
				_, err = s.Send(ctx, o.Point)
			}
			require.NoError(t, err)
		}
		require.NoError(t, s.Flush(soon(t)))
	case 7:
		s, err := n.c.Stream()
		require.NoError(t, err)
		ticket, err := s.SendOps(ctx, ops)
		require.NoError(t, err)
		require.NoError(t, ticket.Wait(soon(t)))
	case 8:
		ops = nil
		require.NoError(t, n.c.Checkpoint(ctx))
	default:
		ops = nil
		n.turn(t, r, busy)
	}
	n.apply(ops...)
	n.check(t)
}

// turn closes or kills the store, or rebuilds its graph.
func (n *named) turn(t *testing.T, r *rng, busy bool) {
	switch {
	case r.IntN(3) == 0:
		require.NoError(t, n.c.Rebuild(ctx, tarn.IndexConfig{}))
	case r.IntN(2) == 0 || busy:
		n.reopen(t)
	default:
		copied := crashCopy(t, n.path)
		require.NoError(t, n.db.Close())
		n.path = copied
		n.c, n.db = openCollection(t, copied, n.opts)
	}
}

func TestKeysAreOneTo1024BytesOfUTF8(t *testing.T) {
	n := newNamed(t, tarn.CollectionConfig{Dim: dim, Streaming: quick}, collection.Knobs{})
	v := vector(newRand(1), dim)
	for _, bad := range []string{"", strings.Repeat("k", 1025), "\xff", "a\xc3", strings.Repeat("ü", 513)} {
		everyDoor(t, n.c, func(t *testing.T, enter func(p tarn.Point) error) {
			err := enter(tarn.Point{ID: 7, Key: bad, Vector: v})
			require.ErrorIs(t, err, tarn.ErrInvalidPoint)
			var named *tarn.InvalidPointError
			require.ErrorAs(t, err, &named)
			require.Equal(t, bad, named.Key)
			if bad == "" {
				require.ErrorContains(t, err, "it has an ID and no Key, but this collection names points by Key")
			}
		})
		_, err := n.c.GetKey(ctx, bad)
		require.ErrorIs(t, err, tarn.ErrInvalidArgument)
		_, err = n.c.DeleteKeys(ctx, "a", bad)
		require.ErrorIs(t, err, tarn.ErrInvalidArgument)
		s, err := n.c.Stream()
		require.NoError(t, err)
		_, err = s.DeleteKey(ctx, bad)
		require.ErrorIs(t, err, tarn.ErrInvalidPoint)
		_, err = s.SendOps(ctx, []tarn.Op{{Delete: true, Point: tarn.Point{Key: bad}}})
		require.ErrorIs(t, err, tarn.ErrInvalidPoint)
	}
	require.Zero(t, n.c.Len())
	for i, key := range someKeys {
		p := tarn.Point{Key: key, Vector: vector(newRand(uint64(i)), dim)}
		require.NoError(t, n.c.Upsert(ctx, p))
		n.apply(tarn.Op{Point: p})
	}
	n.check(t)
	n.reopen(t)
	n.check(t)
}

func TestCallsThatTakeIDsAndCallsThatTakeKeysDoNotMix(t *testing.T) {
	n := newNamed(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{})
	c, _, _ := newCollection(t, tarn.CollectionConfig{Dim: dim, Streaming: quick}, nil)
	calls := func(c *tarn.Collection) (ids, keys map[string]error) {
		s, err := c.Stream()
		require.NoError(t, err)
		return map[string]error{
				"Get": second(c.Get(ctx, 1)), "Delete": second(c.Delete(ctx, 1)), "Delete none": second(c.Delete(ctx)),
				"Scroll": second(c.Scroll(ctx, 0, 1, nil)), "Stream.Delete": second(s.Delete(ctx, 1)),
			}, map[string]error{
				"GetKey": second(c.GetKey(ctx, "a")), "DeleteKeys": second(c.DeleteKeys(ctx, "a")), "DeleteKeys none": second(c.DeleteKeys(ctx)),
				"ScrollKeys": second(c.ScrollKeys(ctx, "", 1, nil)), "Stream.DeleteKey": second(s.DeleteKey(ctx, "a")),
			}
	}
	ids, keys := calls(n.c)
	for name, err := range ids {
		require.ErrorIs(t, err, tarn.ErrInvalidArgument, name)
	}
	for name, err := range keys {
		require.NotErrorIs(t, err, tarn.ErrInvalidArgument, name)
	}
	ids, keys = calls(c)
	for name, err := range keys {
		require.ErrorIs(t, err, tarn.ErrInvalidArgument, name)
	}
	for name, err := range ids {
		require.NotErrorIs(t, err, tarn.ErrInvalidArgument, name)
	}
	everyDoor(t, c, func(t *testing.T, enter func(p tarn.Point) error) {
		require.ErrorIs(t, enter(tarn.Point{ID: 1, Key: "a", Vector: vector(newRand(1), dim)}), tarn.ErrInvalidPoint)
	})
	_, err := n.db.EnsureCollection(ctx, "test", tarn.CollectionConfig{Dim: dim})
	require.ErrorIs(t, err, tarn.ErrConfigMismatch)
	same, err := n.db.EnsureCollection(ctx, "test", tarn.CollectionConfig{Dim: dim, Keys: tarn.StringKeys})
	require.NoError(t, err)
	require.Same(t, n.c, same)
}

func TestE17_WhatIsNotThereIsNotFoundAndCountsAsNothing(t *testing.T) {
	n := newNamed(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{})
	require.NoError(t, n.c.Upsert(ctx, tarn.Point{Key: "a", Vector: vector(newRand(1), dim)}))
	lsn := n.c.Stats().AppliedLSN
	for _, again := range []bool{false, true} {
		if again {
			n.reopen(t)
		}
		_, err := n.c.GetKey(ctx, "b")
		require.ErrorIs(t, err, tarn.ErrNotFound)
		deleted, err := n.c.DeleteKeys(ctx, "b", "c", "b")
		require.NoError(t, err)
		require.Zero(t, deleted)
		require.Equal(t, lsn, n.c.Stats().AppliedLSN)
	}
	deleted, err := n.c.DeleteKeys(ctx, "a", "b", "a")
	require.NoError(t, err)
	require.Equal(t, 1, deleted)
	_, err = n.c.GetKey(ctx, "a")
	require.ErrorIs(t, err, tarn.ErrNotFound)
}

func TestTiesAreBrokenByKey(t *testing.T) {
	for _, k := range []collection.Knobs{{}, {ExactThreshold: -1, PauseIndexer: true}} {
		n, v := newNamed(t, tarn.CollectionConfig{Dim: dim}, k), vector(newRand(1), dim)
		var names []string
		for i := range 60 {
			names = append(names, fmt.Sprintf("%02d", (i*37)%60)) // ids are in another order
			require.NoError(t, n.c.Upsert(ctx, tarn.Point{Key: names[i], Vector: v}))
		}
		slices.Sort(names)
		for _, again := range []bool{false, true} {
			if again {
				n.reopen(t)
			}
			near, err := n.c.Search(ctx, v, 10, tarn.WithExact(), tarn.WithoutPayload())
			require.NoError(t, err)
			for i, r := range near {
				require.Equal(t, names[i], r.Key)
			}
		}
	}
}

func TestAnAPICallComesAfterWhatTheStreamAcceptedForItsKey(t *testing.T) {
	n := newNamed(t, tarn.CollectionConfig{Dim: dim, Streaming: &tarn.StreamingConfig{BatchSize: 1000, FlushInterval: 3600e9}}, collection.Knobs{})
	s, err := n.c.Stream()
	require.NoError(t, err)
	for i := range 5 {
		_, err := s.TrySend(tarn.Point{Key: "a", Vector: vector(newRand(uint64(i)), dim), Payload: tarn.Payload{"i": i}})
		require.NoError(t, err)
	}
	require.NoError(t, n.c.Upsert(ctx, tarn.Point{Key: "a", Vector: vector(newRand(9), dim), Payload: tarn.Payload{"i": 99}}))
	require.NoError(t, s.Flush(soon(t)))
	p, err := n.c.GetKey(ctx, "a")
	require.NoError(t, err)
	require.Equal(t, tarn.Payload{"i": int64(99)}, p.Payload)
	_, err = s.TrySend(tarn.Point{Key: "b", Vector: vector(newRand(10), dim)})
	require.NoError(t, err)
	_, err = s.DeleteKey(ctx, "a")
	require.NoError(t, err)
	ops := s.Abort()
	require.Equal(t, []tarn.Op{{Point: tarn.Point{Key: "b", Vector: vector(newRand(10), dim)}}, {Delete: true, Point: tarn.Point{Key: "a"}}}, ops)
}

func TestListingsByKeyUnderWritesShowWhatIsThereThroughoutOnce(t *testing.T) {
	for _, fields := range [][]string{nil, {"stays", "rare"}} {
		t.Run(fmt.Sprint(fields), func(t *testing.T) { listUnderWrites(t, fields) })
	}
}

func listUnderWrites(t *testing.T, fields []string) {
	const rare = 50 // one in so many is
	n := newNamed(t, tarn.CollectionConfig{Dim: dim, Fields: fields}, collection.Knobs{CheckpointBytes: 1 << 16, LogSegment: 1 << 14})
	const stay = 2000
	name := func(i int) string { return fmt.Sprintf("%05d", i*3) }
	var ps []tarn.Point
	for i := range stay {
		ps = append(ps, tarn.Point{Key: name(i), Vector: vector(newRand(uint64(i)), dim), Payload: tarn.Payload{"stays": true, "rare": i%rare == 0}})
	}
	require.NoError(t, n.c.Upsert(ctx, ps...))
	indexed(t, n.c)
	stop := make(chan struct{})
	writer := inBackground(t, func() error {
		r := newRand(7)
		for {
			select {
			case <-stop:
				return nil
			default:
			}
			i := r.IntN(stay)
			p := ps[i]
			p.Vector = vector(r, dim)
			if err := errors.Join(
				n.c.Upsert(ctx, p, tarn.Point{Key: name(i) + "x", Vector: vector(r, dim), Payload: tarn.Payload{"stays": r.IntN(2) == 0}}),
				second(n.c.DeleteKeys(ctx, name(r.IntN(stay))+"x")),
			); err != nil {
				return err
			}
		}
	})
	for range 4 {
		stays, rares := n.seen(t, 150, tarn.Eq("stays", true)), n.seen(t, 7, tarn.Eq("rare", true))
		all := map[string]int{}
		for p, err := range n.c.All(ctx) {
			require.NoError(t, err)
			all[p.Key]++
		}
		for i := range stay {
			require.Equal(t, 1, stays[name(i)], name(i))
			require.Equal(t, i%rare == 0, rares[name(i)] == 1, name(i))
			require.Equal(t, 1, all[name(i)], name(i))
		}
	}
	close(stop)
	require.NoError(t, writer())
}

// seen pages through what matches and counts how often each key is on a page.
func (n *named) seen(t *testing.T, limit int, f tarn.Filter) map[string]int {
	t.Helper()
	seen := map[string]int{}
	for from := ""; ; {
		page, err := n.c.ScrollKeys(ctx, from, limit, f)
		require.NoError(t, err)
		for _, p := range page {
			require.GreaterOrEqual(t, p.Key, from)
			seen[p.Key]++
			from = p.Key + "\x00"
		}
		if len(page) < limit {
			return seen
		}
	}
}

func TestDeleteWhereRemovesKeysToo(t *testing.T) {
	n := newNamed(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{})
	for i := range 30 {
		p := tarn.Point{Key: fmt.Sprint("k", i), Vector: vector(newRand(uint64(i)), dim), Payload: tarn.Payload{"i": int64(i)}}
		require.NoError(t, n.c.Upsert(ctx, p))
		n.apply(tarn.Op{Point: p})
	}
	n.check(t)
	deleted, err := n.c.DeleteWhere(ctx, tarn.Gte("i", 10))
	require.NoError(t, err)
	require.Equal(t, 20, deleted)
	for i := 10; i < 30; i++ {
		n.apply(tarn.Op{Delete: true, Point: tarn.Point{Key: fmt.Sprint("k", i)}})
	}
	n.check(t)
	n.path = crashCopy(t, n.path)
	require.NoError(t, n.db.Close())
	n.c, n.db = openCollection(t, n.path, n.opts)
	n.check(t)
	p := tarn.Point{Key: "k20", Vector: vector(newRand(77), dim)}
	require.NoError(t, n.c.Upsert(ctx, p))
	n.apply(tarn.Op{Point: p})
	n.check(t)
}

func TestABackupBringsKeysAndIDsBack(t *testing.T) {
	n, r := newNamed(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{}), newRand(3)
	for i := range 40 {
		p := n.point(r)
		require.NoError(t, n.c.Upsert(ctx, p))
		n.apply(tarn.Op{Point: p})
		if i == 20 {
			require.NoError(t, n.c.Checkpoint(ctx))
		}
	}
	n.check(t)
	var saved bytes.Buffer
	require.NoError(t, n.db.Backup(ctx, &saved))
	n.path = filepath.Join(t.TempDir(), "restored")
	require.NoError(t, tarn.Restore(ctx, n.path, &saved))
	n.c, n.db = openCollection(t, n.path, n.opts)
	n.check(t)
	report, err := n.db.Verify(ctx)
	require.NoError(t, err)
	require.Empty(t, report.Findings)
}

func TestCompactKeepsKeysAndIndexes(t *testing.T) {
	n, r := newNamed(t, tarn.CollectionConfig{Dim: dim, Fields: []string{"n"}}, collection.Knobs{ChunkSlots: 64}), newRand(4)
	for range 2 {
		for i := range 300 {
			p := tarn.Point{Key: fmt.Sprintf("point %d", i), Vector: vector(r, dim), Payload: tarn.Payload{"n": int64(i % 10)}}
			require.NoError(t, n.c.Upsert(ctx, p))
			n.apply(tarn.Op{Point: p})
		}
		for i := range 200 {
			key := fmt.Sprintf("point %d", i)
			require.NoError(t, second(n.c.DeleteKeys(ctx, key)))
			n.apply(tarn.Op{Delete: true, Point: tarn.Point{Key: key}})
		}
		require.NoError(t, n.c.Compact(ctx))
		n.check(t)
		indexed(t, n.c)
		for i := range int64(10) {
			near, err := n.c.Search(ctx, vector(r, dim), 300, tarn.WithFilter(tarn.Eq("n", i)))
			require.NoError(t, err)
			require.Len(t, near, 10)
		}
		n.reopen(t)
		n.check(t)
	}
}
