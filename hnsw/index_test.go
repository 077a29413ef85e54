package hnsw

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/kernel"
)

var ctx = context.Background()

// clustered draws n vectors around n/50 centres.
func clustered(seed uint64, n, dim int) [][]float32 {
	r := rand.New(rand.NewPCG(seed, 5))
	centres := make([][]float32, n/50+1)
	for i := range centres {
		centres[i] = drawn(r, dim, 1)
	}
	rows := make([][]float32, n)
	for i := range rows {
		rows[i] = drawn(r, dim, 0.5)
		for j, c := range centres[r.IntN(len(centres))] {
			rows[i][j] += c
		}
	}
	return rows
}

func drawn(r *rand.Rand, dim int, size float64) []float32 {
	v := make([]float32, dim)
	for i := range v {
		v[i] = float32(r.NormFloat64() * size)
	}
	return v
}

func newIndex(t testing.TB, cfg Config, vecs [][]float32, workers int) *Index {
	t.Helper()
	x, err := NewIndex(cfg)
	require.NoError(t, err)
	first, err := x.AddAll(ctx, vecs, workers)
	require.NoError(t, err)
	require.Zero(t, first)
	return x
}

// bestOf returns the k live slots nearest to q by comparing it with all.
func bestOf(x *Index, q []float32, k int) []Neighbour {
	var all []Neighbour
	for slot := range x.live.All() {
		all = append(all, Neighbour{slot, kernel.Distance(x.g.cfg.Metric, q, x.Vector(slot))})
	}
	slices.SortFunc(all, func(a, b Neighbour) int {
		return byDistance(kernel.Candidate{Slot: a.Slot, Dist: a.Distance}, kernel.Candidate{Slot: b.Slot, Dist: b.Distance})
	})
	return all[:min(k, len(all))]
}

// meanRecall asks for queries and returns the share of the k nearest found.
func meanRecall(t testing.TB, x *Index, queries [][]float32, k, ef int) float64 {
	t.Helper()
	hits, of := 0, 0
	for _, q := range queries {
		got, err := x.Search(ctx, q, k, ef, nil)
		require.NoError(t, err)
		require.Len(t, got, min(k, x.Len()))
		far := bestOf(x, q, k)
		limit := far[len(far)-1].Distance
		if x.g.cfg.Metric == L2 {
			limit = float32(math.Sqrt(float64(limit)))
		}
		for _, n := range got {
			of++
			if n.Distance <= limit+1e-6 {
				hits++
			}
		}
	}
	return float64(hits) / float64(of)
}

func TestIndexFindsTheNearestInEveryMetric(t *testing.T) {
	base, queries := clustered(1, 2_500, 32), clustered(1, 40, 32)
	for _, m := range []Metric{L2, Cosine, Dot} {
		x := newIndex(t, Config{Dim: 32, Metric: m}, base, 2)
		require.Greater(t, meanRecall(t, x, queries, 10, 64), 0.97, m)
		require.Empty(t, x.g.Unreachable(nil))
	}
}

func TestIndexDistancesAreThoseOfTheVectors(t *testing.T) {
	base := clustered(2, 1_500, 16)
	for _, m := range []Metric{L2, Cosine, Dot} {
		x := newIndex(t, Config{Dim: 16, Metric: m}, base, 1)
		for _, ef := range []int{0, 5_000} { // by the graph, and exactly
			got, err := x.Search(ctx, base[7], 5, ef, nil)
			require.NoError(t, err)
			for _, n := range got {
				want := float64(kernel.Distance(m, base[7], base[n.Slot]))
				if m == L2 {
					want = math.Sqrt(want)
				}
				require.InDelta(t, want, n.Distance, 1e-5)
			}
		}
	}
}

func TestOneWorkerBuildsTheSameGraphTwice(t *testing.T) {
	base := clustered(3, 2_500, 24)
	save := func(cfg Config) ([]byte, []uint32) {
		x := newIndex(t, cfg, base, 1)
		var b bytes.Buffer
		require.NoError(t, x.Save(&b))
		return b.Bytes(), x.g.hubs.layer(1)
	}
	cfg := Config{Dim: 24, Seed: 9}
	one, hubs := save(cfg)
	two, _ := save(cfg)
	require.True(t, bytes.Equal(one, two))
	cfg.Seed++
	_, others := save(cfg)
	require.NotEqual(t, hubs, others, "the seed draws the levels")
}

func TestLoadedIndexAnswersAsTheSavedOne(t *testing.T) {
	base, queries := clustered(4, 3_000, 20), clustered(4, 60, 20)
	x := newIndex(t, Config{Dim: 20, Metric: Cosine, M: 12}, base, 2)
	for s := uint32(0); s < 3_000; s += 7 {
		require.Equal(t, 1, x.Delete(s))
	}
	require.Zero(t, x.Delete(7, 999_999))
	var b bytes.Buffer
	require.NoError(t, x.Save(&b))
	y, err := LoadIndex(bytes.NewReader(b.Bytes()))
	require.NoError(t, err)
	require.Equal(t, x.Config(), y.Config())
	require.Equal(t, x.Len(), y.Len())
	for _, q := range queries {
		want, err := x.Search(ctx, q, 10, 40, nil)
		require.NoError(t, err)
		got, err := y.Search(ctx, q, 10, 40, nil)
		require.NoError(t, err)
		require.Equal(t, want, got)
		for _, n := range got {
			require.NotZero(t, n.Slot%7, "a deleted slot is found")
		}
	}
	require.Nil(t, y.Vector(7))
	require.Equal(t, base[8], y.Vector(8))
	slot, err := y.Add(base[7])
	require.NoError(t, err)
	require.EqualValues(t, 3_000, slot)
}

func TestEmptyIndexIsSavedAndLoaded(t *testing.T) {
	x := newIndex(t, Config{Dim: 3}, nil, 4)
	var b bytes.Buffer
	require.NoError(t, x.Save(&b))
	y, err := LoadIndex(&b)
	require.NoError(t, err)
	got, err := y.Search(ctx, []float32{1, 2, 3}, 5, 0, nil)
	require.NoError(t, err)
	require.Empty(t, got)
}

func TestEveryDamagedByteOfASavedIndexIsSeen(t *testing.T) {
	x := newIndex(t, Config{Dim: 3}, clustered(5, 40, 3), 1)
	var b bytes.Buffer
	require.NoError(t, x.Save(&b))
	data := b.Bytes()
	for at := 0; at < len(data); at += 1 + at/20 { // each of the head, fewer of the zeros behind it
		for _, flip := range []byte{1, 0x80} {
			data[at] ^= flip
			_, err := LoadIndex(bytes.NewReader(data))
			require.True(t, errors.Is(err, ErrCorrupt) || errors.Is(err, ErrVersion), "byte %d: %v", at, err)
			data[at] ^= flip
		}
		_, err := LoadIndex(bytes.NewReader(data[:at]))
		require.ErrorIs(t, err, ErrCorrupt)
	}
}

func FuzzLoadIndex(f *testing.F) {
	x := newIndex(f, Config{Dim: 3}, clustered(5, 40, 3), 1)
	var b bytes.Buffer
	require.NoError(f, x.Save(&b))
	f.Add(b.Bytes())
	f.Add(b.Bytes()[:200])
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := LoadIndex(bytes.NewReader(data))
		if err != nil {
			return
		}
		_, err = x.Search(ctx, make([]float32, x.Config().Dim), 3, 8, nil)
		require.True(t, err == nil || errors.Is(err, ErrVector))
	})
}

func TestSaveSaysWhatItsWriterSays(t *testing.T) {
	x := newIndex(t, Config{Dim: 8}, clustered(6, 300, 8), 1)
	var whole bytes.Buffer
	require.NoError(t, x.Save(&whole))
	for room := 0; room < whole.Len(); room += whole.Len()/20 + 1 {
		require.ErrorIs(t, x.Save(&narrow{room}), io.ErrShortWrite)
	}
}

type narrow struct{ room int }

func (n *narrow) Write(p []byte) (int, error) {
	if n.room -= len(p); n.room < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

func TestBadVectorsAreRefused(t *testing.T) {
	x := newIndex(t, Config{Dim: 2, Metric: Cosine}, nil, 1)
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, v := range [][]float32{nil, {1}, {1, 2, 3}, {nan, 1}, {1, inf}, {0, 0}, {2e19, 0}} {
		_, err := x.Add(v)
		require.ErrorIs(t, err, ErrVector, "%v", v)
		_, err = x.AddAll(ctx, [][]float32{{1, 1}, v}, 2)
		require.ErrorIs(t, err, ErrVector, "%v", v)
		_, err = x.Search(ctx, v, 1, 0, nil)
		require.ErrorIs(t, err, ErrVector, "%v", v)
	}
	require.Zero(t, x.Len())
	_, err := NewIndex(Config{Dim: -1, M: 1})
	require.ErrorContains(t, err, "dim")
	require.ErrorContains(t, err, "m 1")
}

func TestAddAllStopsWithItsContext(t *testing.T) {
	x := newIndex(t, Config{Dim: 2}, nil, 1)
	done, cancel := context.WithCancel(ctx)
	cancel()
	_, err := x.AddAll(done, clustered(7, 100, 2), 3)
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, x.Len())
	slot, err := x.Add([]float32{1, 2})
	require.NoError(t, err)
	require.EqualValues(t, 100, slot)
	got, err := x.Search(ctx, []float32{1, 2}, 3, 0, nil)
	require.NoError(t, err)
	require.Equal(t, []Neighbour{{Slot: 100}}, got)
}

func TestSearchesDoNotAllocate(t *testing.T) {
	if raceOn {
		t.Skip("the race detector allocates")
	}
	base := clustered(8, 3_000, 48)
	for _, m := range []Metric{L2, Cosine} {
		x := newIndex(t, Config{Dim: 48, Metric: m}, base, 1)
		x.Delete(5)
		out := make([]Neighbour, 0, 16)
		var err error
		for _, ef := range []int{0, 200, 3_000} {
			i := 0
			require.Zero(t, testing.AllocsPerRun(100, func() {
				out, err = x.Search(ctx, base[i%3_000], 10, ef, out)
				i++
			}), "ef %d", ef)
			require.NoError(t, err)
		}
	}
}
