package tarn_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
)

// aWhile is how long is looked that something does not end. If it is too short nothing fails.
const aWhile = 300 * time.Millisecond

// Who closes the database while somebody closes a collection of it has the directory
// free afterwards: nobody writes to it any more.
func TestCloseOfTheDatabaseBesideTheCloseOfACollection(t *testing.T) {
	hooks := newSteps()
	c, db, path := newCollection(t, tarn.CollectionConfig{Dim: dim}, tarn.WithKnobs(collection.Knobs{NoBackground: true, Hook: hooks.hook}))
	require.NoError(t, c.Upsert(ctx, points(newRand(1), 1, 10, dim)...))
	at := hooks.stop(t, "checkpoint: before commit")
	first := inBackground(t, c.Close)
	at.await()
	closed := make(chan error, 1)
	go func() { closed <- db.Close() }()
	select {
	case err := <-closed:
		_, again := tarn.Open(path, nil)
		t.Errorf("closed (%v) while a checkpoint is being written; to open it: %v", err, again)
		closed <- nil
	case <-time.After(aWhile):
	}
	at.release()
	require.NoError(t, first())
	require.NoError(t, <-closed)
	db, err := tarn.Open(path, nil)
	require.NoError(t, err)
	require.NoError(t, db.Close())
}

// A collection that is dropped while somebody closes it is gone, and closed whole.
func TestDropBesideTheCloseOfACollection(t *testing.T) {
	hooks := newSteps()
	c, db, _ := newCollection(t, tarn.CollectionConfig{Dim: dim}, tarn.WithKnobs(collection.Knobs{NoBackground: true, Hook: hooks.hook}))
	require.NoError(t, c.Upsert(ctx, points(newRand(1), 1, 10, dim)...))
	at := hooks.stop(t, "checkpoint: before data sync")
	first := inBackground(t, c.Close)
	at.await()
	dropped := make(chan error, 1)
	go func() { dropped <- db.DropCollection(ctx, "test") }()
	select {
	case err := <-dropped:
		t.Errorf("dropped (%v) while a checkpoint is being written", err)
		dropped <- nil
	case <-time.After(aWhile):
	}
	at.release()
	require.NoError(t, first())
	require.NoError(t, <-dropped)
	require.NoError(t, db.Close())
}
