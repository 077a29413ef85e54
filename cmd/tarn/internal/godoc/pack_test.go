package godoc

import (
	"bytes"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func random(rows, dim int) Matrix {
	r := rand.New(rand.NewPCG(1, uint64(rows*dim)))
	m := Matrix{Rows: rows, Dim: dim, Values: make([]float32, rows*dim)}
	for i := range m.Values {
		m.Values[i] = float32(r.NormFloat64())
	}
	return m
}

func TestI2_EveryValueLiesWithinHalfAStep(t *testing.T) {
	for _, shape := range [][2]int{{0, 3}, {1, 1}, {1, 5}, {7, 3}, {40, 384}} {
		m := random(shape[0], shape[1])
		packed, err := Pack(m)
		require.NoError(t, err)
		got, err := Unpack(packed)
		require.NoError(t, err)
		require.Equal(t, []int{m.Rows, m.Dim, len(m.Values)}, []int{got.Rows, got.Dim, len(got.Values)})
		assertWithinHalfAStep(t, m, got)
	}
}

func assertWithinHalfAStep(t *testing.T, want, got Matrix) {
	t.Helper()
	for i := range want.Rows {
		bound := 0.5001 * float64(scaleOf(want.Row(i)))
		for j, v := range want.Row(i) {
			if math.Abs(float64(v)-float64(got.Row(i)[j])) > bound {
				t.Fatalf("row %d value %d: %v became %v, more than %v away", i, j, v, got.Row(i)[j], bound)
			}
		}
	}
}

func TestRowsOfZerosStayZeros(t *testing.T) {
	packed, err := Pack(Matrix{Rows: 2, Dim: 3, Values: make([]float32, 6)})
	require.NoError(t, err)
	got, err := Unpack(packed)
	require.NoError(t, err)
	assert.Equal(t, make([]float32, 6), got.Values)
}

func TestPackRefusesShapesThatDoNotFit(t *testing.T) {
	for _, m := range []Matrix{{}, {Rows: 1, Dim: 2, Values: make([]float32, 3)}, {Rows: 2, Dim: 0}} {
		_, err := Pack(m)
		assert.Error(t, err)
	}
}

func TestI1_EveryTruncationIsAnError(t *testing.T) {
	packed, err := Pack(random(4, 9))
	require.NoError(t, err)
	for n := range packed {
		_, err := Unpack(packed[:n])
		require.ErrorIs(t, err, ErrFormat, "cut to %d of %d bytes", n, len(packed))
	}
	_, err = Unpack(append(packed, 0))
	require.ErrorIs(t, err, ErrFormat, "one byte too many")
}

func TestI1_EveryFlippedBitIsAnError(t *testing.T) {
	packed, err := Pack(random(3, 8))
	require.NoError(t, err)
	for bit := range 8 * len(packed) {
		bad := bytes.Clone(packed)
		bad[bit/8] ^= 1 << (bit % 8)
		_, err := Unpack(bad)
		require.ErrorIs(t, err, ErrFormat, "bit %d", bit)
	}
}

func FuzzUnpack(f *testing.F) {
	for _, shape := range [][2]int{{0, 1}, {1, 1}, {3, 8}} {
		packed, err := Pack(random(shape[0], shape[1]))
		require.NoError(f, err)
		f.Add(packed)
		f.Add(packed[:len(packed)-1])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Unpack(b)
		if err == nil && len(m.Values) != m.Rows*m.Dim {
			t.Fatalf("%d values for %d x %d", len(m.Values), m.Rows, m.Dim)
		}
	})
}

func TestHalfFloatsWidenExactly(t *testing.T) {
	for _, c := range []struct {
		half uint16
		want float32
	}{
		{0x0000, 0}, {0x3c00, 1}, {0xbc00, -1}, {0x3555, 0.333251953125}, {0x7bff, 65504},
		{0x0001, 1.0 / (1 << 24)}, {0x8001, -1.0 / (1 << 24)}, {0x0400, 1.0 / (1 << 14)},
		{0x7c00, float32(math.Inf(1))}, {0xfc00, float32(math.Inf(-1))},
	} {
		assert.Equal(t, c.want, fromHalf(c.half), "%#04x", c.half)
	}
	assert.True(t, math.IsNaN(float64(fromHalf(0x7e00))))
	assert.True(t, math.Signbit(float64(fromHalf(0x8000))))
}

// The data set itself is not in the repository; TARN_GODOC names its folder.
func TestPackedDataIsTheDataSetItWasMadeFrom(t *testing.T) {
	from := os.Getenv("TARN_GODOC")
	if from == "" {
		t.Skip("TARN_GODOC, the folder of the data set, is not set")
	}
	for source, name := range map[string]string{"base": "symbols", "query": "queries"} {
		f, err := os.Open(filepath.Join(from, source+".f16bin.gz"))
		require.NoError(t, err)
		defer f.Close()
		want, err := ReadHalf(f)
		require.NoError(t, err)
		packed, err := files.ReadFile("data/" + name + ".vec")
		require.NoError(t, err)
		got, err := Unpack(packed)
		require.NoError(t, err)
		require.Equal(t, want.Rows, got.Rows)
		assertWithinHalfAStep(t, want, got)
	}
}
