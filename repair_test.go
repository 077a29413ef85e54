package tarn_test

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
)

// storeToDamage makes a closed store of one collection: 300 points in slot files,
// 40 more of them moved and 10 deleted, by records that are in the log only.
func storeToDamage(t *testing.T) (path string, want map[uint64]tarn.Point) {
	t.Helper()
	knobs := smallChunks
	knobs.NoBackground = true
	c, _, at := newCollection(t, tarn.CollectionConfig{Dim: 8}, tarn.WithKnobs(knobs))
	want = map[uint64]tarn.Point{}
	for i, p := range points(newRand(20), 0, 300, 8) {
		want[p.ID] = p
		require.NoError(t, c.Upsert(ctx, p))
		if i == 259 {
			require.NoError(t, c.Checkpoint(ctx))
		}
	}
	for _, p := range points(newRand(21), 100, 40, 8) {
		want[p.ID] = p
		require.NoError(t, c.Upsert(ctx, p))
	}
	for id := uint64(0); id < 10; id++ {
		delete(want, id)
		_, err := c.Delete(ctx, id)
		require.NoError(t, err)
	}
	path = filepath.Join(t.TempDir(), "db")
	copyFolder(t, at, path) // as a kill leaves it: the log is not empty
	return path, want
}

func damage(t *testing.T, file string, change func(b []byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, change(b), 0o600))
}

func flipAt(off int) func([]byte) []byte {
	return func(b []byte) []byte { b[off] ^= 0x10; return b }
}

// repaired opens the repaired store and compares it with want but for the ids in
// lost, each of which is gone or, in stale, older.
func requireRepaired(t *testing.T, path string, want map[uint64]tarn.Point, lost int) *tarn.Collection {
	t.Helper()
	db, err := tarn.Open(path, tarn.WithKnobs(graphOnly))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	c, err := db.Collection("test")
	require.NoError(t, err)
	requireSound(t, db)
	require.Equal(t, len(want)-lost, c.Len())
	for p, err := range c.All(ctx) {
		require.NoError(t, err)
		require.Equal(t, want[p.ID], p)
	}
	return c
}

func repairOne(t *testing.T, path string) tarn.Repaired {
	t.Helper()
	all, err := tarn.Repair(ctx, path)
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.NoError(t, all[0].Err)
	return all[0]
}

func TestRepairDoesNotTouchWhatIsSound(t *testing.T) {
	path, want := storeToDamage(t)
	before := tree(t, path)
	r := repairOne(t, path)
	assert.True(t, r.Sound)
	assert.Equal(t, before, tree(t, path))
	requireRepaired(t, path, want, 0)
}

func TestC09_RepairKeepsAllPointsButTheOneWhoseSlotIsDamaged(t *testing.T) {
	path, want := storeToDamage(t)
	file := filepath.Join(path, "collections", "test", "slots", "00000000.vec")
	damage(t, file, flipAt(4096+64*20)) // point 20
	old, err := os.ReadFile(file)
	require.NoError(t, err)
	r := repairOne(t, path)
	assert.False(t, r.Sound)
	assert.Equal(t, 1, r.Lost)
	assert.Equal(t, len(want)-1, r.Points)
	kept, err := os.ReadFile(filepath.Join(path, r.Aside, "slots", "00000000.vec"))
	require.NoError(t, err)
	assert.Equal(t, old, kept, "the damaged bytes are kept aside")
	c := requireRepaired(t, path, want, 1)
	_, err = c.Get(ctx, 20)
	require.ErrorIs(t, err, tarn.ErrNotFound)
}

func TestC10_RepairOfAMissingChunkKeepsTheOthersAndTheLog(t *testing.T) {
	path, want := storeToDamage(t)
	require.NoError(t, os.Remove(filepath.Join(path, "collections", "test", "slots", "00000001.side")))
	r := repairOne(t, path)
	// 64 slots: of points 64 to 127; the log has 100 to 127 anew.
	assert.Equal(t, 36, r.Lost)
	assert.Equal(t, len(want)-36, r.Points)
	requireRepaired(t, path, want, 36)
}

func TestC04_RepairReadsTheLogAroundWhatIsDamaged(t *testing.T) {
	path, want := storeToDamage(t)
	wals, err := filepath.Glob(filepath.Join(path, "collections", "test", "wal", "*.wal"))
	require.NoError(t, err)
	// Record 261 upserts point 260: its vector is damaged.
	damaged := false
	for _, file := range wals {
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		at := indexOfVector(b, want[260].Vector)
		if at > 0 {
			damage(t, file, flipAt(at))
			damaged = true
		}
	}
	require.True(t, damaged)
	r := repairOne(t, path)
	assert.Equal(t, len(want)-1, r.Points)
	requireRepaired(t, path, want, 1)
	said := false
	for _, f := range r.Findings {
		said = said || f.Problem == "records 261 to 261 are lost"
	}
	assert.True(t, said, "%v", r.Findings)
}

func indexOfVector(b []byte, v []float32) int {
	for at := 0; at+4*len(v) <= len(b); at++ {
		same := true
		for i, x := range v {
			same = same && math.Float32frombits(binary.LittleEndian.Uint32(b[at+4*i:])) == x
			if !same {
				break
			}
		}
		if same {
			return at
		}
	}
	return -1
}

func TestC13_RepairTakesTheSmallRecordsFromTheCopyOfMetaDB(t *testing.T) {
	for name, change := range map[string]func(b []byte) []byte{
		"both meta pages are zeros": func(b []byte) []byte { clear(b[:8192]); return b },
		"it is empty":               func(b []byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			path, want := storeToDamage(t)
			damage(t, filepath.Join(path, "collections", "test", "meta.db"), change)
			r := repairOne(t, path)
			assert.Equal(t, len(want), r.Points)
			assert.Zero(t, r.Lost)
			// Payloads of points in slots were in meta.db only; those of the log are there:
			// 40 after the checkpoint, 40 moved; 10 of the others are deleted.
			assert.Equal(t, 260-40-10, r.Payloads)
			db, err := tarn.Open(path, nil)
			require.NoError(t, err)
			defer db.Close()
			c, err := db.Collection("test")
			require.NoError(t, err)
			require.Equal(t, len(want), c.Len())
			for p, err := range c.All(ctx) {
				require.NoError(t, err)
				require.Equal(t, want[p.ID].Vector, p.Vector)
				if p.ID >= 260 || p.ID >= 100 && p.ID < 140 {
					require.Equal(t, want[p.ID].Payload, p.Payload)
				} else {
					require.Nil(t, p.Payload)
				}
			}
		})
	}
}

func TestC13_OnePageOfMetaDBCostsThePayloadsInItAtMost(t *testing.T) {
	path, want := storeToDamage(t)
	file := filepath.Join(path, "collections", "test", "meta.db")
	info, err := os.Stat(file)
	require.NoError(t, err)
	least := len(want)
	for page := int64(2); page < info.Size()/4096; page++ {
		dir := filepath.Join(t.TempDir(), "db")
		copyFolder(t, path, dir)
		damage(t, filepath.Join(dir, "collections", "test", "meta.db"), func(b []byte) []byte {
			clear(b[page*4096 : (page+1)*4096])
			return b
		})
		all, err := tarn.Repair(ctx, dir)
		require.NoError(t, err)
		require.NoError(t, all[0].Err)
		require.Equal(t, len(want), all[0].Points, "page %d", page)
		if !all[0].Sound {
			least = min(least, all[0].Payloads)
		}
		db, err := tarn.Open(dir, nil)
		require.NoError(t, err)
		c, err := db.Collection("test")
		require.NoError(t, err)
		for p, err := range c.All(ctx) {
			require.NoError(t, err)
			require.Equal(t, want[p.ID].Vector, p.Vector)
			if p.Payload != nil {
				require.Equal(t, want[p.ID].Payload, p.Payload)
			}
		}
		require.NoError(t, db.Close())
	}
	assert.Less(t, least, 210, "one page has not all of them")
}

func TestRepairWithoutTablesLeavesEverythingAsItWas(t *testing.T) {
	path, _ := storeToDamage(t)
	for _, name := range []string{"meta.db", "meta.copy"} {
		damage(t, filepath.Join(path, "collections", "test", name), func([]byte) []byte { return []byte("x") })
	}
	before := tree(t, path)
	all, err := tarn.Repair(ctx, path)
	require.NoError(t, err)
	require.ErrorIs(t, all[0].Err, tarn.ErrCorrupt)
	assert.Equal(t, before, tree(t, path))
}

func TestRepairThatWasKilledIsFinishedByTheNext(t *testing.T) {
	path, want := storeToDamage(t)
	damage(t, filepath.Join(path, "collections", "test", "slots", "00000000.vec"), flipAt(4096+64*20))
	half := filepath.Join(t.TempDir(), "db")
	copyFolder(t, path, half)
	r := repairOne(t, path)
	home := filepath.Join(path, "collections")
	require.NoError(t, os.Rename(filepath.Join(home, "test"), filepath.Join(home, ".repaired-test")))
	assert.True(t, repairOne(t, path).Sound)
	require.DirExists(t, filepath.Join(path, r.Aside))
	requireRepaired(t, path, want, 1)

	require.NoError(t, os.MkdirAll(filepath.Join(half, "collections", ".repaired-test", "slots"), 0o700))
	assert.Equal(t, 1, repairOne(t, half).Lost)
	requireRepaired(t, half, want, 1)
}

func TestRepairWritesADamagedHeaderAnew(t *testing.T) {
	path, want := storeToDamage(t)
	damage(t, filepath.Join(path, "tarn.db"), flipAt(3))
	assert.True(t, repairOne(t, path).Sound)
	require.FileExists(t, filepath.Join(path, "damaged", "tarn.db.1"))
	requireRepaired(t, path, want, 0)
	_, err := tarn.Repair(ctx, t.TempDir())
	require.ErrorIs(t, err, tarn.ErrNotFound)
}

// The sidecar knows of the points whose vectors are lost, so the files are not those of
// an earlier moment, whose payloads would be others'.
func TestRepairKeepsThePayloadsOfOthersWhenTheLastVectorsAreLost(t *testing.T) {
	damages := map[string]func(path string) error{
		"the file is lost":      os.Remove,
		"the file is cut short": func(path string) error { return os.Truncate(path, 4096) },
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{ChunkSlots: 64})
			w.upsert(t, points(w.r, 1, 100, dim)...)
			require.NoError(t, w.db.Close())
			require.NoError(t, damage(filepath.Join(w.path, "collections", "test", "slots", "00000001.vec")))
			repaired, err := tarn.Repair(ctx, w.path)
			require.NoError(t, err)
			require.Equal(t, 64, repaired[0].Points)
			require.Equal(t, 36, repaired[0].Lost)
			require.Zero(t, repaired[0].Payloads)
			c, _ := openCollection(t, w.path, nil)
			for p, err := range c.All(ctx) {
				require.NoError(t, err)
				require.Equal(t, w.have[p.ID].Payload, p.Payload)
			}
		})
	}
}
