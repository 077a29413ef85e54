package tarn_test

import (
	"encoding/json"
	"math"
	"runtime"
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

// hidden is written as a part of what embeds it.
type hidden struct{ Text string }

type embedding struct{ hidden }
