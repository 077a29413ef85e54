package tarn_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
)

// A repair that was killed between its two renames leaves the collection under no name:
// who opens the database then is told, or has it; he is not given a database without it.
func TestOpenAfterARepairThatWasKilledBetweenItsRenames(t *testing.T) {
	for _, readOnly := range []bool{false, true} {
		path, _ := storeToDamage(t)
		damage(t, filepath.Join(path, "collections", "test", "slots", "00000000.vec"), flipAt(4096+64*20))
		r := repairOne(t, path)
		require.False(t, r.Sound)
		home := filepath.Join(path, "collections")
		require.NoError(t, os.Rename(filepath.Join(home, "test"), filepath.Join(home, ".repaired-test")))

		db, err := tarn.Open(path, &tarn.Options{ReadOnly: readOnly})
		if err != nil {
			require.ErrorIs(t, err, tarn.ErrCorrupt)
			continue
		}
		c, err := db.Collection("test")
		require.NoError(t, err)
		require.Equal(t, r.Points, c.Len())
		require.NoError(t, db.Close())
	}
}

// What a killed repair had made is not thrown away because a program made the
// collection anew before the repair was called again.
func TestEnsureAfterARepairThatWasKilledBetweenItsRenames(t *testing.T) {
	path, _ := storeToDamage(t)
	damage(t, filepath.Join(path, "collections", "test", "slots", "00000000.vec"), flipAt(4096+64*20))
	r := repairOne(t, path)
	home := filepath.Join(path, "collections")
	require.NoError(t, os.Rename(filepath.Join(home, "test"), filepath.Join(home, ".repaired-test")))

	db, err := tarn.Open(path, nil)
	if err != nil {
		require.ErrorIs(t, err, tarn.ErrCorrupt)
		return
	}
	_, err = db.EnsureCollection(ctx, "test", tarn.CollectionConfig{Dim: dim})
	require.NoError(t, err)
	require.NoError(t, db.Close())
	all, err := tarn.Repair(ctx, path)
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, r.Points, all[0].Points, "the repaired collection")
}

// A collection that was dropped does not come back as what a repair had half made.
func TestRepairThatWasKilledDoesNotBringBackWhatWasDroppedSince(t *testing.T) {
	_, db, path := newCollection(t, tarn.CollectionConfig{Dim: dim}, nil)
	require.NoError(t, db.Close())
	half := filepath.Join(path, "collections", ".repaired-test")
	require.NoError(t, os.MkdirAll(filepath.Join(half, "slots"), 0o700)) // killed before its first rename
	db, err := tarn.Open(path, nil)
	require.NoError(t, err)
	require.NoError(t, db.DropCollection(ctx, "test"))
	require.NoError(t, db.Close())
	all, err := tarn.Repair(ctx, path)
	require.NoError(t, err)
	require.Empty(t, all)
	db, err = tarn.Open(path, nil)
	require.NoError(t, err)
	require.NoError(t, db.Close())
}
