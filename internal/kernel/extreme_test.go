package kernel

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// handmade is a code row with the given codes and otherwise plain header.
func handmade(dim int, zero int32, code func(i int) int8) []byte {
	row := alignedBytes(CodeStride(dim))
	h := header{scale: 1, zero: zero}
	for i := range row[headerSize:] {
		row[headerSize+i] = padCode
		if i < dim {
			row[headerSize+i] = byte(code(i))
			h.sum += int32(code(i))
		}
	}
	h.put(row)
	return row
}

func TestTheIntegerPartIsExactAtTheExtremesOfTheCodes(t *testing.T) {
	patterns := []func(i int) int8{
		func(int) int8 { return 127 },
		func(int) int8 { return -128 },
		func(int) int8 { return -127 },
		func(i int) int8 { return int8(255*(i&1) - 128) },
		func(i int) int8 { return int8(127 - 255*(i&1)) },
		func(i int) int8 { return int8(i) },
	}
	onEveryTier(t, func(t *testing.T) {
		for _, dim := range []int{1, 2, 15, 16, 17, 31, 32, 33, 64, 96, 97, 384, 1000} {
			for i, p := range patterns {
				for j, r := range patterns {
					row, query := handmade(dim, 127, r), handmade(dim, -128, p)
					rows := NewRows(len(row), 0).With(row)
					want := int64(0)
					for c := range dim {
						want += (int64(p(c)) + 128) * (int64(r(c)) - 127)
					}
					var q Query
					var out [1]float32
					q.SetCode(Dot, dim, query)
					q.Codes(rows, []uint32{0}, out[:])
					require.Equal(t, float32(-want), out[0], "dim %d patterns %d, %d", dim, i, j)
				}
			}
		}
	})
}

// extremes are vectors whose squared norm is just below MaxNormSquared, and
// some that are nearly nothing.
func extremes(dim int) [][]float32 {
	length := float32(math.Sqrt(MaxNormSquared) * 0.999999)
	each := float32(float64(length) / math.Sqrt(float64(dim)) * 0.999999)
	const tiny = math.SmallestNonzeroFloat32
	build := func(f func(i int) float32) []float32 {
		v := make([]float32, dim)
		for i := range v {
			v[i] = f(i)
		}
		return v
	}
	pick := func(yes bool, a, b float32) float32 {
		if yes {
			return a
		}
		return b
	}
	return [][]float32{
		build(func(int) float32 { return each }),
		build(func(int) float32 { return -each }),
		build(func(i int) float32 { return pick(i&1 == 0, each, -each) }),
		build(func(i int) float32 { return pick(i&1 == 0, -each, each) }),
		build(func(i int) float32 { return pick(i < dim/2, each, -each) }),
		build(func(i int) float32 { return pick(i == 0, length, 0) }),
		build(func(i int) float32 { return pick(i == 0, -length, 0) }),
		build(func(i int) float32 { return pick(i == dim-1, length, tiny) }),
		build(func(i int) float32 { return pick(i == dim-1, each, 0) }),
		build(func(int) float32 { return 0 }),
		build(func(i int) float32 { return pick(i == 0, 0, float32(math.Copysign(0, -1))) }),
		build(func(int) float32 { return tiny }),
		build(func(i int) float32 { return pick(i&1 == 0, tiny, -tiny) }),
		build(func(i int) float32 { return pick(i == 0, 1e-38, 0) }),
		build(func(i int) float32 { return pick(i == 0, 1e-30, 1e-20) }),
	}
}

func TestI4_NoDistanceIsNaNHoweverLargeOrSmallTheVectors(t *testing.T) {
	onEveryTier(t, func(t *testing.T) {
		for _, dim := range []int{1, 2, 3, 7, 8, 16, 33, 100, 384, 1000, 4096} {
			vecs := extremes(dim)
			for _, m := range metrics {
				codes, rows := table(m, vecs, 3)
				for i, v := range vecs {
					checkSane(t, m, v, codes, rows, fmt.Sprintf("%v dim %d vector %d", m, dim, i))
				}
			}
		}
	})
}

// checkSane compares v with all rows, as a vector and as a code row.
func checkSane(t *testing.T, m Metric, v []float32, codes, rows *Rows, about string) {
	t.Helper()
	slots := make([]uint32, len(extremes(1)))
	for i := range slots {
		slots[i] = uint32(i)
	}
	var exact, approx, again [32]float32
	n := len(slots)
	var q Query
	q.Set(m, v)
	q.Vectors(codes, rows, slots, exact[:])
	q.Codes(codes, slots, approx[:])
	q.SetCode(m, len(v), q.row)
	q.Codes(codes, slots, again[:])
	require.Equal(t, approx[:n], again[:n], about)
	for i, d := range append(exact[:n:n], approx[:n]...) {
		require.False(t, math.IsNaN(float64(d)), "%s row %d", about, i%n)
		require.False(t, m != Dot && d < 0, "%s row %d: %v", about, i%n, d)
	}
}

func TestTheIntegerPartOfAVeryWideVectorDoesNotOverflow(t *testing.T) {
	onEveryTier(t, func(t *testing.T) {
		for _, dim := range []int{65536, 65537, 150_001} {
			v, w := make([]float32, dim), make([]float32, dim)
			for i := range v {
				v[i] = float32(2*(i&1) - 1)
				w[i] = -v[i]
			}
			for _, m := range metrics {
				codes, rows := table(m, [][]float32{v, w}, 1)
				checkSlack(t, m, v, codes.Bytes(0), [][]float32{v, w}, codes, rows)
			}
		}
	})
}

func TestRowsTooShortForTheQueryArePanics(t *testing.T) {
	codes, rows := table(L2, [][]float32{make([]float32, 32)}, 0)
	var q Query
	q.Set(L2, make([]float32, 33))
	require.Panics(t, func() { q.Codes(codes, []uint32{0}, make([]float32, 1)) })
	require.Panics(t, func() { q.Vectors(codes, rows, []uint32{0}, make([]float32, 1)) })
}

func TestTheZeroVectorHasNoDirection(t *testing.T) {
	onEveryTier(t, func(t *testing.T) {
		zero, v := make([]float32, 9), []float32{1, 2, 3, 4, 5, 6, 7, 8, 9}
		codes, rows := table(Cosine, [][]float32{zero, v}, 1)
		out := make([]float32, 2)
		var q Query
		q.Set(Cosine, zero)
		q.Codes(codes, []uint32{0, 1}, out)
		require.InDeltaSlice(t, []float32{1, 1}, out, 0.01)
		q.Vectors(codes, rows, []uint32{0, 1}, out)
		require.Equal(t, []float32{1, 1}, out)
		q.Set(Cosine, v)
		q.Codes(codes, []uint32{0}, out)
		require.InDelta(t, 1, out[0], 0.01)
		require.Equal(t, float32(1), Distance(Cosine, v, zero))
	})
}

func TestI2_I3_RowsAndDistancesAreThoseOfTheFirstRelease(t *testing.T) {
	r := newRand(7)
	rows, distances := uint32(0), uint32(0)
	for dim := 1; dim <= 300; dim++ {
		vecs := make([][]float32, 4)
		for i := range vecs {
			vecs[i] = make([]float32, dim)
			for j := range vecs[i] {
				vecs[i][j] = float32(r.IntN(20001)-9000) / 1000
			}
		}
		for _, m := range metrics {
			codes, _ := table(m, vecs, 2)
			rows = crc32.Update(rows, crc32.IEEETable, codes.chunks[0])
			var q Query
			var out [4]float32
			q.Set(m, vecs[0])
			q.Codes(codes, []uint32{0, 1, 2, 3}, out[:])
			for _, d := range out {
				b := binary.LittleEndian.AppendUint32(nil, math.Float32bits(d))
				distances = crc32.Update(distances, crc32.IEEETable, b)
			}
		}
	}
	require.Equal(t, uint32(0x5db31061), rows, "code rows")
	require.Equal(t, uint32(0x4cc85f6d), distances, "approximate distances")
}
