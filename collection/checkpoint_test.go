package collection

import (
	"context"
	"sync"
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

// A loaded graph is found damaged, and dropped, while a checkpoint writes that graph to a
// new file. What is in doubt stays so: the checkpoint after it must not name that file.
func TestAGraphDroppedWhileItIsWrittenIsNotNamedForGood(t *testing.T) {
	ctx := t.Context()
	disk := vfs.NewMem()
	require.NoError(t, Create(disk, Config{Dim: 8}, [16]byte{1}))
	var c *Collection
	var once sync.Once
	o := Options{Name: "test", FS: disk, MaxPayload: 1000, MaxK: 100, Knobs: Knobs{NoBackground: true, ExactThreshold: -1}}
	o.Knobs.Hook = func(step string) {
		if step == "snapshot: before rename" {
			once.Do(func() { require.NoError(t, c.dropGraph(c.view.Load().graph)) }) // as checkLoaded does
		}
	}
	c, err := Open(o)
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close()) }()
	empty := func() bool { return c.Stats().InDelta == 0 }
	require.NoError(t, c.Upsert(ctx, randomPoints(1, 0, 50)...))
	untilTrue(t, "all is in the graph", empty)
	doubted := c.view.Load().graph
	require.NoError(t, c.checkpoint(ctx, true))
	require.NotSame(t, doubted, c.view.Load().graph)
	untilTrue(t, "all is in the graph", empty)
	require.NoError(t, c.Upsert(ctx, randomPoints(2, 50, 5)...))
	require.NoError(t, c.checkpoint(ctx, false))
	ck, err := c.meta.Checkpoint()
	require.NoError(t, err)
	require.Empty(t, ck.Snapshot, "the file of the graph that was dropped is named; after a crash it serves again, its checksums right")
}
