package tarn_test

import (
	"bytes"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
)

// A backup stands at its moment while all that dies is deleted, checkpointed and would
// be written over: in a collection without a graph, and in one whose graph a rebuild
// replaces meanwhile, which leaves behind slots that only the archived graph leads over.
func TestI6_NoSlotIsWrittenAgainUnderARunningBackup(t *testing.T) {
	for name, paused := range map[string]bool{"in the delta": true, "by a graph that is replaced": false} {
		t.Run(name, func(t *testing.T) {
			hooks := newSteps()
			w := newWorld(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{ExactThreshold: -1, NoBackground: true, PauseIndexer: paused, Hook: hooks.hook})
			w.upsert(t, points(w.r, 1, 300, dim)...)
			eventually(t, "all is where it shall be", func() bool { return paused || w.c.Stats().InDelta == 0 })
			before := 0
			if !paused {
				before = 50
				w.delete(t, w.ids(before)...) // dead at the moment, and in the graph that is archived
			}
			moment := *w
			moment.have, moment.gone = maps.Clone(w.have), maps.Clone(w.gone)
			at := hooks.stop(t, "backup: moment")
			var out bytes.Buffer
			backedUp := inBackground(t, func() error { return w.db.Backup(ctx, &out) })
			at.await()
			w.delete(t, w.ids(100)...)
			if !paused {
				require.NoError(t, w.c.Rebuild(ctx, tarn.IndexConfig{}))
			}
			require.NoError(t, w.c.Checkpoint(ctx))
			w.upsert(t, points(w.r, 1000, 150, dim)...)
			require.Equal(t, 100+before, w.c.Stats().Deleted, "none of their slots was given to a new point")
			require.NoError(t, w.c.Checkpoint(ctx)) // payloads too stay
			at.release()
			require.NoError(t, backedUp())
			w.check(t)
			moment.db, moment.path = restored(t, out.Bytes(), w.opts)
			var err error
			moment.c, err = moment.db.Collection("test")
			require.NoError(t, err)
			moment.check(t)
			requireSound(t, moment.db)
			w.upsert(t, points(w.r, 2000, 1, dim)...) // so that a checkpoint is due
			require.NoError(t, w.c.Checkpoint(ctx))
			w.upsert(t, points(w.r, 3000, 100+before, dim)...)
			require.Zero(t, w.c.Stats().Deleted, "now they are")
			w.check(t)
		})
	}
}
