package codec

import (
	"encoding/binary"
	"math/bits"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHashIsWhatFilesHave(t *testing.T) {
	for s, want := range map[string]uint64{
		"":                         0xe220a8397b1dcdaf,
		"a":                        0x121842d00719760b,
		"12345678":                 0x3e8ec462dc9a15b3,
		"123456789":                0x3f7d9f7c349a01b3,
		"an entry of the sidecar.": 0x9787a93c9f23fe5c,
	} {
		require.Equal(t, want, Hash([]byte(s)), "%q: %#x", s, Hash([]byte(s)))
	}
	require.Equal(t, uint64(0xe220a8397b1dcdaf), mix(0), "the first number of SplitMix64")
}

func TestHashTellsApartWhatDiffersInABitOrInItsLength(t *testing.T) {
	for n := range 40 {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(i * 37)
		}
		whole := Hash(b)
		require.NotEqual(t, whole, Hash(append(b, 0)))
		for bit := range 8 * n {
			b[bit/8] ^= 1 << (bit % 8)
			d := bits.OnesCount64(whole ^ Hash(b))
			require.True(t, d > 8 && d < 56, "%d bits of the hash change with bit %d", d, bit)
			b[bit/8] ^= 1 << (bit % 8)
		}
	}
	seen := map[uint64]bool{}
	for i := range uint64(100_000) {
		seen[Hash(binary.LittleEndian.AppendUint64(nil, i))] = true
	}
	require.Len(t, seen, 100_000)
}

func TestHashAllocatesNothing(t *testing.T) {
	b := make([]byte, 27)
	require.Zero(t, testing.AllocsPerRun(10, func() { Hash(b) }))
}
