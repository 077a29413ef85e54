package tarn_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
)

// fieldsOpened opens a copy of w's store that is at path and asks it filters, while
// its indexes are being built and after.
func (w *world) fieldsOpened(t *testing.T, path string, opts *tarn.Options) {
	t.Helper()
	copied := *w
	copied.path = path
	copied.c, copied.db = openCollection(t, path, opts)
	require.Equal(t, len(w.have), copied.c.Len())
	copied.requireFilters(t, newRand(7), 5)
	indexed(t, copied.c)
	copied.requireFilters(t, newRand(8), 15)
	requireSound(t, copied.db) // compares fields.idx with the payloads
	require.NoError(t, copied.db.Close())
}

// Compact moves points to other slots, cuts the slots at the end and uses them again:
// an index that still spoke of the old ones would answer for the wrong points.
func TestFieldIndexesFollowPointsThatCompactMoves(t *testing.T) {
	var armed atomic.Bool
	var path string
	steps := map[string]string{}
	k := collection.Knobs{ExactThreshold: -1, ChunkSlots: 64, LogSegment: 16 << 10, SnapshotChange: 30, NoBackground: true}
	plain := tarn.WithKnobs(k)
	k.Hook = func(step string) {
		if !armed.Load() || !strings.HasPrefix(step, "compact") && step != "fields: before write" && step != "checkpoint: after commit" {
			return
		}
		dir := filepath.Join(t.TempDir(), "db") // as a kill would leave it
		copyFolder(t, path, dir)
		steps[step] = dir
	}
	w, r := newWorld(t, tarn.CollectionConfig{Dim: dim, Fields: shelfFields}, k), newRand(5)
	path = w.path
	indexed(t, w.c)
	w.upsert(t, shelved(r, 0, 700, dim)...)
	require.NoError(t, w.c.Checkpoint(ctx)) // fields.idx speaks of the slots before
	require.FileExists(t, filepath.Join(path, "collections", "test", "fields.idx"))
	w.delete(t, w.ids(560)...)
	armed.Store(true)
	require.NoError(t, w.c.Compact(ctx))
	armed.Store(false)
	require.Less(t, chunkFiles(t, path), 6, "of 11 chunks")
	require.Greater(t, len(steps), 7)
	w.requireFilters(t, r, 20)
	for step, dir := range steps {
		t.Run(step, func(t *testing.T) { w.fieldsOpened(t, dir, plain) })
	}
	w.fieldsOpened(t, crashCopy(t, path), plain)
	w.upsert(t, shelved(r, 2_000, 200, dim)...) // into slots that others had
	w.requireFilters(t, r, 20)
	w.reopen(t)
	w.requireFilters(t, r, 5)
	indexed(t, w.c)
	w.requireFilters(t, r, 20)
	requireSound(t, w.db)
}

// An archive holds no index: a restored store builds its own of the payloads, whether
// or not the slots had been used before.
func TestFieldIndexesOfARestoredStoreAnswerAsThoseOfTheOriginal(t *testing.T) {
	k := collection.Knobs{ExactThreshold: -1, ChunkSlots: 64, SnapshotChange: 30}
	w, r := newWorld(t, tarn.CollectionConfig{Dim: dim, Fields: shelfFields}, k), newRand(6)
	w.upsert(t, shelved(r, 0, 500, dim)...)
	indexed(t, w.c)
	require.NoError(t, w.c.Checkpoint(ctx))
	w.delete(t, w.ids(250)...)
	require.NoError(t, w.c.Rebuild(ctx, tarn.IndexConfig{}))
	require.NoError(t, w.c.Checkpoint(ctx))
	w.upsert(t, shelved(r, 400, 200, dim)...) // moves, into free slots, payloads in memory only
	data := backup(t, w.db)
	path := filepath.Join(t.TempDir(), "copy")
	require.NoError(t, tarn.Restore(ctx, path, bytes.NewReader(data)))
	_, err := os.Stat(filepath.Join(path, "collections", "test", "fields.idx"))
	require.ErrorIs(t, err, os.ErrNotExist)
	w.fieldsOpened(t, path, tarn.WithKnobs(graphOnly)) // indexes made of the payloads
	require.FileExists(t, filepath.Join(path, "collections", "test", "fields.idx"))
	w.fieldsOpened(t, path, tarn.WithKnobs(graphOnly)) // and read from the file
}

// numbered writes points with ids from first on and values of n from one on.
func numbered(t *testing.T, w *world, first, count, from int) {
	t.Helper()
	ps := points(newRand(uint64(from)), uint64(first), count, dim)
	for i := range ps {
		ps[i].Payload = tarn.Payload{"n": int64(from + i)}
	}
	w.upsert(t, ps...)
}

// requireNumbers asks for values that points have and for such as they had.
func requireNumbers(t *testing.T, w *world) {
	t.Helper()
	for _, from := range []int{0, 3000, 20_000, 23_000, 40_000, 50_000} {
		want := 0
		for _, p := range w.have {
			if n := p.Payload["n"].(int64); n >= int64(from) && n < int64(from)+2000 {
				want++
			}
		}
		page, err := w.c.Scroll(ctx, 0, 1<<20, tarn.And(tarn.Gte("n", from), tarn.Lt("n", from+2000)))
		require.NoError(t, err)
		require.Len(t, page, want, from)
	}
}

// What indexes forget they forget in pieces: writes and searches go on, and none is given
// a slot of which an index still speaks.
func TestI9_WritesAndFiltersGoOnWhileIndexesForgetSlots(t *testing.T) {
	const old = 9000
	s := newSteps()
	w := newWorld(t, tarn.CollectionConfig{Dim: dim, Fields: []string{"n"}}, collection.Knobs{PauseIndexer: true, NoBackground: true, Hook: s.hook})
	indexed(t, w.c)
	numbered(t, w, 1000, old, 0)
	numbered(t, w, 1000, old, 20_000)
	pieces := 0
	s.call("fields: between pieces", func() {
		if pieces++; pieces < 4 {
			numbered(t, w, 20_000+1000*pieces, 100, 40_000+1000*pieces) // stands still if the lock is held
			require.Equal(t, old, w.c.Stats().Deleted, "none is used again")
			requireNumbers(t, w)
		}
	})
	require.NoError(t, w.c.Checkpoint(ctx))
	require.Greater(t, pieces, 3)
	numbered(t, w, 100_000, old, 60_000)
	require.Zero(t, w.c.Stats().Deleted, "the slots are used again")
	requireNumbers(t, w)
	requireSound(t, w.db)
}
