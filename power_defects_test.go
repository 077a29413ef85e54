package tarn_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
	"github.com/tarndb/tarn/internal/vfs"
)

// smallFiles are knobs for stores in memory: chunks and segments of a few KiB.
var smallFiles = collection.Knobs{ExactThreshold: -1, ChunkSlots: 16, LogSegment: 16 << 10, SnapshotChange: 8, NoBackground: true}

// openMem opens the database on a disk in memory, with its collection "test".
func openMem(t testing.TB, disk vfs.FS, k collection.Knobs) (*tarn.Collection, *tarn.DB) {
	t.Helper()
	db, err := tarn.OpenFS(disk, tarn.WithKnobs(k))
	require.NoError(t, err)
	c, err := db.EnsureCollection(ctx, "test", tarn.CollectionConfig{Dim: dim})
	require.NoError(t, err)
	return c, db
}

func TestA09_B01_AHeaderThatAnEarlierProcessFailedToSyncIsWrittenAgain(t *testing.T) {
	mem := vfs.NewMem()
	in := vfs.NewInject(mem)
	c, db := openMem(t, in, smallFiles)
	ps := points(newRand(1), 1, 40, dim)
	require.NoError(t, c.Upsert(ctx, ps...))
	in.Add(&vfs.Fault{Ops: []vfs.Op{vfs.OpSync}, Glob: "*.vec", Err: errors.New("disk"), Lose: true})
	require.ErrorIs(t, c.Checkpoint(ctx), tarn.ErrFailed)
	require.Error(t, db.Close())

	c, db = openMem(t, mem, smallFiles) // the next process, on the same computer
	require.NoError(t, c.Checkpoint(ctx))
	dead := mem.Crash(1, vfs.Crash{})
	require.NoError(t, db.Close())

	c, db = openMem(t, dead, smallFiles)
	for _, p := range ps {
		requirePoint(t, c, p)
	}
	requireSound(t, db)
	require.NoError(t, db.Close())
}

// mutations are the operations that change the disk, or what is known to be on it.
func mutations() (ops []vfs.Op) {
	for op := vfs.OpCreate; op.Mutates(); op++ {
		ops = append(ops, op)
	}
	return ops
}

func TestA07_A14_NamesThatAKilledProcessDidNotSyncAreSyncedByTheNext(t *testing.T) {
	for k := range 40 {
		mem := vfs.NewMem()
		// A first creation that is killed before its k-th step: nothing happens any more.
		in := vfs.NewInject(mem, &vfs.Fault{Ops: mutations(), Skip: k, Err: errors.New("killed")})
		if db, err := tarn.OpenFS(in, tarn.WithKnobs(smallFiles)); err == nil {
			_, _ = db.CreateCollection(ctx, "test", tarn.CollectionConfig{Dim: dim})
			_ = db.Close()
		}
		c, db := openMem(t, mem, smallFiles)
		p := points(newRand(1), 1, 1, dim)[0]
		require.NoError(t, c.Upsert(ctx, p))
		dead := mem.Crash(1, vfs.Crash{})
		require.NoError(t, db.Close())

		c, db = openMem(t, dead, smallFiles)
		_, err := c.Get(ctx, p.ID)
		require.NoError(t, err, "the first process ended before its step %d", k)
		require.NoError(t, db.Close())
	}
}
