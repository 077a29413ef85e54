package tarn

import (
	"context"
	"path"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/collection"
	"github.com/tarndb/tarn/internal/vfs"
)

// Who opens a directory in which another process is just making a database is told that
// it is locked, not that it is damaged.
func TestOpenBesideTheMakingOfADatabase(t *testing.T) {
	mem := vfs.NewMem()
	require.NoError(t, mem.Mkdir(homeName)) // the other process has come so far
	opts := (*Options)(nil).withDefaults()
	opts.knobs = collection.Knobs{NoBackground: true}
	var other *DB
	in := vfs.NewInject(mem)
	in.After(func(c vfs.Call, _ error) {
		if c.Op != vfs.OpList || c.Name != "." || other != nil {
			return
		}
		var err error
		other, err = openDB(mem, "memory", opts)
		require.NoError(t, err)
		_, err = other.CreateCollection(context.Background(), "test", CollectionConfig{Dim: 4})
		require.NoError(t, err)
	})
	_, err := openDB(in, "memory", opts)
	require.ErrorIs(t, err, ErrLocked)
	require.NoError(t, other.Close())
}

// Wherever a repair is cut, power and all, the collection is there for the next one:
// under its name, damaged or repaired, or as what the next one gives its name to.
func TestRepairByAPowerCutBetweenItsRenames(t *testing.T) {
	mem := vfs.NewMem()
	opts := (*Options)(nil).withDefaults()
	opts.knobs = collection.Knobs{NoBackground: true, ChunkSlots: 16}
	db, err := openDB(mem, "memory", opts)
	require.NoError(t, err)
	c, err := db.CreateCollection(context.Background(), "test", CollectionConfig{Dim: 4})
	require.NoError(t, err)
	for id := range uint64(40) {
		require.NoError(t, c.Upsert(context.Background(), Point{ID: id + 1, Vector: []float32{float32(id), 1, 2, 3}}))
	}
	require.NoError(t, db.Close())
	f, err := mem.OpenRW(path.Join(homeName, "test/slots/00000000.vec"))
	require.NoError(t, err)
	_, err = f.WriteAt([]byte{0xff, 0x0f, 0xff}, 4096+64*3)
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	require.NoError(t, f.Close())

	var left []*vfs.Mem
	in := vfs.NewInject(mem)
	in.After(func(c vfs.Call, _ error) {
		if c.Op == vfs.OpRename && c.Name == path.Join(homeName, "test") {
			for seed := range uint64(20) {
				left = append(left, mem.Crash(seed, vfs.Crash{Keep: 0.5}))
			}
		}
	})
	home, err := in.Sub(homeName)
	require.NoError(t, err)
	r := Repaired{Collection: "test"}
	require.NoError(t, repairCollection(context.Background(), in, home, &r))
	require.False(t, r.Sound)
	require.NotEmpty(t, left)
	for seed, disk := range left {
		home, err = disk.Sub(homeName)
		require.NoError(t, err)
		names, err := finishRepairs(home)
		require.NoError(t, err)
		require.Equal(t, []string{"test"}, names, "cut %d", seed)
	}
}
