package kernel

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

var metrics = []Metric{L2, Cosine, Dot}

// someDims are all small dimensions and some larger odd ones.
func someDims() []int {
	var d []int
	for i := 1; i <= 300; i++ {
		d = append(d, i)
	}
	return append(d, 383, 384, 511, 784, 1023, 1536, 1537, 3001)
}

func TestDistancesAgreeWithFloat64AtEveryDimension(t *testing.T) {
	onEveryTier(t, func(t *testing.T) {
		r := newRand(1)
		var q Query
		for _, dim := range someDims() {
			for i, m := range metrics {
				s := shapes[(dim+i)%len(shapes)]
				vecs := draw(r, s, 11, dim)
				codes, rows := table(m, vecs, 2)
				q.Set(m, vecs[5])
				checkQuery(t, &q, vecs, vecs[5], codes, rows, randomSlots(r, r.IntN(41), 11))
			}
		}
	})
}

// checkQuery compares the distances of slots with the reference, with Distance,
// and the approximate ones with their bound.
func checkQuery(t *testing.T, q *Query, vecs [][]float32, v []float32, codes, rows *Rows, slots []uint32) {
	out, approx := make([]float32, len(slots)), make([]float32, len(slots))
	q.Vectors(codes, rows, slots, out)
	slacks := make([]float32, len(slots))
	q.Codes(codes, slots, approx)
	bounded := make([]float32, len(slots))
	q.Bounds(codes, slots, bounded, slacks)
	require.Equal(t, approx, bounded)
	m := q.Metric()
	for i, slot := range slots {
		want, allowed := reference(m, v, vecs[slot]), tolerance(m, v, vecs[slot])
		if d := float64(out[i]) - want; !(d <= allowed && -d <= allowed) {
			t.Fatalf("%v dim %d slot %d (%d of %d): %v, want %v", m, len(v), slot, i, len(slots), out[i], want)
		}
		if d := Distance(m, v, vecs[slot]); d != out[i] {
			t.Fatalf("%v dim %d slot %d (%d of %d): %v, one to one %v", m, len(v), slot, i, len(slots), out[i], d)
		}
		if miss, slack := abs(approx[i]-out[i]), q.Slack(codes, slot); !(miss <= slack) {
			t.Fatalf("%v dim %d slot %d: %v is %v from %v, slack %v", m, len(v), slot, approx[i], miss, out[i], slack)
		} else if abs(slack-slacks[i]) > slack*1e-5 || miss > slacks[i] {
			t.Fatalf("%v dim %d slot %d (%d of %d): slack %v, alone %v", m, len(v), slot, i, len(slots), slacks[i], slack)
		}
	}
}

func TestAVectorIsAtL2DistanceZeroFromItself(t *testing.T) {
	for _, s := range shapes {
		v := draw(newRand(2), s, 1, 77)[0]
		require.Zero(t, Distance(L2, v, v), s.name)
		require.InDelta(t, 0, Distance(Cosine, v, v), 1e-6, s.name)
		require.GreaterOrEqual(t, Distance(Cosine, v, v), float32(0), s.name)
	}
}

func TestACodeRowAsAQueryIsAsGoodAsTheVectorItself(t *testing.T) {
	vecs := draw(newRand(3), shapes[0], 9, 100)
	for _, m := range metrics {
		codes, _ := table(m, vecs, 4)
		slots := []uint32{0, 1, 2, 3, 4, 5, 6, 7, 8}
		a, b := make([]float32, 9), make([]float32, 9)
		var q, p Query
		q.Set(m, vecs[4])
		p.SetCode(m, 100, codes.Bytes(4))
		q.Codes(codes, slots, a)
		p.Codes(codes, slots, b)
		require.Equal(t, a, b)
		require.Panics(t, func() { p.Vectors(codes, codes, slots, a) })
	}
}

func TestCheckFindsTheFirstComponentThatIsNotFinite(t *testing.T) {
	v := []float32{3, 4, 0}
	squares, bad := Check(v)
	require.Equal(t, 25.0, squares)
	require.Equal(t, -1, bad)
	for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		_, bad = Check([]float32{1, float32(x), 2, float32(x)})
		require.Equal(t, 1, bad)
	}
	_, bad = Check([]float32{math.MaxFloat32, -math.MaxFloat32})
	require.Equal(t, -1, bad)
}

func TestASlotWithoutARowPanicsWithItsNumber(t *testing.T) {
	codes, _ := table(L2, draw(newRand(4), shapes[0], 4, 8), 2)
	var q Query
	q.Set(L2, make([]float32, 8))
	require.PanicsWithValue(t, "kernel: slot 4 of 4", func() {
		q.Codes(codes, []uint32{0, 4, 1}, make([]float32, 3))
	})
}

func TestSettingAQueryAgainDoesNotAllocate(t *testing.T) {
	vecs := draw(newRand(5), shapes[0], 8, 384)
	codes, rows := table(Cosine, vecs, 3)
	slots, out := []uint32{1, 5, 2}, make([]float32, 3)
	var q Query
	run := func() {
		q.Set(Cosine, vecs[0])
		q.Codes(codes, slots, out)
		q.Vectors(codes, rows, slots, out)
		q.SetCode(Cosine, 384, codes.Bytes(1))
		q.Codes(codes, slots, out)
	}
	run()
	require.Zero(t, testing.AllocsPerRun(100, run))
	require.Zero(t, testing.AllocsPerRun(100, func() {
		Distance(L2, vecs[1], vecs[2])
		Distance(Cosine, vecs[1], vecs[2])
	}))
}
