package codec

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTwoChecksumsJoinToThatOfBothPieces(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	piece := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	for _, n := range []int{0, 1, 2, 3, 4, 7, 8, 63, 1536, 3072, 65537} {
		s := NewShift(n)
		require.Equal(t, n, s.Len())
		for _, before := range []int{0, 1, 16, 1000} {
			a, b := piece(before), piece(n)
			require.Equal(t, CRCUpdate(CRC(a), b), s.Join(CRC(a), CRC(b)), "%d bytes after %d", n, before)
			seed := r.Uint32() // a checksum that is no piece's
			require.Equal(t, CRCUpdate(seed, b), s.Join(seed, CRC(b)), "%d bytes after a seed", n)
		}
	}
}

func TestJoinAllocatesNothing(t *testing.T) {
	s, sum := NewShift(1536), uint32(1)
	require.Zero(t, testing.AllocsPerRun(100, func() { sum = s.Join(sum, 7) }))
}
