package collection

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/vfs"
)

// The payload is encoded before the vector is looked at, which callers must not see.
func TestOfAPointThatIsWrongTwiceTheVectorIsNamed(t *testing.T) {
	c := openMem(t, vfs.NewMem(), Knobs{PauseIndexer: true, NoBackground: true})
	vectors := map[string]struct {
		v    []float32
		want error
	}{
		"none":         {nil, ErrDimension},
		"empty":        {[]float32{}, ErrDimension},
		"short":        {[]float32{1}, ErrDimension},
		"long":         {make([]float32, 5_000), ErrDimension},
		"not a number": {[]float32{1, 2, 3, float32(math.NaN())}, ErrInvalidVector},
	}
	for what, p := range map[string]Payload{
		"fit":         {"a": 1},
		"too long":    {"a": strings.Repeat("x", 2_000)},
		"not of JSON": {"a": make(chan int)},
	} {
		for of, tc := range vectors {
			t.Run(what+"/"+of, func(t *testing.T) {
				err := c.Upsert(t.Context(), Point{ID: 1, Vector: tc.v, Payload: p})
				require.ErrorIs(t, err, tc.want)
				require.NotErrorIs(t, err, ErrTooLarge)
				require.NotErrorIs(t, err, ErrInvalidPoint)
			})
		}
	}
	fit := []float32{1, 2, 3, 4}
	require.ErrorIs(t, c.Upsert(t.Context(), Point{ID: 1, Vector: fit, Payload: Payload{"a": strings.Repeat("x", 2_000)}}), ErrTooLarge)
	require.ErrorIs(t, c.Upsert(t.Context(), Point{ID: 1, Vector: fit, Payload: Payload{"a": make(chan int)}}), ErrInvalidPoint)
	require.Zero(t, c.Len())
	require.NoError(t, c.Close())
}
