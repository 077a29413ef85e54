package data

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
)

func TestGeneratedSetIsRepeatable(t *testing.T) {
	s := Shape{N: 600, Dim: 24, Intrinsic: 8, Queries: 5, Metric: tarn.Cosine, Seed: 3}
	a, b := Generate(s), Generate(s)
	require.Equal(t, a, b)
	s.Seed++
	require.NotEqual(t, a.Base, Generate(s).Base)
	require.Equal(t, 24, a.Dim())
	require.Len(t, a.Truth[0], Neighbours)
}

func TestTruthIsNearestFirst(t *testing.T) {
	for _, m := range []tarn.Metric{tarn.L2, tarn.Cosine, tarn.Dot} {
		s := Generate(Shape{N: 300, Dim: 12, Queries: 4, Metric: m})
		for i, q := range s.Queries {
			last := math.Inf(-1)
			in := map[uint32]bool{}
			for _, row := range s.Truth[i] {
				d := distance(m, q, s.Base[row])
				require.GreaterOrEqual(t, d, last-1e-5)
				last, in[row] = d, true
			}
			for row, v := range s.Base {
				require.True(t, in[uint32(row)] || distance(m, q, v) >= last-1e-5)
			}
		}
	}
}

func TestJudgeTakesEqualDistancesAsRight(t *testing.T) {
	s := &Set{
		Metric:  tarn.L2,
		Base:    [][]float32{{1, 0}, {0, 1}, {5, 5}},
		Queries: [][]float32{{0, 0}},
		Truth:   [][]uint32{{0, 1, 2}},
	}
	j := s.NewJudge(1)
	j.Add(0, []uint32{1})
	require.Equal(t, 1.0, j.Recall())
	j.Add(0, []uint32{2})
	require.Equal(t, 0.5, j.Recall())
	j.Add(0, nil)
	require.InDelta(t, 1.0/3, j.Recall(), 1e-9)
}

func TestIntrinsicDimensionIsWhatTheShapeSays(t *testing.T) {
	low := lid(Generate(Shape{N: 4000, Dim: 64, Intrinsic: 8, Clusters: 1, Queries: 100}))
	high := lid(Generate(Shape{N: 4000, Dim: 64, Intrinsic: 24, Clusters: 1, Queries: 100}))
	require.InDelta(t, 8, low, 2.5)
	require.Greater(t, high, low+4)
}

// lid is the maximum-likelihood estimate of Levina and Bickel at the queries.
func lid(s *Set) float64 {
	sum := 0.0
	for i, q := range s.Queries {
		far := math.Sqrt(distance(s.Metric, q, s.Base[s.Truth[i][Neighbours-1]]))
		logs := 0.0
		for _, row := range s.Truth[i][:Neighbours-1] {
			logs += math.Log(far / math.Sqrt(distance(s.Metric, q, s.Base[row])))
		}
		sum += (Neighbours - 1) / logs
	}
	return sum / float64(len(s.Queries))
}

func TestFilesOfEveryKindAreRead(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, n, dim uint32, body any) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		require.NoError(t, binary.Write(z, binary.LittleEndian, []uint32{n, dim}))
		require.NoError(t, binary.Write(z, binary.LittleEndian, body))
		require.NoError(t, z.Close())
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, b.Bytes(), 0o600))
		return path
	}
	got, err := ReadVectors(write("u8", 2, 2, []uint8{0, 1, 254, 255}))
	require.NoError(t, err)
	require.Equal(t, [][]float32{{0, 1}, {254, 255}}, got)
	got, err = ReadVectors(write("f32", 1, 2, []float32{-1.5, 3}))
	require.NoError(t, err)
	require.Equal(t, [][]float32{{-1.5, 3}}, got)
	got, err = ReadVectors(write("f16", 2, 3, []uint16{0x3c00, 0xc000, 0x0001, 0x7bff, 0x8000, 0x3555}))
	require.NoError(t, err)
	require.Equal(t, [][]float32{{1, -2, 0x1p-24}, {65504, float32(math.Copysign(0, -1)), 0.333251953125}}, got)
	rows, err := readRows(write("ibin", 1, 2, []int32{7, 9}))
	require.NoError(t, err)
	require.Equal(t, [][]uint32{{7, 9}}, rows)
	_, err = ReadVectors(write("short", 3, 2, []uint8{1}))
	require.Error(t, err)
	t.Setenv(Folder, "")
	_, err = Load("mnist-784")
	require.ErrorIs(t, err, ErrNoFolder)
	t.Setenv(Folder, dir)
	_, err = Load("nothing")
	require.Error(t, err)
	_, err = LoadAttributes("nothing")
	require.Error(t, err)
}

func TestRealSetsAreWhole(t *testing.T) {
	if os.Getenv(Folder) == "" {
		t.Skip(Folder + " is not set")
	}
	s, err := Load("godoc-minilm")
	require.NoError(t, err)
	require.Len(t, s.Base, 10_229)
	require.Equal(t, 384, s.Dim())
	j := s.NewJudge(10)
	for i := range s.Queries {
		j.Add(i, s.Truth[i])
	}
	require.Equal(t, 1.0, j.Recall())
	again := s.Head(len(s.Base) - 1)
	require.Len(t, again.Truth, len(s.Queries))
	said, err := LoadAttributes("godoc-minilm")
	require.NoError(t, err)
	require.Len(t, said, len(s.Base))
}

func TestAStreamedSetIsRepeatableAndItsTruthIsTheNearest(t *testing.T) {
	shape := Shape{N: 500, Dim: 16, Intrinsic: 8, Queries: 3, Metric: tarn.L2}
	queries, base := Stream(shape)
	rows := slices.Collect(base)
	require.Len(t, rows, 500)
	again, base := Stream(shape)
	require.Equal(t, queries, again)
	require.Equal(t, rows, slices.Collect(base))
	for _, q := range queries {
		near := NewNearest(tarn.L2, q, 10)
		for _, row := range rows {
			near.Show(row)
		}
		sorted := slices.SortedFunc(slices.Values(rows), func(a, b []float32) int {
			return cmp.Compare(distance(tarn.L2, q, a), distance(tarn.L2, q, b))
		})
		require.Equal(t, 1.0, near.Share(sorted[:10]))
		require.Equal(t, 0.5, near.Share(append(slices.Clone(sorted[:5]), sorted[100:105]...)))
		require.Zero(t, near.Share(nil))
	}
}
