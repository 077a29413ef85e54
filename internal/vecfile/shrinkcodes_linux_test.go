package vecfile

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// zeros reports whether memory was given back: what is not there reads so.
func zeros(p []byte) bool {
	for _, b := range p {
		if b != 0 {
			return false
		}
	}
	return true
}

// A collection that is filled, emptied and compacted again and again would keep the
// copies of all codes it ever had.
func TestShrinkGivesTheMemoryOfCopiedCodesBack(t *testing.T) {
	dir, want := filled(t)
	s := open(t, dir, config(), 100)
	s.warmMin = 0
	for lsn := range uint64(3) {
		fill(t, s, 100, 256, lsn+2)
		require.NoError(t, s.Warm(context.Background()))
		old := s.Codes()
		require.NotNil(t, s.chunks[3].private)
		require.False(t, zeros(old.Bytes(255)))
		require.NoError(t, s.Shrink(100))
		require.True(t, zeros(old.Bytes(128)))
		require.True(t, zeros(old.Bytes(255)), "a reader that came before reads on")
		requireHolds(t, s, want)
	}
	requireHolds(t, s, fill(t, s, 100, 256, 9))
}

func TestACopyGivenUpGivesItsMemoryBack(t *testing.T) {
	dir, _ := filled(t)
	s := open(t, dir, config(), 100)
	s.warmMin = 0
	c, err := s.beginCopy(1) // as warmChunk does
	require.NoError(t, err)
	require.NoError(t, s.copyPiece(1, c, 0, 64))
	next := c.next
	require.False(t, zeros(next))
	require.NoError(t, s.Shrink(64))
	s.endCopy(1, c, nil)
	require.True(t, zeros(next))
	require.Nil(t, c.next)
}
