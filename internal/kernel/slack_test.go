package kernel

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSlackBoundsTheErrorBetweenAllShapesOfData(t *testing.T) {
	r := newRand(21)
	far := shape{"a million from the origin", func(s0 *rand.Rand, v []float32) {
		for i := range v {
			v[i] = 1e6 + float32(s0.NormFloat64())
		}
	}}
	for _, dim := range []int{1, 2, 5, 16, 100, 384, 1537} {
		for _, m := range metrics {
			var vecs [][]float32
			for _, s := range append([]shape{far}, shapes...) {
				vecs = append(vecs, draw(r, s, 3, dim)...)
			}
			codes, rows := table(m, vecs, 5)
			for i, v := range vecs {
				checkSlack(t, m, v, codes.Bytes(uint32(i)), vecs, codes, rows)
			}
		}
	}
}

// checkSlack checks the bound for v as a vector, and for its code row.
func checkSlack(t *testing.T, m Metric, v []float32, row []byte, vecs [][]float32, codes, rows *Rows) {
	t.Helper()
	slots := make([]uint32, len(vecs))
	for i := range slots {
		slots[i] = uint32(i)
	}
	exact, approx := make([]float32, len(vecs)), make([]float32, len(vecs))
	var q Query
	q.Set(m, v)
	q.Vectors(codes, rows, slots, exact)
	for _, kind := range []string{"vector", "row"} {
		if kind == "row" {
			q.SetCode(m, len(v), row)
		}
		q.Codes(codes, slots, approx)
		for i, s := range slots {
			require.LessOrEqual(t, abs(exact[i]-approx[i]), q.Slack(codes, s),
				"%v %s dim %d row %d: exact %v, approximate %v", m, kind, len(v), i, exact[i], approx[i])
		}
	}
}

func TestSlackIsSmallAgainstDistances(t *testing.T) {
	vecs := draw(newRand(22), shapes[0], 2, 384)
	codes, _ := table(L2, vecs, 1)
	var q Query
	var out [1]float32
	q.Set(L2, vecs[0])
	q.Codes(codes, []uint32{1}, out[:])
	require.Less(t, q.Slack(codes, 1), out[0]/30)
}
