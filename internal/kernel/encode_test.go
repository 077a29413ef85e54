package kernel

import (
	"bytes"
	"fmt"
	"math"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// checkRows compares the code rows of v, and of a query made of it, on every tier.
func checkRows(t *testing.T, m Metric, v []float32, about string) {
	t.Helper()
	var want []byte
	for _, a := range availableTiers() {
		active = a
		got := make([]byte, CodeStride(len(v)))
		EncodeCode(m, v, got)
		if want == nil {
			want = got
		}
		require.Equal(t, want, got, "%v %v dim %d %s", a, m, len(v), about)
		var q Query
		q.Set(m, v)
		require.Equal(t, want, q.row, "query, %v %v dim %d %s", a, m, len(v), about)
	}
}

func TestCodeRowsAreTheSameBytesOnEveryTier(t *testing.T) {
	r := newRand(12)
	chosen := active
	defer func() { active = chosen }()
	for _, dim := range append(someDims(), 65536, 150_001) {
		for i, s := range shapes {
			checkRows(t, metrics[(dim+i)%3], draw(r, s, 1, dim)[0], s.name)
		}
	}
}

func TestCodeRowsOfTheLargestAndTheSmallestVectorsAreTheSameBytesOnEveryTier(t *testing.T) {
	r := newRand(13)
	chosen := active
	defer func() { active = chosen }()
	for dim := 1; dim <= 200; dim++ {
		vecs := extremes(dim)
		for _, scale := range []float64{0x1p-149, 0x1p-140, 0x1p-127, 0x1p58} {
			v := draw(r, shapes[0], 1, dim)[0]
			for i := range v {
				v[i] = float32(float64(v[i]) * scale)
			}
			vecs = append(vecs, v)
		}
		for i, v := range vecs {
			for _, m := range metrics {
				checkRows(t, m, v, fmt.Sprintf("vector %d", i))
			}
		}
	}
}

// loops is all that the loops of EncodeCode give, more digits of it than rows hold.
type loops struct {
	sum, squares float64
	unit         []float32
	residuals    []float32
	lo, hi       float32
	rr           float64
	header       header
	codes        []byte
	steps, miss  float64
}

func loopsOf(v []float32, mean float32) (l loops) {
	l.sum, l.squares = sums(v)
	inv := 1 / math.Sqrt(l.squares)
	l.unit = normalise(v, inv, nil)
	l.residuals, l.codes = make([]float32, len(v)), make([]byte, len(v))
	l.lo, l.hi, l.rr = spread(l.residuals, v, inv, mean)
	l.header.scale = (l.hi - l.lo) / codeLevels
	l.steps, l.miss = quantise(l.residuals, l.lo, &l.header, l.codes)
	return l
}

func TestTheLoopsOfEncodingGiveTheSameBitsOnEveryTier(t *testing.T) {
	r := newRand(14)
	chosen := active
	defer func() { active = chosen }()
	for _, dim := range someDims() {
		v := draw(r, shapes[1], 1, dim)[0]
		for _, mean := range []float32{0, 0.01, 1, -1} { // of residuals of one sign too
			active = tierGo
			want := loopsOf(v, mean)
			for _, a := range availableTiers() {
				active = a
				require.Equal(t, want, loopsOf(v, mean), "%v dim %d mean %v", a, dim, mean)
			}
		}
	}
}

func TestEncodingAgainDoesNotAllocate(t *testing.T) {
	v := draw(newRand(15), shapes[0], 1, 384)[0]
	row := alignedBytes(CodeStride(len(v)))
	onEveryTier(t, func(t *testing.T) {
		EncodeCode(Cosine, v, row)
		require.Zero(t, testing.AllocsPerRun(100, func() { EncodeCode(Cosine, v, row) }))
	})
}

func TestManyEncodeAtOnce(t *testing.T) {
	const dim = 100
	vecs := draw(newRand(16), shapes[0], 4*len(spares), dim)
	want, _ := table(L2, vecs, 0)
	var wait sync.WaitGroup
	for i, v := range vecs {
		wait.Go(func() {
			row := make([]byte, CodeStride(dim))
			for range 200 {
				clear(row)
				EncodeCode(L2, v, row)
				if !bytes.Equal(want.Bytes(uint32(i)), row) {
					t.Errorf("vector %d: another row", i)
					return
				}
			}
		})
	}
	wait.Wait()
}
