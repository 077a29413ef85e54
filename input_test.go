package tarn_test

import (
	"context"
	"encoding/json"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
)

var (
	inf      = float32(math.Inf(1))
	nan      = float32(math.NaN())
	minusNil = float32(math.Copysign(0, -1))
	metrics  = []tarn.Metric{tarn.L2, tarn.Cosine, tarn.Dot}
)

// everyDoor calls try with each way by which a point enters a collection.
func everyDoor(t *testing.T, c *tarn.Collection, try func(t *testing.T, enter func(p tarn.Point) error)) {
	s, err := c.Stream()
	require.NoError(t, err)
	doors := map[string]func(p tarn.Point) error{
		"Upsert":  func(p tarn.Point) error { return c.Upsert(ctx, p) },
		"TrySend": func(p tarn.Point) error { ticket, err := s.TrySend(p); return settled(ticket, err) },
		"Send":    func(p tarn.Point) error { ticket, err := s.Send(ctx, p); return settled(ticket, err) },
		"TrySendBatch": func(p tarn.Point) error {
			_, ticket, err := s.TrySendBatch([]tarn.Point{p})
			return settled(ticket, err)
		},
		"SendBatch": func(p tarn.Point) error {
			ticket, err := s.SendBatch(ctx, []tarn.Point{p})
			return settled(ticket, err)
		},
		"SendOps": func(p tarn.Point) error {
			ticket, err := s.SendOps(ctx, []tarn.Op{{Point: p}})
			return settled(ticket, err)
		},
		"Ingest": func(p tarn.Point) error {
			_, err := s.Ingest(ctx, func(yield func(tarn.Point, error) bool) { yield(p, nil) })
			return err
		},
	}
	for name, enter := range doors {
		t.Run(name, func(t *testing.T) { try(t, enter) })
	}
}

func settled(ticket tarn.Ticket, err error) error {
	if err != nil {
		return err
	}
	return ticket.Wait(ctx)
}

// quick is a stream whose batches are of one point.
var quick = &tarn.StreamingConfig{BatchSize: 1}

func TestE01_NoNumberIsRefusedWithItsPlace(t *testing.T) {
	for _, metric := range metrics {
		t.Run(metric.String(), func(t *testing.T) {
			c, _, _ := newCollection(t, tarn.CollectionConfig{Dim: 5, Metric: metric, Streaming: quick}, nil)
			everyDoor(t, c, func(t *testing.T, enter func(p tarn.Point) error) {
				for _, bad := range []float32{nan, inf, -inf, math.Float32frombits(0x7f800001), math.Float32frombits(0xffffffff)} {
					for at := range 5 {
						v := []float32{1, 2, 3, 4, 5}
						v[at] = bad
						err := enter(tarn.Point{ID: 9, Vector: v})
						require.ErrorIs(t, err, tarn.ErrInvalidVector)
						var named *tarn.InvalidPointError
						require.ErrorAs(t, err, &named)
						require.Equal(t, uint64(9), named.ID)
						require.Zero(t, named.Index)
						require.ErrorContains(t, err, "component "+string(rune('0'+at)))
						_, err = c.Search(ctx, v, 1)
						require.ErrorIs(t, err, tarn.ErrInvalidVector)
						require.ErrorContains(t, err, "component "+string(rune('0'+at)))
					}
				}
			})
			require.Zero(t, c.Len())
			require.Zero(t, c.Stats().AppliedLSN, "nothing was written")
		})
	}
}

func TestE01_MinusZeroAndDenormalsComeBackToTheBit(t *testing.T) {
	tiny := math.Float32frombits(1)
	for _, metric := range metrics {
		c, db, path := newCollection(t, tarn.CollectionConfig{Dim: 4, Metric: metric, Streaming: quick}, nil)
		v := []float32{minusNil, tiny, -tiny, 1}
		everyDoor(t, c, func(t *testing.T, enter func(p tarn.Point) error) {
			require.NoError(t, enter(tarn.Point{ID: 1, Vector: v}))
		})
		for range 2 {
			got, err := c.Get(ctx, 1)
			require.NoError(t, err)
			near, err := c.Search(ctx, v, 1, tarn.WithVectors())
			require.NoError(t, err)
			for i := range v {
				require.Equal(t, math.Float32bits(v[i]), math.Float32bits(got.Vector[i]))
				require.Equal(t, math.Float32bits(v[i]), math.Float32bits(near[0].Vector[i]))
			}
			c, db = reopen(t, db, path, nil)
		}
	}
}

func TestE02_AWrongDimensionNamesBoth(t *testing.T) {
	c, _, _ := newCollection(t, tarn.CollectionConfig{Dim: 7, Streaming: quick}, nil)
	for _, v := range [][]float32{nil, {}, make([]float32, 6), make([]float32, 8), make([]float32, 70_000)} {
		everyDoor(t, c, func(t *testing.T, enter func(p tarn.Point) error) {
			err := enter(tarn.Point{ID: 1, Vector: v})
			require.ErrorIs(t, err, tarn.ErrDimension)
			require.ErrorContains(t, err, "has 7")
			require.ErrorContains(t, err, "has "+jsonOf(len(v)))
		})
		_, err := c.Search(ctx, v, 1)
		require.ErrorIs(t, err, tarn.ErrDimension)
	}
	require.Zero(t, c.Len())
}

func jsonOf(v any) string {
	data, _ := json.Marshal(v)
	return string(data)
}

func TestE02_DimensionsOfACollectionHaveLimits(t *testing.T) {
	db, path := newDB(t, nil)
	for _, dim := range []int{0, -1, math.MinInt, 65_537, math.MaxInt} {
		_, err := db.CreateCollection(ctx, "c", tarn.CollectionConfig{Dim: dim})
		require.ErrorIs(t, err, tarn.ErrInvalidConfig, "%d", dim)
		require.ErrorContains(t, err, "Dim")
		require.Empty(t, db.Collections())
	}
	c, err := db.CreateCollection(ctx, "c", tarn.CollectionConfig{Dim: 65_536})
	require.NoError(t, err)
	ps := points(newRand(1), 1, 3, 65_536)
	require.NoError(t, c.Upsert(ctx, ps...))
	for _, p := range ps {
		requirePoint(t, c, p)
	}
	require.NoError(t, db.Close())
	db, err = tarn.Open(path, &tarn.Options{MaxDim: 100})
	require.NoError(t, err, "the limit is on new collections; one that is there can be read")
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	_, err = db.CreateCollection(ctx, "d", tarn.CollectionConfig{Dim: 101})
	require.ErrorIs(t, err, tarn.ErrInvalidConfig)
	c, err = db.Collection("c")
	require.NoError(t, err)
	requirePoint(t, c, ps[2])
}

func TestE03_NormsAtTheirLimits(t *testing.T) {
	limit := math.Sqrt(math.MaxFloat32 / 4)
	type verdict struct {
		name   string
		vector []float32
		bad    map[tarn.Metric]bool
	}
	all := map[tarn.Metric]bool{tarn.L2: true, tarn.Cosine: true, tarn.Dot: true}
	cases := []verdict{
		{"zero", []float32{0, 0, 0}, map[tarn.Metric]bool{tarn.Cosine: true}},
		{"minus zero", []float32{minusNil, 0, minusNil}, map[tarn.Metric]bool{tarn.Cosine: true}},
		{"just allowed", []float32{float32(limit * 0.9999), 0, 0}, nil},
		{"one component too long", []float32{float32(limit * 1.0001), 0, 0}, all},
		{"each legal, together too long", []float32{float32(limit * 0.6), float32(limit * 0.6), float32(-limit * 0.6)}, all},
		{"largest floats", []float32{math.MaxFloat32, math.MaxFloat32, math.MaxFloat32}, all},
		{"small", []float32{1e-10, 1e-10, 0}, nil},
	}
	for _, metric := range metrics {
		for _, v := range cases {
			t.Run(metric.String()+"/"+v.name, func(t *testing.T) {
				c, _, _ := newCollection(t, tarn.CollectionConfig{Dim: 3, Metric: metric, Streaming: quick}, tarn.WithKnobs(graphOnly))
				require.NoError(t, c.Upsert(ctx, tarn.Point{ID: 50, Vector: []float32{1, 2, 3}}))
				everyDoor(t, c, func(t *testing.T, enter func(p tarn.Point) error) {
					err := enter(tarn.Point{ID: 1, Vector: v.vector})
					if v.bad[metric] {
						require.ErrorIs(t, err, tarn.ErrInvalidVector)
						return
					}
					require.NoError(t, err)
				})
				near, err := c.Search(ctx, v.vector, 10)
				if v.bad[metric] {
					require.ErrorIs(t, err, tarn.ErrInvalidVector)
					require.Equal(t, 1, c.Len())
					return
				}
				require.NoError(t, err)
				require.Len(t, near, 2)
			})
		}
	}
}

func TestE03_NoDistanceIsEverNaNOrInfinite(t *testing.T) {
	long := float32(math.Sqrt(math.MaxFloat32/4) * 0.9999)
	small := float32(1e-17) // near the shortest that cosine takes
	vectors := [][]float32{{long, 0, 0}, {-long, 0, 0}, {0, long, 0}, {small, 0, 0}, {-small, small, 0}, {1, 1, 1},
		{math.Float32frombits(1), 1, 0}, {1e-18, 2e-18, -2e-18}, {long * 0.7, -long * 0.7, 0}}
	for _, metric := range metrics {
		for _, k := range []collection.Knobs{{}, graphOnly} {
			c, _, _ := newCollection(t, tarn.CollectionConfig{Dim: 3, Metric: metric}, tarn.WithKnobs(k))
			for i, v := range vectors {
				require.NoError(t, c.Upsert(ctx, tarn.Point{ID: uint64(i), Vector: v}))
			}
			for _, q := range vectors {
				for _, opts := range [][]tarn.SearchOption{nil, {tarn.WithExact()}, {tarn.WithEf(1)}} {
					near, err := c.Search(ctx, q, 100, opts...)
					require.NoError(t, err)
					require.Len(t, near, len(vectors))
					for i, n := range near {
						require.False(t, math.IsNaN(float64(n.Distance)) || math.IsInf(float64(n.Distance), 0), "%v of %v", n, q)
						require.InDelta(t, trueDistance(metric, q, vectors[n.ID]), float64(n.Distance), tolerance(metric, q, vectors[n.ID]))
						if i > 0 {
							require.LessOrEqual(t, near[i-1].Distance, n.Distance)
						}
						if metric != tarn.Dot {
							require.GreaterOrEqual(t, n.Distance, float32(-1e-6))
						}
					}
				}
			}
		}
	}
}

func TestE03_VectorsAtTheVeryLimitAreFoundAndHideNoOthers(t *testing.T) {
	edge := math.Sqrt(math.MaxFloat32 / 4)
	for _, metric := range metrics {
		for _, dim := range []int{1, 4, 100} {
			for _, k := range []collection.Knobs{{}, graphOnly} {
				c, _, _ := newCollection(t, tarn.CollectionConfig{Dim: dim, Metric: metric}, tarn.WithKnobs(k))
				var vectors [][]float32
				for _, part := range []float64{1 - 1e-7, 1 - 1e-6, 1 - 1e-5, 1e-3, 1e-18} {
					for _, sign := range []float64{1, -1} {
						v := make([]float32, dim)
						for i := range v {
							v[i] = float32(sign * part * edge / math.Sqrt(float64(dim)))
						}
						if c.Upsert(ctx, tarn.Point{ID: uint64(len(vectors)), Vector: v}) == nil { // rounding may put the longest beyond
							vectors = append(vectors, v)
						}
					}
				}
				require.GreaterOrEqual(t, len(vectors), 8)
				for id, q := range vectors {
					near, err := c.Search(ctx, q, 100)
					require.NoError(t, err)
					require.Len(t, near, len(vectors), "%v, %d dimensions, query %d", metric, dim, id)
					if metric == tarn.L2 {
						require.Equal(t, tarn.Result{ID: uint64(id)}, near[0])
					}
					for _, n := range near {
						require.False(t, math.IsNaN(float64(n.Distance)) || math.IsInf(float64(n.Distance), 0), "%v of %v", n, q)
					}
				}
			}
		}
	}
}

// trueDistance is what the API calls the distance, in float64.
func trueDistance(m tarn.Metric, a, b []float32) float64 {
	var dot, aa, bb, squares float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		dot, aa, bb, squares = dot+x*y, aa+x*x, bb+y*y, squares+(x-y)*(x-y)
	}
	switch m {
	case tarn.Cosine:
		return 1 - dot/math.Sqrt(aa*bb)
	case tarn.Dot:
		return -dot
	}
	return math.Sqrt(squares)
}

// tolerance is how far from trueDistance float32 arithmetic may be.
func tolerance(m tarn.Metric, a, b []float32) float64 {
	const eps = 1e-5
	norm := func(v []float32) (s float64) {
		for _, x := range v {
			s += float64(x) * float64(x)
		}
		return math.Sqrt(s)
	}
	switch m {
	case tarn.Cosine:
		return eps
	case tarn.Dot:
		return eps*norm(a)*norm(b) + 1e-37
	}
	return eps*trueDistance(m, a, b) + eps*1e-3*(norm(a)+norm(b)) + 1e-18
}

func TestE04_KHasLimitsAndALargeOneCostsWhatIsThere(t *testing.T) {
	c, db, path := newCollection(t, tarn.CollectionConfig{Dim: dim}, nil)
	r := newRand(1)
	q := vector(r, dim)
	near, err := c.Search(ctx, q, 5)
	require.NoError(t, err)
	require.Empty(t, near, "an empty collection has no answer and no error")
	require.NoError(t, c.Upsert(ctx, points(r, 1, 20, dim)...))
	for _, k := range []int{0, -1, math.MinInt, 10_001, math.MaxInt} {
		_, err := c.Search(ctx, q, k)
		require.ErrorIs(t, err, tarn.ErrInvalidArgument, "%d", k)
	}
	for _, k := range []int{1, 19, 20, 21, 10_000} {
		near, err := c.Search(ctx, q, k)
		require.NoError(t, err)
		require.Len(t, near, min(k, 20))
	}
	for _, knobs := range []collection.Knobs{{}, graphOnly} {
		opts := tarn.WithKnobs(knobs)
		opts.MaxK = math.MaxInt
		c, db = reopen(t, db, path, opts)
		for _, k := range []int{math.MaxInt >> 1, math.MaxInt - 1, math.MaxInt} {
			for _, exact := range []tarn.SearchOption{nil, tarn.WithExact(), tarn.WithEf(1)} {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				near, err := c.Search(ctx, q, k, exact)
				runtime.ReadMemStats(&after)
				require.NoError(t, err)
				require.Len(t, near, 20)
				require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(8<<20))
			}
		}
	}
}

func TestE05_EfHasLimits(t *testing.T) {
	for _, knobs := range []collection.Knobs{{}, graphOnly} {
		c, _, _ := newCollection(t, tarn.CollectionConfig{Dim: dim}, tarn.WithKnobs(knobs))
		r := newRand(1)
		require.NoError(t, c.Upsert(ctx, points(r, 1, 300, dim)...))
		q := vector(r, dim)
		for _, ef := range []int{0, -1, math.MinInt} {
			_, err := c.Search(ctx, q, 1, tarn.WithEf(ef))
			require.ErrorIs(t, err, tarn.ErrInvalidArgument)
		}
		for _, ef := range []int{1, 2, 299, 300, 301, math.MaxInt - 3, math.MaxInt} {
			for _, k := range []int{1, 50, 300} {
				near, err := c.Search(ctx, q, k, tarn.WithEf(ef))
				require.NoError(t, err)
				require.Len(t, near, k, "an ef below k means k")
			}
		}
	}
}

func TestE06_LimitsOfTheGraphsParameters(t *testing.T) {
	db, _ := newDB(t, nil)
	for _, bad := range []tarn.IndexConfig{{M: 1}, {M: -1}, {M: 257}, {M: math.MaxInt}, {EfConstruction: 3}, {EfConstruction: -4},
		{EfConstruction: 10_001}, {EfSearch: -1}, {EfSearch: 10_001}, {Engine: 2}} {
		_, err := db.CreateCollection(ctx, "c", tarn.CollectionConfig{Dim: 4, Index: bad})
		require.ErrorIs(t, err, tarn.ErrInvalidConfig, "%+v", bad)
	}
	c, err := db.CreateCollection(ctx, "c", tarn.CollectionConfig{Dim: 4, Index: tarn.IndexConfig{M: 2, EfConstruction: 4, EfSearch: 1}})
	require.NoError(t, err)
	require.NoError(t, c.Upsert(ctx, points(newRand(1), 1, 100, 4)...))
	err = c.Rebuild(ctx, tarn.IndexConfig{M: 1, EfConstruction: -1, EfSearch: 10_001})
	require.ErrorIs(t, err, tarn.ErrInvalidConfig)
	for _, field := range []string{"M is 1", "EfConstruction", "EfSearch"} {
		require.ErrorContains(t, err, field)
	}
	require.ErrorIs(t, c.Rebuild(ctx, tarn.IndexConfig{Engine: tarn.EngineCoder}), tarn.ErrInvalidConfig, "the engine is fixed for life")
	require.NoError(t, c.Rebuild(ctx, tarn.IndexConfig{M: 256, EfConstruction: 10_000, EfSearch: 10_000}))
	require.Equal(t, tarn.IndexConfig{M: 256, EfConstruction: 10_000, EfSearch: 10_000}, c.Config().Index)
}

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

func TestE09_AnOversizedPayloadIsRefusedBeforeAnyWrite(t *testing.T) {
	c, db, path := newCollection(t, tarn.CollectionConfig{Dim: 2, Streaming: quick}, &tarn.Options{MaxPayload: 100})
	fits := tarn.Payload{"a": strings.Repeat("x", 100-len(`{"a":""}`))}
	large := tarn.Payload{"a": strings.Repeat("x", 101-len(`{"a":""}`))}
	everyDoor(t, c, func(t *testing.T, enter func(p tarn.Point) error) {
		err := enter(tarn.Point{ID: 1, Vector: []float32{1, 2}, Payload: large})
		require.ErrorIs(t, err, tarn.ErrTooLarge)
		var named *tarn.InvalidPointError
		require.ErrorAs(t, err, &named)
	})
	require.Zero(t, c.Stats().AppliedLSN)
	everyDoor(t, c, func(t *testing.T, enter func(p tarn.Point) error) {
		require.NoError(t, enter(tarn.Point{ID: 1, Vector: []float32{1, 2}, Payload: fits}))
	})
	c, _ = reopen(t, db, path, &tarn.Options{MaxPayload: 10})
	requirePoint(t, c, tarn.Point{ID: 1, Vector: []float32{1, 2}, Payload: fits})
	big := tarn.Payload{"a": strings.Repeat("<", 64<<20)}
	err := c.Upsert(ctx, tarn.Point{ID: 2, Vector: []float32{1, 2}, Payload: big})
	require.ErrorIs(t, err, tarn.ErrTooLarge)
}

// hugePayload returns a payload of n bytes as JSON.
func hugePayload(n int) tarn.Payload {
	return tarn.Payload{"a": strings.Repeat("x", n-len(`{"a":""}`))}
}

func TestE09_WhatIsTooLargeForARecordIsRefusedAtTheDoorAndTheStreamLives(t *testing.T) {
	c, _, _ := newCollection(t, tarn.CollectionConfig{Dim: 2, Streaming: quick}, &tarn.Options{MaxPayload: 1 << 30})
	s, err := c.Stream()
	require.NoError(t, err)
	const record, op = 64 << 20, 24 + 2*4
	refused := 0
	for _, over := range []int{1, 0, -5, -6, -64} { // about what fits the queue, about what fits a record
		p := tarn.Point{ID: 1, Vector: []float32{1, 2}, Payload: hugePayload(record - op + over)}
		err := settled(s.TrySend(p))
		if err != nil {
			require.ErrorIs(t, err, tarn.ErrTooLarge, "%d", over)
			require.NotErrorIs(t, err, tarn.ErrStreamDead, "%d", over)
			refused++
		}
		if over == -64 {
			require.NoError(t, err)
		}
	}
	require.GreaterOrEqual(t, refused, 1)
	waitAll(t, send(t, s, tarn.Point{ID: 2, Vector: []float32{1, 2}}))
	require.Equal(t, 2, c.Len())
}

// badText writes itself as a text that is not UTF-8.
type badText struct{}

func (badText) MarshalText() ([]byte, error) { return []byte("\xff"), nil }

// hidden is written as a part of what embeds it.
type hidden struct{ Text string }

type embedding struct{ hidden }

func TestE10_PayloadsAreJSONObjectsOrRefused(t *testing.T) {
	nested := func(depth int) any {
		var v any = "leaf"
		for range depth {
			v = []any{v}
		}
		return v
	}
	loop := map[string]any{}
	loop["self"] = loop
	refused := map[string]tarn.Payload{
		"a NaN":                     {"a": math.NaN()},
		"an infinity, deep":         {"a": []any{map[string]any{"b": math.Inf(-1)}}},
		"a channel":                 {"a": make(chan int)},
		"a function":                {"a": func() {}},
		"invalid UTF-8":             {"a": "\xff\xfe"},
		"invalid UTF-8 in a key":    {"\xc3\x28": 1},
		"invalid UTF-8, deep":       {"a": []string{"ok", "\x80"}},
		"invalid UTF-8 in a struct": {"a": struct{ B string }{"\xff"}},
		"nested 10 000 deep":        {"a": nested(10_000)},
		"a loop":                    {"a": loop},
		"a number that is none":     {"a": json.Number("1e999x")},
		"a raw value that is none":  {"a": json.RawMessage(`{"x":`)},
		"a raw value too deep":      {"a": json.RawMessage(strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000))},
		"a raw number too large":    {"a": json.RawMessage("1e999")},
		"a json.Number too large":   {"a": json.Number("-1e999")},
		"raw invalid UTF-8":         {"a": json.RawMessage("\"\xff\"")},
		"invalid UTF-8 as a text":   {"a": badText{}},
		"invalid UTF-8, a text key": {"a": map[badText]int{{}: 1}},
		"invalid UTF-8, embedded":   {"a": embedding{hidden{"\xff"}}},
	}
	c, _, _ := newCollection(t, tarn.CollectionConfig{Dim: 2, Streaming: quick}, nil)
	v := []float32{1, 2}
	for name, payload := range refused {
		t.Run(name, func(t *testing.T) {
			everyDoor(t, c, func(t *testing.T, enter func(p tarn.Point) error) {
				require.ErrorIs(t, enter(tarn.Point{ID: 1, Vector: v, Payload: payload}), tarn.ErrInvalidPoint)
			})
		})
	}
	require.Zero(t, c.Len())
	require.Zero(t, c.Stats().AppliedLSN)
}

func TestE10_WhatAPayloadComesBackAs(t *testing.T) {
	big := uint64(math.MaxUint64)
	given := tarn.Payload{
		"int": 1, "int64": int64(math.MinInt64), "uint64": big, "float": 1.5, "whole": 1.0, "large": 1e300, "tiny": 5e-324,
		"float32": float32(0.1), "minus": math.Copysign(0, -1), "bool": true, "null": nil, "text": "äöü <&> \u2028 \x00 😀", "": "empty key",
		"array": []any{1, "b", nil, []int{}}, "object": map[string]any{"x": map[string]string{"y": "z"}},
		"struct": struct {
			A int `json:"a"`
		}{3}, "raw": json.RawMessage(` {"k" : [1, 2.0 ]} `), "bytes": []byte("hi"), "number": json.Number("12345678901234567890123"),
	}
	want := tarn.Payload{
		"int": int64(1), "int64": int64(math.MinInt64), "uint64": big, "float": 1.5, "whole": int64(1), "large": 1e300, "tiny": 5e-324,
		"float32": 0.1, "minus": int64(0), "bool": true, "null": nil, "text": "äöü <&> \u2028 \x00 😀", "": "empty key",
		"array": []any{int64(1), "b", nil, []any{}}, "object": map[string]any{"x": map[string]any{"y": "z"}},
		"struct": map[string]any{"a": int64(3)}, "raw": map[string]any{"k": []any{int64(1), 2.0}}, "bytes": "aGk=", "number": 12345678901234567890123.0,
	}
	c, db, path := newCollection(t, tarn.CollectionConfig{Dim: 2, Streaming: quick}, nil)
	v := []float32{1, 2}
	everyDoor(t, c, func(t *testing.T, enter func(p tarn.Point) error) {
		require.NoError(t, enter(tarn.Point{ID: 1, Vector: v, Payload: given}))
		requirePoint(t, c, tarn.Point{ID: 1, Vector: v, Payload: want})
	})
	require.NoError(t, c.Upsert(ctx, tarn.Point{ID: 2, Vector: v, Payload: tarn.Payload{}}, tarn.Point{ID: 3, Vector: v}))
	for range 3 {
		got, err := c.Get(ctx, 1)
		require.NoError(t, err)
		require.Equal(t, want, got.Payload)
		got, err = c.Get(ctx, 2)
		require.NoError(t, err)
		require.Equal(t, tarn.Payload{}, got.Payload, "empty is not none")
		got, err = c.Get(ctx, 3)
		require.NoError(t, err)
		require.Nil(t, got.Payload)
		near, err := c.Search(ctx, v, 3)
		require.NoError(t, err)
		require.Equal(t, []tarn.Payload{want, {}, nil}, []tarn.Payload{near[0].Payload, near[1].Payload, near[2].Payload})
		near, err = c.Search(ctx, v, 3, tarn.WithoutPayload())
		require.NoError(t, err)
		require.Nil(t, near[0].Payload)
		c, db = reopen(t, db, path, nil)
	}
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

func TestTiesAreOrderedByID(t *testing.T) {
	for _, metric := range metrics {
		for _, knobs := range []collection.Knobs{{}, graphOnly} {
			c, _, _ := newCollection(t, tarn.CollectionConfig{Dim: dim, Metric: metric}, tarn.WithKnobs(knobs))
			v := vector(newRand(1), dim)
			for id := uint64(40); id > 0; id-- { // slots run against ids
				require.NoError(t, c.Upsert(ctx, tarn.Point{ID: id, Vector: v}))
			}
			for _, k := range []int{40, 3, 1} {
				near, err := c.Search(ctx, v, k, tarn.WithExact())
				require.NoError(t, err)
				for i, n := range near {
					require.Equal(t, uint64(i+1), n.ID, "%v, k %d", metric, k)
				}
			}
		}
	}
}

func TestPointsThatShowOneDistanceAreOrderedByID(t *testing.T) {
	for _, metric := range metrics {
		c, _, _ := newCollection(t, tarn.CollectionConfig{Dim: dim, Metric: metric}, nil)
		r := newRand(1)
		v := vector(r, dim)
		q := make([]float32, dim)
		for i := range q {
			q[i] = 1e-3 // all orders of one vector's components are equally near, but for rounding
		}
		for range 400 {
			r.Shuffle(dim, func(i, j int) { v[i], v[j] = v[j], v[i] })
			require.NoError(t, c.Upsert(ctx, tarn.Point{ID: r.Uint64N(1000), Vector: v}))
		}
		all, err := c.Search(ctx, q, 1000)
		require.NoError(t, err)
		require.Len(t, all, c.Len())
		requireOrdered(t, all)
		for _, k := range []int{1, 7, 50} {
			near, err := c.Search(ctx, q, k, tarn.WithExact())
			require.NoError(t, err)
			require.Equal(t, all[:k], near, "the first k of all")
		}
	}
}

// The squared distances of the two groups differ, and their roots do not.
func TestPointsThatOnlyTheRootMakesEquallyFarAreChosenByID(t *testing.T) {
	c, _, _ := newCollection(t, tarn.CollectionConfig{Dim: 2}, nil)
	for i := range uint64(20) {
		nearer := tarn.Point{ID: 100 + i, Vector: []float32{1.5, float32(math.Sqrt(0x1p-22))}}
		farther := tarn.Point{ID: 19 - i, Vector: []float32{1.5, float32(math.Sqrt(0x1p-21))}}
		require.NoError(t, c.Upsert(ctx, nearer, farther))
	}
	for k := 1; k <= 40; k++ {
		near, err := c.Search(ctx, []float32{0, 0}, k)
		require.NoError(t, err)
		require.Len(t, near, k)
		for i, n := range near {
			require.Equal(t, near[0].Distance, n.Distance)
			require.Equal(t, uint64(i+i/20*80), n.ID, "the first %d", k)
		}
	}
}

// requireOrdered asserts: nearest first, ties by id, no id twice.
func requireOrdered(t testing.TB, near []tarn.Result) {
	t.Helper()
	seen := map[uint64]bool{}
	for i, n := range near {
		require.False(t, seen[n.ID], "%d twice in %v", n.ID, near)
		seen[n.ID] = true
		if i == 0 {
			continue
		}
		before := near[i-1]
		require.True(t, before.Distance < n.Distance || before.Distance == n.Distance && before.ID < n.ID, "%v before %v", before, n)
	}
}
