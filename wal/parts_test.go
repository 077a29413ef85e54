package wal

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/vfs"
)

func TestARecordOfPartsWhoseChecksumsAreKnownIsTheSameFrame(t *testing.T) {
	pieces := append(inPieces(), []byte("tail"), []byte("lost"), []byte("x"))
	segment := func(known func(i int) bool) map[string]string {
		mem := vfs.NewMem()
		require.NoError(t, Create(mem, oneSegment()))
		l, _, err := Open(mem, oneSegment(), 0, none)
		require.NoError(t, err)
		for range 2 {
			parts := make([]Part, len(pieces))
			for i, p := range pieces {
				parts[i].Bytes = p
				if known(i) {
					parts[i].Sum = codec.SumOf(p)
				}
			}
			_, err = l.AppendParts(7, parts)
			require.NoError(t, err)
		}
		require.NoError(t, l.Close())
		return files(t, mem)
	}
	want := segment(func(int) bool { return false })
	require.Equal(t, want, segment(func(i int) bool { return i%2 == 1 }))
	require.Equal(t, want, segment(func(int) bool { return true }))
}
