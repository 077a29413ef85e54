package tarn_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
)

// condition is a filter and what it means, in Go.
type condition struct {
	f    tarn.Filter
	ok   func(p tarn.Payload) bool
	text string
}

// shelf is the payload of the points of these tests.
//
//	n       0 to 99, sometimes a float, sometimes missing
//	kind    one of few texts
//	tags    an array of few texts
//	a.b     a number, or a is none object
func shelf(r *rng) tarn.Payload {
	p := tarn.Payload{"kind": []string{"man", "html", "txt", "info"}[r.IntN(4)], "n": int64(r.IntN(100))}
	switch r.IntN(8) {
	case 0:
		delete(p, "n")
	case 1:
		p["n"] = float64(r.IntN(100)) + 0.5
	case 2:
		p["kind"] = nil
	}
	var tags []any
	for range r.IntN(3) {
		tags = append(tags, []any{"x", "y", "z", int64(1)}[r.IntN(4)])
	}
	if tags != nil {
		p["tags"] = tags
	}
	if p["a"] = any("none"); r.IntN(2) == 0 {
		p["a"] = map[string]any{"b": int64(r.IntN(5))}
	}
	if r.IntN(10) == 0 {
		return nil
	}
	return p
}

// number returns the value of a payload's number.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// someCondition returns a random one.
func someCondition(r *rng, depth int) condition {
	if depth > 0 && r.IntN(2) == 0 {
		return combined(r, depth)
	}
	switch r.IntN(6) {
	case 0:
		kind := []any{"man", "html", "nothing", nil}[r.IntN(4)]
		return condition{tarn.Eq("kind", kind), func(p tarn.Payload) bool {
			v, ok := p["kind"]
			return ok && v == kind
		}, fmt.Sprintf("kind = %v", kind)}
	case 1:
		from, to := r.IntN(100), r.IntN(100)
		return condition{tarn.And(tarn.Gte("n", from), tarn.Lt("n", float64(to)+0.5)), func(p tarn.Payload) bool {
			x, ok := number(p["n"])
			return ok && x >= float64(from) && x < float64(to)+0.5
		}, fmt.Sprintf("%d <= n < %d.5", from, to)}
	case 2:
		return condition{tarn.In("n", 1, 2.0, 50, "man"), func(p tarn.Payload) bool {
			x, ok := number(p["n"])
			return ok && (x == 1 || x == 2 || x == 50)
		}, "n in 1 2 50"}
	case 3:
		field := []string{"n", "tags", "kind", "zzz"}[r.IntN(4)]
		return condition{tarn.Exists(field), func(p tarn.Payload) bool { _, ok := p[field]; return ok }, field + " exists"}
	case 4:
		tag := []any{"x", "z", int64(1), 1.0}[r.IntN(4)]
		return condition{tarn.Contains("tags", tag), func(p tarn.Payload) bool {
			list, _ := p["tags"].([]any)
			return slices.Contains(list, any(tag)) || tag == 1.0 && slices.Contains(list, any(int64(1)))
		}, fmt.Sprintf("tags has %v", tag)}
	}
	most := r.IntN(5)
	return condition{tarn.Lte("a.b", most), func(p tarn.Payload) bool {
		a, _ := p["a"].(map[string]any)
		x, ok := number(a["b"])
		return ok && x <= float64(most)
	}, fmt.Sprintf("a.b <= %d", most)}
}

func combined(r *rng, depth int) condition {
	x, y := someCondition(r, depth-1), someCondition(r, depth-1)
	switch r.IntN(3) {
	case 0:
		return condition{tarn.And(x.f, y.f), func(p tarn.Payload) bool { return x.ok(p) && y.ok(p) }, "(" + x.text + " and " + y.text + ")"}
	case 1:
		return condition{tarn.Or(x.f, y.f), func(p tarn.Payload) bool { return x.ok(p) || y.ok(p) }, "(" + x.text + " or " + y.text + ")"}
	}
	return condition{tarn.Not(x.f), func(p tarn.Payload) bool { return !x.ok(p) }, "not " + x.text}
}

// matching returns the ids of the world's points that fulfil a condition, ascending.
func (w *world) matching(c condition) []uint64 {
	ids := []uint64{}
	for id, p := range w.have {
		if c.ok(p.Payload) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// nearest returns the k nearest of some points by exact arithmetic.
func (w *world) nearest(q []float32, k int, ids []uint64) []uint64 {
	ids = slices.Clone(ids)
	metric := w.c.Config().Metric
	dist := map[uint64]float64{}
	for _, id := range ids {
		dist[id] = trueDistance(metric, q, w.have[id].Vector)
	}
	slices.SortFunc(ids, func(a, b uint64) int {
		if dist[a] != dist[b] {
			if dist[a] < dist[b] {
				return -1
			}
			return 1
		}
		return int(int64(a) - int64(b))
	})
	return ids[:min(k, len(ids))]
}

// shelved returns points with payloads.
func shelved(r *rng, first uint64, n, dim int) []tarn.Point {
	ps := points(r, first, n, dim)
	for i := range ps {
		ps[i].Payload = shelf(r)
	}
	return ps
}

// filterSets are collections whose filters are decided in every way.
var filterSets = map[string]struct {
	cfg   tarn.CollectionConfig
	knobs collection.Knobs
}{
	"scanned":            {cfg: tarn.CollectionConfig{Dim: 8}},
	"by the graph":       {cfg: tarn.CollectionConfig{Dim: 8, Metric: tarn.Cosine}, knobs: graphOnly},
	"all in the delta":   {cfg: tarn.CollectionConfig{Dim: 8}, knobs: collection.Knobs{ExactThreshold: -1, PauseIndexer: true}},
	"many checkpoints":   {cfg: tarn.CollectionConfig{Dim: 8}, knobs: collection.Knobs{ExactThreshold: -1, LogSegment: 8192, CheckpointBytes: 4096}},
	"the other engine":   {cfg: tarn.CollectionConfig{Dim: 8, Index: tarn.IndexConfig{Engine: tarn.EngineCoder}}, knobs: graphOnly},
	"inner product":      {cfg: tarn.CollectionConfig{Dim: 8, Metric: tarn.Dot}, knobs: graphOnly},
	"indexed":            {cfg: tarn.CollectionConfig{Dim: 8, Fields: []string{"n", "kind", "tags", "a.b"}}},
	"indexed, by graph":  {cfg: tarn.CollectionConfig{Dim: 8, Metric: tarn.Cosine, Fields: []string{"n", "kind", "tags", "a.b"}}, knobs: graphOnly},
	"partly indexed":     {cfg: tarn.CollectionConfig{Dim: 8, Fields: []string{"n", "tags"}}, knobs: graphOnly},
	"indexed, busy":      {cfg: tarn.CollectionConfig{Dim: 8, Fields: []string{"kind", "a.b", "n"}}, knobs: collection.Knobs{ExactThreshold: -1, ChunkSlots: 64, LogSegment: 8192, CheckpointBytes: 4096, SnapshotChange: 20, Ring: 4}},
	"small files, moved": {cfg: tarn.CollectionConfig{Dim: 8}, knobs: collection.Knobs{ChunkSlots: 64, Ring: 4}},
}

func TestFilteredAnswersAreThoseOfTheNaiveEvaluator(t *testing.T) {
	for name, set := range filterSets {
		t.Run(name, func(t *testing.T) {
			w, r := newWorld(t, set.cfg, set.knobs), newRand(5)
			w.upsert(t, shelved(r, 0, 500, 8)...)
			for round := range 4 {
				w.upsert(t, shelved(r, uint64(r.IntN(400)), 100, 8)...) // moves
				w.delete(t, w.ids(20)...)
				if round == 2 {
					require.NoError(t, w.c.Checkpoint(ctx))
				}
				if round == 3 {
					w.reopen(t)
				}
				for range unlessShort(12, 5) {
					w.requireFiltered(t, r, someCondition(r, 3))
				}
			}
			c := someCondition(r, 3)
			gone := w.matching(c)
			n, err := w.c.DeleteWhere(ctx, c.f)
			require.NoError(t, err, c.text)
			require.Equal(t, len(gone), n, c.text)
			for _, id := range gone {
				delete(w.have, id)
			}
			require.Equal(t, w.matching(condition{ok: func(tarn.Payload) bool { return true }}), w.scrolled(t, 77, nil))
			w.reopen(t)
			w.requireFiltered(t, r, someCondition(r, 3))
		})
	}
}

// requireFiltered asks in every way for what fulfils a condition.
func (w *world) requireFiltered(t *testing.T, r *rng, c condition) {
	t.Helper()
	ids := w.matching(c)
	q, k := vector(r, 8), 1+r.IntN(20)
	exact, err := w.c.Search(ctx, q, k, tarn.WithFilter(c.f), tarn.WithExact())
	require.NoError(t, err, c.text)
	require.Equal(t, w.nearest(q, k, ids), idsOf(exact), c.text)
	near, err := w.c.Search(ctx, q, k, tarn.WithFilter(c.f))
	require.NoError(t, err, c.text)
	require.Len(t, near, min(k, len(ids)), c.text)
	requireOrdered(t, near)
	for _, n := range near {
		require.Equal(t, w.have[n.ID].Payload, n.Payload)
		require.True(t, c.ok(n.Payload), "%s: %v", c.text, n.Payload)
	}
	if len(exact) > 1 {
		most := exact[len(exact)/2].Distance
		close, err := w.c.Search(ctx, q, k, tarn.WithFilter(c.f), tarn.WithExact(), tarn.WithMaxDistance(most))
		require.NoError(t, err)
		want := 0
		for _, n := range exact {
			if n.Distance <= most {
				want++
			}
		}
		require.Equal(t, exact[:want], close, c.text)
	}
	require.Equal(t, ids, w.scrolled(t, 1+r.IntN(150), c.f), c.text)
}

func idsOf(near []tarn.Result) []uint64 {
	ids := make([]uint64, len(near))
	for i, n := range near {
		ids[i] = n.ID
	}
	return ids
}

// scrolled pages through all that matches and returns the ids.
func (w *world) scrolled(t *testing.T, limit int, f tarn.Filter) []uint64 {
	t.Helper()
	ids := []uint64{}
	for from := uint64(0); ; {
		page, err := w.c.Scroll(ctx, from, limit, f)
		require.NoError(t, err)
		for _, p := range page {
			require.Equal(t, w.have[p.ID], p)
			ids = append(ids, p.ID)
		}
		if len(page) < limit || page[len(page)-1].ID == math.MaxUint64 {
			return ids
		}
		from = page[len(page)-1].ID + 1
	}
}

func TestE18_FiltersThatMatchNothingOrCannotBe(t *testing.T) {
	w := newWorld(t, tarn.CollectionConfig{Dim: dim}, graphOnly)
	w.upsert(t, points(newRand(1), 1, 50, dim)...)
	q := vector(newRand(2), dim)
	for _, f := range []tarn.Filter{tarn.Or(), tarn.Eq("zzz", 1), tarn.Not(tarn.And()), tarn.In("n"), tarn.Lt("n", true), tarn.Gt("n", nil), tarn.Eq("n", "\xff")} {
		near, err := w.c.Search(ctx, q, 5, tarn.WithFilter(f))
		require.NoError(t, err)
		require.Empty(t, near)
		page, err := w.c.Scroll(ctx, 0, 5, f)
		require.NoError(t, err)
		require.Empty(t, page)
		n, err := w.c.DeleteWhere(ctx, f)
		require.NoError(t, err)
		require.Zero(t, n)
	}
	lsn := w.c.Stats().AppliedLSN
	for _, f := range []tarn.Filter{tarn.Eq("", 1), tarn.Eq("n", math.NaN()), tarn.Not(nil), tarn.And(tarn.Eq("n", []int{1}))} {
		_, err := w.c.Search(ctx, q, 5, tarn.WithFilter(f))
		require.ErrorIs(t, err, tarn.ErrInvalidArgument)
		_, err = w.c.SearchBatch(ctx, [][]float32{q}, 5, tarn.WithFilter(f))
		require.ErrorIs(t, err, tarn.ErrInvalidArgument)
		_, err = w.c.Scroll(ctx, 0, 5, f)
		require.ErrorIs(t, err, tarn.ErrInvalidArgument)
		_, err = w.c.DeleteWhere(ctx, f)
		require.ErrorIs(t, err, tarn.ErrInvalidArgument)
	}
	_, err := w.c.DeleteWhere(ctx, nil)
	require.ErrorIs(t, err, tarn.ErrInvalidArgument)
	for _, limit := range []int{0, -1, math.MinInt} {
		_, err := w.c.Scroll(ctx, 0, limit, nil)
		require.ErrorIs(t, err, tarn.ErrInvalidArgument)
	}
	_, err = w.c.Search(ctx, q, 5, tarn.WithMaxDistance(nan))
	require.ErrorIs(t, err, tarn.ErrInvalidArgument)
	near, err := w.c.Search(ctx, q, 5, tarn.WithFilter(nil), tarn.WithMaxDistance(inf))
	require.NoError(t, err)
	require.Len(t, near, 5)
	near, err = w.c.Search(ctx, q, 5, tarn.WithMaxDistance(-1))
	require.NoError(t, err)
	require.Empty(t, near)
	page, err := w.c.Scroll(ctx, 0, math.MaxInt, nil)
	require.NoError(t, err)
	require.Len(t, page, 50)
	require.Equal(t, lsn, w.c.Stats().AppliedLSN, "nothing was written")
	w.check(t)
}

func TestABatchOfSearchesEqualsTheSearches(t *testing.T) {
	w, r := newWorld(t, tarn.CollectionConfig{Dim: 8}, graphOnly), newRand(2)
	w.upsert(t, shelved(r, 0, 400, 8)...)
	eventually(t, "the delta is empty", func() bool { return w.c.Stats().InDelta == 0 })
	queries := make([][]float32, 37)
	for i := range queries {
		queries[i] = vector(r, 8)
	}
	opts := []tarn.SearchOption{tarn.WithFilter(tarn.Lt("n", 40)), tarn.WithVectors(), tarn.WithExact()}
	all, err := w.c.SearchBatch(ctx, queries, 4, opts...)
	require.NoError(t, err)
	require.Len(t, all, len(queries))
	for i, q := range queries {
		one, err := w.c.Search(ctx, q, 4, opts...)
		require.NoError(t, err)
		require.Equal(t, one, all[i])
	}
	all, err = w.c.SearchBatch(ctx, nil, 4)
	require.NoError(t, err)
	require.Empty(t, all)
	queries[20] = []float32{1}
	_, err = w.c.SearchBatch(ctx, queries, 4)
	require.ErrorIs(t, err, tarn.ErrDimension)
	require.ErrorContains(t, err, "query 20")
	_, err = w.c.SearchBatch(ctx, queries[:3], 0)
	require.ErrorIs(t, err, tarn.ErrInvalidArgument)
}

// A batch looks at the payloads once, however many queries it has.
func TestABatchUnderAFilterWithoutAnIndexIsDecidedOnce(t *testing.T) {
	var asked atomic.Int64
	k := collection.Knobs{Hook: func(step string) {
		if step == "match: payloads" {
			asked.Add(1)
		}
	}}
	w, r := newWorld(t, tarn.CollectionConfig{Dim: 8}, k), newRand(2)
	w.upsert(t, shelved(r, 0, 300, 8)...)
	all, err := w.c.SearchBatch(ctx, vectors(r, 40, 8), 4, tarn.WithFilter(tarn.Lt("n", 40)))
	require.NoError(t, err)
	require.Len(t, all, 40)
	require.EqualValues(t, 1, asked.Load())
}

// What is written while a batch runs is in the answers that come after: points that leave
// the filter or enter it, and such as go.
func TestABatchUnderWritesJudgesPointsByWhatTheyBecome(t *testing.T) {
	for name, k := range map[string]collection.Knobs{"scanned": {}, "by the graph": graphOnly, "a short ring": {ExactThreshold: -1, Ring: 2}} {
		for _, fields := range [][]string{nil, {"in"}} {
			t.Run(fmt.Sprint(name, fields), func(t *testing.T) {
				s := newSteps()
				k.Hook = s.hook
				w, r := newWorld(t, tarn.CollectionConfig{Dim: 8, Fields: fields}, k), newRand(3)
				indexed(t, w.c)
				ps := points(r, 0, 200, 8)
				for i := range ps {
					ps[i].Payload = tarn.Payload{"in": i%2 == 0}
				}
				w.upsert(t, ps...)
				eventually(t, "the delta is empty", func() bool { return w.c.Stats().InDelta == 0 })
				queries := vectors(r, 30, 8)
				for i := range 10 {
					queries[i] = ps[i].Vector
				}
				var once sync.Once
				s.call("search: before settling", func() {
					once.Do(func() {
						for i := range 6 {
							ps[i].Payload = tarn.Payload{"in": i%2 != 0}
							w.upsert(t, ps[i])
						}
						w.delete(t, 8, 9, 30, 31)
					})
				})
				all, err := w.c.SearchBatch(ctx, queries, 10, tarn.WithFilter(tarn.Eq("in", true)))
				require.NoError(t, err)
				s.call("search: before settling", nil)
				for i, q := range queries {
					one, err := w.c.Search(ctx, q, 10, tarn.WithFilter(tarn.Eq("in", true)), tarn.WithExact())
					require.NoError(t, err)
					require.Equal(t, one, all[i], i)
				}
			})
		}
	}
}

// vectors returns n random vectors.
func vectors(r *rng, n, dim int) [][]float32 {
	vs := make([][]float32, n)
	for i := range vs {
		vs[i] = vector(r, dim)
	}
	return vs
}

// What ends a batch half way is its context's own error, whatever the caller cancelled it
// for, and all that it has begun has ended.
func TestD06_ABatchOfSearchesThatIsCancelledHalfWaySaysSo(t *testing.T) {
	s := newSteps()
	w := newWorld(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{Hook: s.hook})
	w.upsert(t, points(w.r, 1, 50, dim)...)
	queries := make([][]float32, 100)
	for i := range queries {
		queries[i] = vector(w.r, dim)
	}
	reason := errors.New("enough")
	half, cancel := context.WithCancelCause(ctx)
	var begun atomic.Int64
	s.call("search: before settling", func() {
		if begun.Add(1) == 10 {
			cancel(reason)
		}
	})
	all, err := w.c.SearchBatch(half, queries, 3)
	require.ErrorIs(t, err, context.Canceled)
	require.Nil(t, all)
	require.Less(t, begun.Load(), int64(100))
	half, cancel = context.WithCancelCause(ctx)
	s.call("rebuild: unit", func() { cancel(reason) })
	require.ErrorIs(t, w.c.Rebuild(half, tarn.IndexConfig{}), context.Canceled)
}

// A point that moves into or out of the filter while a search runs is judged by
// what it is at the end, whether it was met before or after.
func TestAPointThatMovesDuringASearchIsJudgedByItsNewPayload(t *testing.T) {
	for name, k := range map[string]collection.Knobs{"scanned": {}, "by the graph": graphOnly, "a short ring": {ExactThreshold: -1, Ring: 2}} {
		t.Run(name, func(t *testing.T) {
			s := newSteps()
			k.Hook = s.hook
			w, r := newWorld(t, tarn.CollectionConfig{Dim: 8}, k), newRand(3)
			ps := points(r, 0, 200, 8)
			for i := range ps {
				ps[i].Payload = tarn.Payload{"in": i%2 == 0}
			}
			w.upsert(t, ps...)
			eventually(t, "the delta is empty", func() bool { return w.c.Stats().InDelta == 0 })
			for round := range 10 {
				q := ps[round].Vector
				moved := false
				s.call("search: before settling", func() {
					if moved {
						return
					}
					moved = true
					for i := range 6 { // the nearest leaves the filter or enters it, and others do
						ps[round+i].Payload = tarn.Payload{"in": !ps[round+i].Payload["in"].(bool)}
						w.upsert(t, ps[round+i])
					}
				})
				near, err := w.c.Search(ctx, q, 10, tarn.WithFilter(tarn.Eq("in", true)))
				require.NoError(t, err)
				require.True(t, moved)
				require.Len(t, near, 10)
				for _, n := range near {
					require.Equal(t, tarn.Payload{"in": true}, n.Payload)
				}
				require.Equal(t, ps[round].Payload["in"].(bool), near[0].ID == uint64(round))
			}
		})
	}
}

func TestDeleteWhereComesAfterWhatTheStreamHadAccepted(t *testing.T) {
	s, c, _, _ := newStream(t, tarn.StreamingConfig{BatchSize: 1000, FlushInterval: 3600e9}, collection.Knobs{})
	for i := range 20 {
		_, err := s.Send(ctx, tarn.Point{ID: uint64(i), Vector: vector(newRand(uint64(i)), dim), Payload: tarn.Payload{"i": i}})
		require.NoError(t, err)
	}
	n, err := c.DeleteWhere(ctx, tarn.Lt("i", 15))
	require.NoError(t, err)
	require.Equal(t, 15, n)
	require.Equal(t, 5, c.Len())
}

// What is written between the look at the payloads and the writer lock is decided
// about too.
func TestDeleteWhereIsDecidedUnderTheWriterLock(t *testing.T) {
	s := newSteps()
	w := newWorld(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{Hook: s.hook})
	ps := points(newRand(4), 0, 40, dim)
	for i := range ps {
		ps[i].Payload = tarn.Payload{"in": i < 20}
	}
	w.upsert(t, ps...)
	once := sync.OnceFunc(func() {
		for _, i := range []int{0, 39} { // one leaves, one enters
			ps[i].Payload = tarn.Payload{"in": i > 20}
			w.upsert(t, ps[i])
		}
		w.delete(t, 1)
		p := tarn.Point{ID: 100, Vector: ps[0].Vector, Payload: tarn.Payload{"in": true}}
		w.upsert(t, p)
	})
	s.call("delete where: before the lock", once)
	n, err := w.c.DeleteWhere(ctx, tarn.Eq("in", true))
	require.NoError(t, err)
	require.Equal(t, 18+1+1, n)
	for id, p := range w.have {
		if p.Payload["in"] == true {
			delete(w.have, id)
		}
	}
	w.check(t)
}

// Beside writers, checkpoints and fields that come and go, DeleteWhere takes what matches
// and nothing that never did, and what it has logged is gone after Open too.
func TestDeleteWhereBesideWritersTakesWhatMatchesAndNothingElse(t *testing.T) {
	const stay = 300
	w := newWorld(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{ExactThreshold: -1, CheckpointBytes: 1 << 14, LogSegment: 1 << 13})
	point := func(r *rng, id uint64, in bool) tarn.Point {
		return tarn.Point{ID: id, Vector: vector(r, dim), Payload: tarn.Payload{"in": in}}
	}
	for id := range uint64(stay) {
		require.NoError(t, w.c.Upsert(ctx, point(w.r, id, false)))
	}
	stop := make(chan struct{})
	var came, left atomic.Int64
	going := func(seed uint64, do func(r *rng, i int) error) func() error {
		return inBackground(t, func() error {
			r := newRand(seed)
			for i := 0; ; i++ {
				select {
				case <-stop:
					return nil
				default:
				}
				if err := do(r, i); err != nil {
					return err
				}
			}
		})
	}
	waits := []func() error{
		going(1, func(r *rng, i int) error { // moves, and never matches
			return w.c.Upsert(ctx, point(r, r.Uint64N(stay), false), point(r, r.Uint64N(stay), false))
		}),
		going(2, func(r *rng, i int) error { // each id comes once, and matches
			came.Add(1)
			return w.c.Upsert(ctx, point(r, uint64(stay+i), true))
		}),
		going(3, func(r *rng, i int) error {
			return w.c.SetFields(ctx, [][]string{nil, {"in"}}[i%2]...)
		}),
	}
	for range unlessShort(200, 60) {
		n, err := w.c.DeleteWhere(ctx, tarn.Eq("in", true))
		require.NoError(t, err)
		left.Add(int64(n))
	}
	close(stop)
	for _, wait := range waits {
		require.NoError(t, wait())
	}
	n, err := w.c.DeleteWhere(ctx, tarn.Eq("in", true))
	require.NoError(t, err)
	require.Equal(t, came.Load(), left.Load()+int64(n), "each went once")
	for _, again := range []bool{false, true} {
		if again {
			w.reopen(t)
		}
		require.Equal(t, stay, w.c.Len())
		page, err := w.c.Scroll(ctx, 0, stay+1, tarn.Eq("in", false))
		require.NoError(t, err)
		require.Len(t, page, stay)
		require.Equal(t, uint64(stay-1), page[stay-1].ID)
	}
}

func TestListingsUnderWritesShowWhatIsThereThroughoutOnce(t *testing.T) {
	w, r := newWorld(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{CheckpointBytes: 1 << 16, LogSegment: 1 << 14}), newRand(6)
	const stay = 3000
	ps := shelved(r, 0, stay, dim)
	for i := range ps {
		ps[i].ID *= 3
		ps[i].Payload = tarn.Payload{"stays": true, "i": i}
	}
	w.upsert(t, ps...)
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
			moved := ps[i]
			moved.Vector = vector(r, dim)
			if err := errors.Join(
				w.c.Upsert(ctx, moved, tarn.Point{ID: uint64(i)*3 + 1, Vector: vector(r, dim), Payload: tarn.Payload{"stays": r.IntN(2) == 0}}),
				second(w.c.Delete(ctx, r.Uint64N(stay)*3+1)),
			); err != nil {
				return err
			}
		}
	})
	for range 4 {
		for _, limit := range []int{64, 1000} {
			seen := map[uint64]int{}
			last := int64(-1)
			for from := uint64(0); ; {
				page, err := w.c.Scroll(ctx, from, limit, tarn.Eq("stays", true))
				require.NoError(t, err)
				for _, p := range page {
					require.Greater(t, int64(p.ID), last)
					last = int64(p.ID)
					require.Equal(t, true, p.Payload["stays"])
					seen[p.ID]++
				}
				if len(page) < limit {
					break
				}
				from = page[len(page)-1].ID + 1
			}
			for i := range uint64(stay) {
				require.Equal(t, 1, seen[i*3], "id %d", i*3)
			}
		}
		seen := map[uint64]int{}
		for p, err := range w.c.All(ctx) {
			require.NoError(t, err)
			seen[p.ID]++
		}
		for i := range uint64(stay) {
			require.Equal(t, 1, seen[i*3], "id %d", i*3)
		}
	}
	close(stop)
	require.NoError(t, writer())
}

func second[T any](_ T, err error) error { return err }

// Recall against the exact answer, for filters that leave nine tenths to a thousandth
// of the points, by the graph however few match, with and without writes beside it.
func TestRecallUnderFiltersOfAllSharesHoldsWithAndWithoutWrites(t *testing.T) {
	const wide, k = 16, 10
	n := unlessShort(6_000, 2_000)
	w := newWorld(t, tarn.CollectionConfig{Dim: wide, Fields: []string{"share"}}, collection.Knobs{ExactThreshold: -1, NoFilterScan: true})
	r := newRand(12)
	point := func(i int) tarn.Point {
		return tarn.Point{ID: uint64(i), Vector: vector(r, wide), Payload: tarn.Payload{"share": (float64(i%1000) + 0.5) / 1000}}
	}
	for from := 0; from < n; from += 500 {
		var ps []tarn.Point
		for i := range 500 {
			ps = append(ps, point(from+i))
		}
		require.NoError(t, w.c.Upsert(ctx, ps...))
	}
	indexed(t, w.c)
	for _, writing := range []bool{false, true} {
		eventually(t, "the delta is empty", func() bool { return w.c.Stats().InDelta == 0 })
		stop := make(chan struct{})
		writer := inBackground(t, func() error {
			for i := 0; writing; i++ {
				select {
				case <-stop:
					return nil
				default:
				}
				if err := w.c.Upsert(ctx, tarn.Point{ID: uint64(i * 7 % n), Vector: vector(newRand(uint64(i)), wide), Payload: tarn.Payload{"share": (float64(i*7%n%1000) + 0.5) / 1000}}); err != nil {
					return err
				}
			}
			return nil
		})
		for _, share := range []float64{0.9, 0.5, 0.39, 0.25, 0.1, 0.05, 0.01, 0.001} {
			hits, of := 0, 0
			for range unlessShort(40, 15) {
				q, f := vector(r, wide), tarn.WithFilter(tarn.Lt("share", share))
				exact, err := w.c.Search(ctx, q, k, f, tarn.WithExact())
				require.NoError(t, err)
				near, err := w.c.Search(ctx, q, k, f, tarn.WithEf(64))
				require.NoError(t, err)
				require.Len(t, near, min(k, int(share*float64(n)+0.5)))
				for _, x := range near {
					require.Less(t, x.Payload["share"], share)
					if x.Distance <= exact[len(exact)-1].Distance {
						hits++
					}
				}
				of += len(exact)
			}
			require.Greater(t, float64(hits)/float64(of), 0.9, "s = %v, writing: %v", share, writing)
		}
		close(stop)
		require.NoError(t, writer())
	}
}
