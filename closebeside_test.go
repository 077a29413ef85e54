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

// besideClose closes c and, at a step of that, does something else, which must not end
// before Close has.
func besideClose(t *testing.T, c *tarn.Collection, hooks *steps, step string, do func() error) {
	t.Helper()
	require.NoError(t, c.Upsert(ctx, points(newRand(1), 1, 10, dim)...))
	at := hooks.stop(t, step)
	first := inBackground(t, c.Close)
	at.await()
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		t.Errorf("it ended (%v) while a checkpoint is being written", err)
		done <- nil
	case <-time.After(aWhile):
	}
	at.release()
	require.NoError(t, first())
	require.NoError(t, <-done)
}

// Who closes the database while somebody closes a collection of it has the directory
// free afterwards: nobody writes to it any more.
func TestCloseOfTheDatabaseBesideTheCloseOfACollection(t *testing.T) {
	hooks := newSteps()
	c, db, path := newCollection(t, tarn.CollectionConfig{Dim: dim}, tarn.WithKnobs(collection.Knobs{NoBackground: true, Hook: hooks.hook}))
	besideClose(t, c, hooks, "checkpoint: before commit", db.Close)
	db, err := tarn.Open(path, nil)
	require.NoError(t, err)
	require.NoError(t, db.Close())
}

// A collection that is dropped while somebody closes it is gone, and closed whole.
func TestDropBesideTheCloseOfACollection(t *testing.T) {
	hooks := newSteps()
	c, db, _ := newCollection(t, tarn.CollectionConfig{Dim: dim}, tarn.WithKnobs(collection.Knobs{NoBackground: true, Hook: hooks.hook}))
	besideClose(t, c, hooks, "checkpoint: before data sync", func() error { return db.DropCollection(ctx, "test") })
	require.NoError(t, db.Close())
}
