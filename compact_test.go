package tarn_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
)

// smallChunks make files come and go with few points.
var smallChunks = collection.Knobs{ExactThreshold: -1, ChunkSlots: 64, LogSegment: 64 << 10}

// thinned returns a collection of n points of which only every fifth is left, and
// what they are.
func thinned(t testing.TB, n, dim int, knobs collection.Knobs) (c *tarn.Collection, db *tarn.DB, path string, rest []tarn.Point) {
	c, db, path = newCollection(t, tarn.CollectionConfig{Dim: dim, WriteMode: tarn.WriteStreaming}, tarn.WithKnobs(knobs))
	return c, db, path, thin(t, c, n, dim)
}

// thin writes n points, deletes four fifths of them, and returns the rest.
func thin(t testing.TB, c *tarn.Collection, n, dim int) (rest []tarn.Point) {
	t.Helper()
	all := points(newRand(9), 0, n, dim)
	require.NoError(t, c.Upsert(ctx, all...))
	var gone []uint64
	for i, p := range all {
		if i%5 == 0 {
			rest = append(rest, p)
		} else {
			gone = append(gone, p.ID)
		}
	}
	_, err := c.Delete(ctx, gone...)
	require.NoError(t, err)
	return rest
}

// requireRest asserts that c holds exactly these points and finds each.
func requireRest(t testing.TB, c *tarn.Collection, rest []tarn.Point) {
	t.Helper()
	require.Equal(t, len(rest), c.Len())
	for _, p := range rest {
		got, err := c.Get(ctx, p.ID)
		require.NoError(t, err)
		require.Equal(t, p, got)
		near, err := c.Search(ctx, p.Vector, 1)
		require.NoError(t, err)
		require.Len(t, near, 1)
		require.Equal(t, p.ID, near[0].ID)
	}
}

func chunkFiles(t testing.TB, path string) (n int) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(path, "collections", "test", "slots"))
	require.NoError(t, err)
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".vec") {
			n++
		}
	}
	return n
}

// compactTo compacts until at most so many chunks of slots are left. What looks at
// old slots in the background may hold some back; the next Compact has them.
func compactTo(t testing.TB, c *tarn.Collection, path string, chunks int) {
	t.Helper()
	for limit := time.Now().Add(patience); ; {
		require.NoError(t, c.Compact(ctx))
		have := chunkFiles(t, path)
		if have <= chunks {
			return
		}
		require.True(t, time.Now().Before(limit), "%d chunks are left, not %d", have, chunks)
	}
}

func TestCompactGivesTheSpaceOfDeletedPointsBack(t *testing.T) {
	c, db, path, rest := thinned(t, 2_000, 16, smallChunks)
	require.NoError(t, c.Checkpoint(ctx))
	before := c.Stats()
	require.Equal(t, 32, chunkFiles(t, path))
	compactTo(t, c, path, 7) // 400 points in chunks of 64
	assert.Less(t, c.Stats().DiskBytes, before.DiskBytes/2)
	eventually(t, "no dead slot is left", func() bool { return c.Compact(ctx) == nil && c.Stats().Deleted == 0 })
	requireRest(t, c, rest)
	requireSound(t, db)

	// It goes on in the files it has, and is the same when it was opened again.
	more := points(newRand(10), 10_000, 500, 16)
	require.NoError(t, c.Upsert(ctx, more...))
	rest = append(rest, more...)
	requireRest(t, c, rest)
	c, db = reopen(t, db, path, tarn.WithKnobs(smallChunks))
	requireRest(t, c, rest)
	requireSound(t, db)
	require.NoError(t, c.Compact(ctx))
	requireRest(t, c, rest)
}

func TestCompactOfAnEmptiedCollectionLeavesNoSlotFiles(t *testing.T) {
	c, db, path, rest := thinned(t, 500, 4, smallChunks)
	for _, p := range rest {
		_, err := c.Delete(ctx, p.ID)
		require.NoError(t, err)
	}
	compactTo(t, c, path, 0)
	requireSound(t, db)
	c, _ = reopen(t, db, path, tarn.WithKnobs(smallChunks))
	assert.Zero(t, c.Len())
	require.NoError(t, c.Upsert(ctx, rest...))
	requireRest(t, c, rest)
}

func TestCompactUnderWritesAndSearchesLosesNothing(t *testing.T) {
	c, db, path, rest := thinned(t, 1_200, 8, smallChunks)
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 3)
	fresh := map[uint64]tarn.Point{}
	go func() { // moves and deletes points of its own, and writes the others again
		r := newRand(11)
		for n := 0; running.Err() == nil; n++ {
			p := points(r, 100_000+uint64(n%300), 1, 8)[0]
			if n%7 == 3 {
				delete(fresh, p.ID)
				if _, err := c.Delete(ctx, p.ID); err != nil {
					done <- err
					return
				}
				continue
			}
			fresh[p.ID] = p
			if err := c.Upsert(ctx, p, rest[n%len(rest)]); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for w := range 2 { // what was there all the time is found all the time
		go func() {
			for n := w; running.Err() == nil; n++ {
				p := rest[n%len(rest)]
				near, err := c.Search(ctx, p.Vector, 1)
				if err == nil && (len(near) != 1 || near[0].ID != p.ID) {
					err = errors.New("a point went missing")
				}
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range 3 {
		require.NoError(t, c.Compact(ctx))
	}
	cancel()
	for range 3 {
		require.NoError(t, <-done)
	}
	compactTo(t, c, path, (len(rest)+len(fresh))/64+2)
	for _, p := range fresh {
		rest = append(rest, p)
	}
	requireRest(t, c, rest)
	requireSound(t, db)
	c, _ = reopen(t, db, path, tarn.WithKnobs(smallChunks))
	requireRest(t, c, rest)
}

// At each of its steps the folder is copied as a kill would leave it.
func TestA04_CompactCanBeKilledAtAnyStep(t *testing.T) {
	var path string
	var armed atomic.Bool
	steps := map[string]string{}
	knobs := smallChunks
	knobs.NoBackground = true
	knobs.Hook = func(step string) {
		if !armed.Load() || !strings.HasPrefix(step, "compact") && !strings.HasPrefix(step, "checkpoint") && !strings.HasPrefix(step, "snapshot") {
			return
		}
		if _, had := steps[step]; !had || step == "checkpoint: after commit" {
			dir := filepath.Join(t.TempDir(), "db")
			copyFolder(t, path, dir)
			steps[step] = dir
		}
	}
	c, _, at, rest := thinned(t, 600, 8, knobs)
	path = at
	armed.Store(true)
	require.NoError(t, c.Compact(ctx))
	armed.Store(false)
	require.Greater(t, len(steps), 12)
	plain := smallChunks
	for step, dir := range steps {
		t.Run(step, func(t *testing.T) {
			db, err := tarn.Open(dir, tarn.WithKnobs(plain))
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, db.Close()) })
			c, err := db.Collection("test")
			require.NoError(t, err)
			requireRest(t, c, rest)
			requireSound(t, db)
			compactTo(t, c, dir, 3)
			requireRest(t, c, rest)
			requireSound(t, db)
		})
	}
}

func TestACollectionCompactsItselfWhenMoreIsDeadThanLive(t *testing.T) {
	knobs := smallChunks
	knobs.CompactBytes = 1 << 10
	compacted := make(chan struct{}, 100)
	knobs.Hook = func(step string) {
		if step == "compact: after tables" {
			select {
			case compacted <- struct{}{}:
			default:
			}
		}
	}
	c, _, _, rest := thinned(t, 4_000, 4, knobs)
	<-compacted
	requireRest(t, c, rest)
}

func TestCompactLeavesWhatABackupStillReads(t *testing.T) {
	c, db, path, rest := thinned(t, 3_000, 64, smallChunks)
	stuck, free := make(chan struct{}), make(chan struct{})
	done := make(chan error)
	archive := filepath.Join(t.TempDir(), "backup")
	f, err := os.Create(archive)
	require.NoError(t, err)
	go func() { done <- db.Backup(ctx, &slowFile{f: f, stuck: stuck, free: free}) }()
	<-stuck
	require.NoError(t, c.Compact(ctx))
	close(free)
	require.NoError(t, <-done)
	_, err = f.Seek(0, 0)
	require.NoError(t, err)
	copied := filepath.Join(t.TempDir(), "copy")
	require.NoError(t, tarn.Restore(ctx, copied, f))
	require.NoError(t, f.Close())
	db2, err := tarn.Open(copied, tarn.WithKnobs(graphOnly))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db2.Close()) })
	c2, err := db2.Collection("test")
	require.NoError(t, err)
	requireRest(t, c2, rest)
	compactTo(t, c, path, len(rest)/64+1) // nobody reads any more
}

// slowFile stops at its first write until it may go on.
type slowFile struct {
	f           *os.File
	stuck, free chan struct{}
	begun       bool
}

func (s *slowFile) Write(p []byte) (int, error) {
	if !s.begun {
		s.begun = true
		close(s.stuck)
		<-s.free
	}
	return s.f.Write(p)
}
