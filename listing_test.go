package tarn_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
)

// A filter that few fulfil is asked of page after page, of more points each time, or of
// the few that indexes name.
func TestAListingUnderAFilterThatFewFulfilFindsThemAllInOrder(t *testing.T) {
	for _, fields := range [][]string{nil, {"in"}, {"other"}} {
		t.Run(fmt.Sprint(fields), func(t *testing.T) { listFew(t, fields) })
	}
}

func listFew(t *testing.T, fields []string) {
	const n, every = 3000, 77
	w := newWorld(t, tarn.CollectionConfig{Dim: dim, Fields: fields}, collection.Knobs{PauseIndexer: true})
	keyed, err := w.db.CreateCollection(ctx, "keyed", tarn.CollectionConfig{Dim: dim, Keys: tarn.StringKeys, Fields: fields})
	require.NoError(t, err)
	r := newRand(1)
	var ids []uint64
	var names []string
	for from := 0; from < n; from += 100 {
		ps, named := points(r, 0, 100, dim), points(r, 0, 100, dim)
		for i := range ps {
			at := (from + i) * 1009 % n // slots and keys are not in the order of ids
			ps[i].ID, ps[i].Payload = uint64(at), tarn.Payload{"in": at%every == 0}
			named[i].ID, named[i].Key, named[i].Payload = 0, fmt.Sprintf("%04d", at), ps[i].Payload
			if at%every == 0 {
				ids, names = append(ids, uint64(at)), append(names, named[i].Key)
			}
		}
		w.upsert(t, ps...)
		require.NoError(t, keyed.Upsert(ctx, named...))
		if from == n/2 {
			require.NoError(t, keyed.Checkpoint(ctx)) // half of the keys are in memory only
		}
	}
	slices.Sort(ids)
	slices.Sort(names)
	indexed(t, w.c)
	indexed(t, keyed)
	for _, limit := range []int{1, 3, 10, 64, 1000, math.MaxInt} {
		require.Equal(t, ids, w.scrolled(t, limit, tarn.Eq("in", true)), limit)
		var got []string
		for from := ""; ; {
			page, err := keyed.ScrollKeys(ctx, from, limit, tarn.Eq("in", true))
			require.NoError(t, err)
			for _, p := range page {
				got = append(got, p.Key)
			}
			if len(page) < limit {
				break
			}
			from = page[len(page)-1].Key + "\x00"
		}
		require.Equal(t, names, got, limit)
	}
	page, err := keyed.ScrollKeys(ctx, names[5], 20, tarn.Eq("in", true)) // from on, not after
	require.NoError(t, err)
	require.Equal(t, names[5], page[0].Key)
	page, err = w.c.Scroll(ctx, ids[5], 20, tarn.Eq("in", true))
	require.NoError(t, err)
	require.Equal(t, ids[5], page[0].ID)
}

// A point that moves while a listing under a filter is on its way to it is looked for
// where it is then, and is listed if it matches there.
func TestAPointThatMovesDuringAListingByKeyIsListedIfItMatches(t *testing.T) {
	for _, fields := range [][]string{nil, {"in"}} {
		s := newSteps()
		n := newNamed(t, tarn.CollectionConfig{Dim: dim, Fields: fields}, collection.Knobs{Hook: s.hook})
		point := func(i int, in bool) tarn.Point {
			return tarn.Point{Key: fmt.Sprintf("%03d", i), Vector: vector(newRand(uint64(i)), dim), Payload: tarn.Payload{"in": in}}
		}
		for i := range 300 {
			require.NoError(t, n.c.Upsert(ctx, point(i, i%2 == 0)))
		}
		indexed(t, n.c)
		s.call("list: between keys and places", func() { // 0 moves, 1 enters, 2 leaves
			for i, in := range []bool{true, true, false} {
				require.NoError(t, n.c.Upsert(ctx, point(i, in)))
			}
		})
		page, err := n.c.ScrollKeys(ctx, "", 3, tarn.Eq("in", true))
		require.NoError(t, err)
		require.Len(t, page, 3)
		for i, key := range []string{"000", "001", "004"} {
			require.Equal(t, key, page[i].Key)
		}
	}
}

// Whoever reads points has pinned where he found them: what is written while he stands
// between the two does not come out under the name of another point.
func TestI6_NoSlotIsWrittenAgainUnderAReaderOfPoints(t *testing.T) {
	const n = 40
	list := func(seq func(yield func(tarn.Point, error) bool)) (ps []tarn.Point, err error) {
		for p, err := range seq {
			if err != nil {
				return ps, err
			}
			ps = append(ps, p)
		}
		return ps, nil
	}
	for name, reader := range map[string]struct {
		step string
		keys tarn.KeyKind
		read func(c *tarn.Collection) ([]tarn.Point, error)
	}{
		"get": {step: "get: between place and point", read: func(c *tarn.Collection) ([]tarn.Point, error) {
			p, err := c.Get(ctx, 0)
			return []tarn.Point{p}, err
		}},
		"get by key": {step: "get: between place and point", keys: tarn.StringKeys, read: func(c *tarn.Collection) ([]tarn.Point, error) {
			p, err := c.GetKey(ctx, "a00")
			return []tarn.Point{p}, err
		}},
		"scroll": {step: "list: between places and points", read: func(c *tarn.Collection) ([]tarn.Point, error) {
			return c.Scroll(ctx, 0, n, tarn.Exists("of"))
		}},
		"scroll by key": {step: "list: between places and points", keys: tarn.StringKeys, read: func(c *tarn.Collection) ([]tarn.Point, error) {
			return c.ScrollKeys(ctx, "", n, tarn.Exists("of"))
		}},
		"all":           {step: "list: between places and points", read: func(c *tarn.Collection) ([]tarn.Point, error) { return list(c.All(ctx)) }},
		"all by key":    {step: "list: between places and points", keys: tarn.StringKeys, read: func(c *tarn.Collection) ([]tarn.Point, error) { return list(c.All(ctx)) }},
		"all, the ids":  {step: "all: between live and ids", read: func(c *tarn.Collection) ([]tarn.Point, error) { return list(c.All(ctx)) }},
		"search by key": {step: "search: before settling", keys: tarn.StringKeys, read: searchAll},
		"search":        {step: "search: before settling", read: searchAll},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSteps()
			k := collection.Knobs{PauseIndexer: true, NoBackground: true, Hook: s.hook}
			w := newWorld(t, tarn.CollectionConfig{Dim: dim, Keys: reader.keys}, k)
			point := func(i int, family string) tarn.Point {
				p := points(newRand(uint64(i)), uint64(i), 1, dim)[0]
				p.Payload = tarn.Payload{"of": fmt.Sprint(family, i), "d": float64(p.Vector[0])}
				if reader.keys == tarn.StringKeys {
					p.ID, p.Key = 0, fmt.Sprintf("%s%02d", family, i)
				}
				return p
			}
			for i := range n {
				require.NoError(t, w.c.Upsert(ctx, point(i, "a")))
			}
			require.NoError(t, w.c.Checkpoint(ctx))
			done := false
			s.call(reader.step, func() {
				if done {
					return
				}
				done = true
				for i := range n / 2 { // they die, and their slots would be free
					if reader.keys == tarn.StringKeys {
						require.NoError(t, second(w.c.DeleteKeys(ctx, point(i, "a").Key)))
					} else {
						require.NoError(t, second(w.c.Delete(ctx, uint64(i))))
					}
				}
				require.NoError(t, w.c.Checkpoint(ctx))
				for i := range n / 2 {
					require.NoError(t, w.c.Upsert(ctx, point(n-1-i, "a"))) // these move into them
				}
			})
			ps, err := reader.read(w.c)
			require.NoError(t, err)
			require.True(t, done)
			seen := map[any]bool{}
			for _, p := range ps {
				require.False(t, seen[p.Payload["of"]], "%v comes twice", p.Payload["of"])
				seen[p.Payload["of"]] = true
				i := int(p.ID)
				if reader.keys == tarn.StringKeys {
					_, err := fmt.Sscanf(p.Key, "a%d", &i)
					require.NoError(t, err)
				}
				require.Equal(t, fmt.Sprint("a", i), p.Payload["of"])
				require.Equal(t, float64(p.Vector[0]), p.Payload["d"])
				require.Equal(t, point(i, "a").Vector, p.Vector)
			}
			for i := n / 2; i < n && name[:3] != "get"; i++ {
				require.True(t, seen[fmt.Sprint("a", i)], "%d was there throughout", i)
			}
		})
	}
}

func searchAll(c *tarn.Collection) (ps []tarn.Point, err error) {
	near, err := c.Search(ctx, points(newRand(0), 0, 1, dim)[0].Vector, 1000, tarn.WithVectors(), tarn.WithFilter(tarn.Exists("of")))
	for _, r := range near {
		ps = append(ps, tarn.Point{ID: r.ID, Key: r.Key, Vector: r.Vector, Payload: r.Payload})
	}
	return ps, err
}

// What is deleted while a search runs is not in its answer, which still has as many
// points as it can.
func TestASearchShowsNothingThatWasDeletedBeforeItSettled(t *testing.T) {
	for name, k := range map[string]collection.Knobs{"scanned": {}, "by the graph": graphOnly, "in the delta": {ExactThreshold: -1, PauseIndexer: true}} {
		t.Run(name, func(t *testing.T) {
			s := newSteps()
			k.Hook = s.hook
			w := newWorld(t, tarn.CollectionConfig{Dim: dim}, k)
			w.upsert(t, shelved(w.r, 0, 300, dim)...)
			if !k.PauseIndexer {
				eventually(t, "the delta is empty", func() bool { return w.c.Stats().InDelta == 0 })
			}
			for _, opts := range [][]tarn.SearchOption{nil, {tarn.WithFilter(tarn.Not(tarn.Eq("kind", "man")))}} {
				q := vector(w.r, dim)
				gone, err := w.c.Search(ctx, q, 3, opts...)
				require.NoError(t, err)
				once := false
				s.call("search: before settling", func() {
					if !once {
						once = true
						w.delete(t, gone[0].ID, gone[1].ID, gone[2].ID)
					}
				})
				near, err := w.c.Search(ctx, q, 10, opts...)
				s.call("search: before settling", nil)
				require.NoError(t, err)
				require.True(t, once)
				require.Len(t, near, 10)
				want, err := w.c.Search(ctx, q, 10, opts...)
				require.NoError(t, err)
				require.Equal(t, want, near)
			}
		})
	}
}

// A point that All has read ahead, and that moved away from its slot and back into it
// before its turn, is yielded as it is then.
func TestAPointThatCameBackToItsSlotIsYieldedAsItIsNow(t *testing.T) {
	w := newWorld(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{PauseIndexer: true, NoBackground: true})
	w.upsert(t, points(w.r, 0, 10, dim)...)
	for p, err := range w.c.All(ctx) {
		require.NoError(t, err)
		require.Equal(t, w.have[p.ID].Vector, p.Vector, "point %d", p.ID)
		if p.ID == 0 {
			for range 2 {
				w.upsert(t, tarn.Point{ID: 5, Vector: vector(w.r, dim)})
				require.NoError(t, w.c.Checkpoint(ctx)) // the slot that it left is free
			}
			require.Equal(t, 1, w.c.Stats().Deleted)
		}
	}
}
