package tarn_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
)

// backup returns what db.Backup writes.
func backup(t testing.TB, db *tarn.DB) []byte {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, db.Backup(ctx, &out))
	return out.Bytes()
}

// restored opens what Restore makes of data.
func restored(t testing.TB, data []byte, opts *tarn.Options) (db *tarn.DB, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "copy")
	require.NoError(t, tarn.Restore(ctx, path, bytes.NewReader(data)))
	db, err := tarn.Open(path, opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db, path
}

// requireSame asserts that two collections hold the same points.
func requireSame(t testing.TB, want, got *tarn.Collection) {
	t.Helper()
	require.Equal(t, want.Len(), got.Len())
	for p, err := range want.All(ctx) {
		require.NoError(t, err)
		q, err := got.Get(ctx, p.ID)
		require.NoError(t, err)
		require.Equal(t, p, q)
	}
}

func TestARestoredDatabaseIsTheOneThatWasBackedUp(t *testing.T) {
	for name, opts := range map[string]*tarn.Options{"graph": tarn.WithKnobs(graphOnly), "as users have it": nil} {
		t.Run(name, func(t *testing.T) {
			r := newRand(1)
			stream := tarn.StreamingConfig{BufferSize: 500, BatchSize: 50, FlushInterval: 20 * time.Millisecond}
			cfg := tarn.CollectionConfig{
				Dim: 12, Metric: tarn.Cosine, WriteMode: tarn.WriteStreaming,
				Index: tarn.IndexConfig{M: 7, EfConstruction: 40, EfSearch: 99}, Streaming: &stream,
			}
			c, db, _ := newCollection(t, cfg, opts)
			_, err := db.CreateCollection(ctx, "empty", tarn.CollectionConfig{Dim: 3})
			require.NoError(t, err)
			require.NoError(t, c.Upsert(ctx, points(r, 0, 1_500, 12)...))
			require.NoError(t, c.Checkpoint(ctx))
			require.NoError(t, c.Upsert(ctx, points(r, 1_000, 700, 12)...)) // moves, and payloads in memory only
			_, err = c.Delete(ctx, 3, 5, 1_200)
			require.NoError(t, err)
			require.NoError(t, c.Upsert(ctx, tarn.Point{ID: 1 << 63, Vector: vector(r, 12)})) // no payload
			s, err := c.Stream()
			require.NoError(t, err)
			ticket, err := s.SendBatch(ctx, points(r, 5_000, 10, 12), tarn.From("feed", 77))
			require.NoError(t, err)
			require.NoError(t, ticket.Wait(ctx))

			db2, path := restored(t, backup(t, db), opts)
			assert.Equal(t, []string{"empty", "test"}, db2.Collections())
			c2, err := db2.Collection("test")
			require.NoError(t, err)
			assert.Equal(t, c.Config(), c2.Config())
			requireSame(t, c, c2)
			at, ok := c2.Position("feed")
			assert.True(t, ok)
			assert.Equal(t, uint64(77), at)
			assert.Equal(t, c.Stats().AppliedLSN, c2.Stats().AppliedLSN)

			// The restored stream runs, the source goes on where it was, and all of it
			// is there after another opening.
			s2, err := c2.Stream()
			require.NoError(t, err)
			more := points(r, 6_000, 20, 12)
			ticket, err = s2.SendBatch(ctx, more, tarn.From("feed", 77))
			require.NoError(t, err)
			require.NoError(t, ticket.Wait(ctx))
			assert.Equal(t, uint64(20), s2.Stats().Skipped)
			ticket, err = s2.SendBatch(ctx, more, tarn.From("feed", 78))
			require.NoError(t, err)
			require.NoError(t, ticket.Wait(ctx))
			c2, _ = reopen(t, db2, path, opts)
			assert.Equal(t, c.Len()+20, c2.Len())
			for _, p := range more {
				requirePoint(t, c2, p)
			}
		})
	}
}

func TestKeysFieldsAndMovesComeAlong(t *testing.T) {
	c, db, _ := newCollection(t, tarn.CollectionConfig{Dim: 4, Keys: tarn.StringKeys}, tarn.WithKnobs(smallChunks))
	r := newRand(12)
	named := func(i int) tarn.Point {
		p := tarn.Point{Key: fmt.Sprintf("doc/%d", i), Vector: vector(r, 4)}
		if i%3 > 0 {
			p.Payload = tarn.Payload{"n": int64(i)}
		}
		return p
	}
	want := map[string]tarn.Point{}
	for i := range 600 {
		p := named(i)
		want[p.Key] = p
		require.NoError(t, c.Upsert(ctx, p))
		if i == 300 {
			require.NoError(t, c.Checkpoint(ctx))
		}
	}
	for i := range 600 {
		if key := fmt.Sprintf("doc/%d", i); i%4 > 0 {
			_, err := c.DeleteKeys(ctx, key)
			require.NoError(t, err)
			delete(want, key)
		}
	}
	check := func(db *tarn.DB) {
		c, err := db.Collection("test")
		require.NoError(t, err)
		require.Equal(t, len(want), c.Len())
		for key, p := range want {
			got, err := c.GetKey(ctx, key)
			require.NoError(t, err)
			require.Equal(t, p.Vector, got.Vector)
			require.Equal(t, p.Payload, got.Payload)
		}
		requireSound(t, db)
	}
	db2, path := restored(t, backup(t, db), tarn.WithKnobs(graphOnly))
	check(db2)
	require.NoError(t, c.Compact(ctx))
	check(db)
	c2, err := db2.Collection("test")
	require.NoError(t, err)
	p := named(1_000) // a new key is no old one's id
	want[p.Key] = p
	require.NoError(t, c2.Upsert(ctx, p))
	_, db2 = reopen(t, db2, path, tarn.WithKnobs(graphOnly))
	check(db2)
}

func TestTheGraphComesAlong(t *testing.T) {
	opts := tarn.WithKnobs(graphOnly)
	c, db, _ := newCollection(t, tarn.CollectionConfig{Dim: 8}, opts)
	require.NoError(t, c.Upsert(ctx, points(newRand(2), 0, 2_000, 8)...))
	require.NoError(t, c.Rebuild(ctx, tarn.IndexConfig{}))
	_, err := c.Delete(ctx, 0, 1, 2, 3)
	require.NoError(t, err)
	data := backup(t, db)
	path := filepath.Join(t.TempDir(), "copy")
	require.NoError(t, tarn.Restore(ctx, path, bytes.NewReader(data)))
	paused := graphOnly
	paused.PauseIndexer, paused.NoBackground = true, true
	db2, err := tarn.Open(path, tarn.WithKnobs(paused))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db2.Close()) })
	c2, err := db2.Collection("test")
	require.NoError(t, err)
	assert.Equal(t, 1_996, c2.Stats().InGraph)
	assert.Equal(t, 4, c2.Stats().Deleted)
	for id := uint64(4); id < 2_000; id += 37 {
		p, err := c.Get(ctx, id)
		require.NoError(t, err)
		near, err := c2.Search(ctx, p.Vector, 1)
		require.NoError(t, err)
		require.Equal(t, id, near[0].ID)
	}
}

func TestRestoreTakesOnlyANewPath(t *testing.T) {
	_, db, path := newCollection(t, tarn.CollectionConfig{Dim: 4}, nil)
	data := backup(t, db)
	err := tarn.Restore(ctx, path, bytes.NewReader(data))
	require.ErrorIs(t, err, tarn.ErrExists)
	require.ErrorContains(t, err, "give a path at which nothing is")
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.ErrorIs(t, tarn.Restore(ctx, file, bytes.NewReader(data)), tarn.ErrExists)
	require.ErrorIs(t, tarn.Restore(ctx, t.TempDir(), bytes.NewReader(data)), tarn.ErrExists)
	require.ErrorIs(t, tarn.Restore(ctx, "", bytes.NewReader(data)), tarn.ErrInvalidArgument)

	// What a killed Restore left is in nobody's way, and the folders above are made.
	deep := filepath.Join(t.TempDir(), "a", "b")
	require.NoError(t, os.MkdirAll(deep+".restoring/collections/x", 0o700))
	require.NoError(t, os.WriteFile(deep+".restoring/LOCK", nil, 0o600))
	require.NoError(t, tarn.Restore(ctx, deep, bytes.NewReader(data)))
	require.NoDirExists(t, deep+".restoring")
}

// endless is a writer that fails, or blocks, after so many bytes.
type endless struct {
	left int
	then func() error
}

func (w *endless) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		if err := w.then(); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

func TestBackupEndsWhenItsWriterFailsOrItsContextDoes(t *testing.T) {
	c, db, _ := newCollection(t, tarn.CollectionConfig{Dim: 64}, tarn.WithKnobs(graphOnly))
	require.NoError(t, c.Upsert(ctx, points(newRand(4), 0, unlessShort(6_000, 1_500), 64)...))
	require.NoError(t, c.Rebuild(ctx, tarn.IndexConfig{}))
	size := len(backup(t, db))
	boom := errors.New("boom")
	for _, at := range []int{0, 100, size / 4, size / 2, size - 100_000} {
		err := db.Backup(ctx, &endless{at, func() error { return boom }})
		require.ErrorIs(t, err, boom, "after %d of %d bytes", at, size)
		canceled, cancel := context.WithCancel(ctx)
		err = db.Backup(canceled, &endless{at, func() error { cancel(); return nil }})
		cancel()
		require.ErrorIs(t, err, context.Canceled, "after %d of %d bytes", at, size)
	}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	require.ErrorIs(t, db.Backup(canceled, io.Discard), context.Canceled)
	path := filepath.Join(t.TempDir(), "copy")
	require.ErrorIs(t, tarn.Restore(canceled, path, bytes.NewReader(nil)), context.Canceled)
}

func TestRestoreEndsWithItsContextOrItsReaderAndLeavesNothing(t *testing.T) {
	c, db, _ := newCollection(t, tarn.CollectionConfig{Dim: 64}, nil)
	require.NoError(t, c.Upsert(ctx, points(newRand(8), 0, 10_000, 64)...))
	data := backup(t, db)
	dir := t.TempDir()
	for _, then := range []func(cancel func()) error{
		func(cancel func()) error { cancel(); return nil },
		func(func()) error { return io.ErrNoProgress },
	} {
		for _, at := range []int{100, len(data) / 2, len(data) - 200_000} {
			canceled, cancel := context.WithCancel(ctx)
			r := io.MultiReader(bytes.NewReader(data[:at]), readerFunc(func() error { return then(cancel) }), bytes.NewReader(data[at:]))
			err := tarn.Restore(canceled, filepath.Join(dir, "copy"), r)
			cancel()
			require.True(t, errors.Is(err, context.Canceled) || errors.Is(err, io.ErrNoProgress), "%v", err)
			require.NotErrorIs(t, err, tarn.ErrCorrupt)
			left, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Empty(t, left)
		}
	}
}

// readerFunc does something and is at its end.
type readerFunc func() error

func (f readerFunc) Read([]byte) (int, error) {
	if err := f(); err != nil {
		return 0, err
	}
	return 0, io.EOF
}

func TestD04_CloseDoesNotWaitForTheWriterOfABackup(t *testing.T) {
	for _, at := range []int{0, 200_000, 1_500_000} { // in the graph, in the rows
		c, db, _ := newCollection(t, tarn.CollectionConfig{Dim: 64}, tarn.WithKnobs(graphOnly))
		require.NoError(t, c.Upsert(ctx, points(newRand(5), 0, 6_000, 64)...))
		require.NoError(t, c.Checkpoint(ctx))
		stuck, free := make(chan struct{}), make(chan struct{})
		done := make(chan error)
		go func() {
			first := true
			done <- db.Backup(ctx, &endless{at, func() error {
				if first {
					first = false
					close(stuck)
					<-free
				}
				return nil
			}})
		}()
		<-stuck
		require.NoError(t, db.Close())
		close(free)
		require.Error(t, <-done)
	}
}

func TestAReaderBacksUpWithoutWriting(t *testing.T) {
	c, db, path := newCollection(t, tarn.CollectionConfig{Dim: 4}, nil)
	require.NoError(t, c.Upsert(ctx, points(newRand(6), 0, 100, 4)...))
	want := backup(t, db)
	require.NoError(t, db.Close())
	before := tree(t, path)
	ro, err := tarn.Open(path, &tarn.Options{ReadOnly: true})
	require.NoError(t, err)
	db2, _ := restored(t, backup(t, ro), nil)
	require.NoError(t, ro.Close())
	assert.Equal(t, before, tree(t, path))
	db3, _ := restored(t, want, nil)
	c2, err := db2.Collection("test")
	require.NoError(t, err)
	c3, err := db3.Collection("test")
	require.NoError(t, err)
	requireSame(t, c3, c2)
	require.ErrorIs(t, ro.Backup(ctx, io.Discard), tarn.ErrClosed)
}

func TestDroppingACollectionEndsItsBackup(t *testing.T) {
	c, db, _ := newCollection(t, tarn.CollectionConfig{Dim: 64}, nil)
	require.NoError(t, c.Upsert(ctx, points(newRand(7), 0, 12_000, 64)...))
	stuck, free := make(chan struct{}), make(chan struct{})
	done := make(chan error)
	go func() {
		first := true
		done <- db.Backup(ctx, &endless{1 << 20, func() error {
			if first {
				first = false
				close(stuck)
				<-free
			}
			return nil
		}})
	}()
	<-stuck
	require.NoError(t, db.DropCollection(ctx, "test"))
	close(free)
	require.ErrorIs(t, <-done, tarn.ErrClosed)
}
