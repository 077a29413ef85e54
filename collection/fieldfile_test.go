package collection

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/filter"
	"github.com/tarndb/tarn/internal/vfs"
)

// fields.idx says that it knows every slot of its checkpoint. A point that died between
// that checkpoint's moment and the beginning of a builder is in no index; if its death is
// lost in a power cut it is live again, and filters must find it.
func TestFieldsFileKnowsNotWhatDiedBeforeItsFieldWasBuilt(t *testing.T) {
	ctx := t.Context()
	disk := vfs.NewMem()
	require.NoError(t, Create(disk, Config{Dim: 1, WriteMode: WriteStreaming}, [16]byte{1}))
	var c *Collection
	var armed atomic.Bool
	first, built := make(chan struct{}), make(chan struct{})
	var once, stop sync.Once
	o := Options{Name: "test", FS: disk, MaxPayload: 1000, MaxK: 100, Knobs: Knobs{NoBackground: true, PauseIndexer: true, SnapshotChange: 1}}
	o.Knobs.Hook = func(step string) {
		switch step {
		case "fields: before ready": // the first round, of field "x": the next waits behind it
			stop.Do(func() { close(built); <-first })
		case "checkpoint: after commit":
			if !armed.Load() {
				return
			}
			once.Do(func() {
				_, err := c.Delete(context.Background(), 1) // behind the checkpoint, and never on the disk
				require.NoError(t, err)
				close(first)
				for n := 0; c.Stats().FieldsBuilding > 0 && n < 10_000; n++ {
					time.Sleep(time.Millisecond)
				}
			})
		}
	}
	c, err := Open(o)
	require.NoError(t, err)
	require.NoError(t, c.Upsert(ctx, Point{ID: 1, Vector: []float32{1}, Payload: Payload{"a": 1}}))
	require.NoError(t, c.Checkpoint(ctx))
	require.NoError(t, c.SetFields(ctx, "x"))
	<-built
	require.NoError(t, c.SetFields(ctx, "x", "a"))
	require.NoError(t, c.Upsert(ctx, Point{ID: 2, Vector: []float32{2}, Payload: Payload{"a": 2}}))
	armed.Store(true)
	require.NoError(t, c.Checkpoint(ctx))
	after := disk.Crash(1, vfs.Crash{})
	require.NoError(t, c.Close())

	o.FS, o.Knobs.Hook = after, nil
	c, err = Open(o)
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close()) }()
	_, err = c.Get(ctx, 1)
	require.NoError(t, err, "its deletion was lost")
	untilTrue(t, "the index is built", func() bool { return c.Stats().FieldsBuilding == 0 })
	got, err := c.Scroll(ctx, 0, 10, filter.Eq("a", 1))
	require.NoError(t, err)
	require.Len(t, got, 1, "point 1 is there and has a=1")
}
