package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestATableGrowsByChunksAndOldTablesStayAsTheyWere(t *testing.T) {
	none := NewRows(64, 1)
	a, b, short := make([]byte, 128), make([]byte, 128), make([]byte, 64)
	a[64], b[0], short[0] = 1, 2, 3
	one := none.With(a)
	two := one.With(b, short)
	require.Equal(t, []uint32{0, 2, 5}, []uint32{none.Cap(), one.Cap(), two.Cap()})
	require.Equal(t, byte(1), two.Bytes(1)[0])
	require.Equal(t, byte(2), two.Bytes(2)[0])
	require.Equal(t, byte(3), two.Bytes(4)[0])
	require.Equal(t, []int{64, 1, 3}, []int{two.Stride(), int(two.Shift()), two.Chunks()})

	whole := make([]byte, 128)
	whole[64] = 4
	more := two.Replace(2, whole)
	require.Equal(t, uint32(6), more.Cap())
	require.Equal(t, byte(4), more.Bytes(5)[0])
	require.Equal(t, uint32(5), two.Cap())
	require.Equal(t, byte(3), two.Bytes(4)[0])

	require.Panics(t, func() { two.With(a) }, "a chunk after a short one")
	require.Panics(t, func() { one.Replace(0, short) }, "fewer rows than before")
	require.Panics(t, func() { two.Bytes(5) })
	require.Panics(t, func() { NewRows(0, 1) })
}

func TestFetchingARowThatIsNotThereDoesNothing(t *testing.T) {
	rows := NewRows(64, 1).With(make([]byte, 128))
	PrefetchRow(rows, 1, 1)
	PrefetchRow(rows, 2, 1)
}

func TestFetchingAVectorOfAnyLengthEnds(t *testing.T) {
	for _, n := range []int{0, 1, 15, 16, 17, 511, 512, 513, 10_000} {
		PrefetchVector(make([]float32, n))
	}
	PrefetchVector(nil)
}
