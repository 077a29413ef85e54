package collection

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/vfs"
)

// openMem opens the collection on a disk in memory, which it lays out if need be.
func openMem(t testing.TB, disk *vfs.Mem, k Knobs) *Collection {
	t.Helper()
	if _, err := disk.Stat(metaName); isNotExist(err) {
		require.NoError(t, Create(disk, Config{Dim: 4}, [16]byte{1}))
	}
	c, err := Open(Options{Name: "test", FS: disk, MaxPayload: 1000, MaxK: 100, Knobs: k})
	require.NoError(t, err)
	return c
}

func TestPayloadsOfSlotsThatWereFreedBeforeOpenGoWithTheNextCheckpoint(t *testing.T) {
	ctx, disk := context.Background(), vfs.NewMem()
	knobs := Knobs{PauseIndexer: true, NoBackground: true, ChunkSlots: 64}
	stored := func(c *Collection) (n int) {
		require.NoError(t, c.meta.EachPayload(func(uint32, []byte) error { n++; return nil }))
		return n
	}
	c := openMem(t, disk, knobs)
	for id := range uint64(10) {
		require.NoError(t, c.Upsert(ctx, Point{ID: id, Vector: []float32{1, 2, 3, float32(id)}, Payload: Payload{"n": 1}}))
	}
	require.NoError(t, c.Checkpoint(ctx))
	for id := range uint64(10) {
		_, err := c.Delete(ctx, id)
		require.NoError(t, err)
	}
	require.NoError(t, c.Checkpoint(ctx)) // frees the slots; their payloads are still there
	require.NoError(t, c.Close())

	c = openMem(t, disk, knobs)
	require.Equal(t, 10, stored(c))
	require.NoError(t, c.Upsert(ctx, Point{ID: 1, Vector: []float32{1, 2, 3, 4}}))
	require.NoError(t, c.Checkpoint(ctx))
	require.Zero(t, stored(c))
	require.NoError(t, c.Close())
}
