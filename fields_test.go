package tarn_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
)

var shelfFields = []string{"n", "kind", "tags", "a.b"}

// indexed waits until all fields have their index.
func indexed(t testing.TB, c *tarn.Collection) {
	t.Helper()
	eventually(t, "the fields are indexed", func() bool { return c.Stats().FieldsBuilding == 0 })
}

// requireFilters asks a number of random filters.
func (w *world) requireFilters(t *testing.T, r *rng, n int) {
	t.Helper()
	for range n {
		w.requireFiltered(t, r, someCondition(r, 3))
	}
}

func TestFieldsAreIndexedWhileAnswersStayRight(t *testing.T) {
	s := newSteps()
	w, r := newWorld(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{ExactThreshold: -1, Hook: s.hook}), newRand(1)
	w.upsert(t, shelved(r, 0, 800, dim)...)
	require.Zero(t, w.c.Stats().FieldsBuilding)
	at := s.stop(t, "fields: before ready")
	require.NoError(t, w.c.SetFields(ctx, append(shelfFields, "n")...))
	require.Equal(t, shelfFields, w.c.Config().Fields)
	at.await() // built, and not asked yet
	require.Equal(t, len(shelfFields), w.c.Stats().FieldsBuilding)
	w.requireFilters(t, r, 10)
	w.upsert(t, shelved(r, 300, 300, dim)...) // what is published beside the builder
	w.delete(t, w.ids(100)...)
	w.requireFilters(t, r, 10)
	at.release()
	indexed(t, w.c)
	w.requireFilters(t, r, 30)
	w.upsert(t, shelved(r, 700, 300, dim)...)
	w.delete(t, w.ids(100)...)
	w.requireFilters(t, r, 30)
	require.NoError(t, w.c.SetFields(ctx, "kind"))
	require.Equal(t, []string{"kind"}, w.c.Config().Fields)
	w.requireFilters(t, r, 10)
	w.reopen(t)
	require.Equal(t, []string{"kind"}, w.c.Config().Fields)
	indexed(t, w.c)
	w.requireFilters(t, r, 10)
	require.NoError(t, w.c.SetFields(ctx))
	require.Empty(t, w.c.Config().Fields)
	w.requireFilters(t, r, 5)
}

// A filter over an indexed field asks the index and not the payloads. That it does is
// seen by taking the payloads away.
func TestAReadyIndexIsAskedInsteadOfThePayloads(t *testing.T) {
	var asked atomic.Int64
	k := collection.Knobs{Hook: func(step string) {
		if step == "match: payloads" {
			asked.Add(1)
		}
	}}
	w, r := newWorld(t, tarn.CollectionConfig{Dim: dim, Fields: shelfFields}, k), newRand(2)
	w.upsert(t, shelved(r, 0, 300, dim)...)
	for _, again := range []bool{false, true} {
		if again {
			w.reopen(t)
		}
		indexed(t, w.c)
		asked.Store(0)
		for range 30 {
			c := someCondition(r, 3)
			if strings.Contains(c.text, "zzz") {
				continue
			}
			_, err := w.c.Search(ctx, vector(r, dim), 5, tarn.WithFilter(c.f))
			require.NoError(t, err)
			require.Zero(t, asked.Load(), c.text)
		}
		_, err := w.c.Search(ctx, vector(r, dim), 5, tarn.WithFilter(tarn.Exists("zzz")))
		require.NoError(t, err)
		require.Positive(t, asked.Load())
	}
}

func TestIndexesSurviveKillsRebuildsAndSlotsThatAreUsedAgain(t *testing.T) {
	k := collection.Knobs{ExactThreshold: -1, ChunkSlots: 64, LogSegment: 8192, SnapshotChange: 30, NoBackground: true}
	w, r := newWorld(t, tarn.CollectionConfig{Dim: dim, Fields: shelfFields}, k), newRand(3)
	indexed(t, w.c)
	for round := range unlessShort(12, 5) {
		w.upsert(t, shelved(r, uint64(r.IntN(200)), 60, dim)...)
		w.delete(t, w.ids(40)...)
		if round%2 == 0 {
			require.NoError(t, w.c.Checkpoint(ctx))
		}
		if round%3 == 0 {
			require.NoError(t, w.c.Rebuild(ctx, tarn.IndexConfig{})) // dead slots are free again
			require.NoError(t, w.c.Checkpoint(ctx))
		}
		w.upsert(t, shelved(r, uint64(r.IntN(200)), 30, dim)...)
		w.requireFilters(t, r, 6)
		switch round % 3 {
		case 1: // killed
			copied := crashCopy(t, w.path)
			require.NoError(t, w.db.Close())
			w.path = copied
			w.c, w.db = openCollection(t, copied, w.opts)
		case 2:
			w.reopen(t)
		}
		w.requireFilters(t, r, 3) // perhaps not ready yet
		indexed(t, w.c)
		w.requireFilters(t, r, 6)
	}
	report, err := w.db.Verify(ctx)
	require.NoError(t, err)
	require.Empty(t, report.Findings)
}

// The file of the indexes is derived: cut, flipped, foreign or gone, answers are the
// same.
func TestC10_ADamagedIndexFileIsBuiltAnew(t *testing.T) {
	w, r := newWorld(t, tarn.CollectionConfig{Dim: dim, Fields: shelfFields}, collection.Knobs{ExactThreshold: -1}), newRand(4)
	w.upsert(t, shelved(r, 0, 300, dim)...)
	indexed(t, w.c)
	require.NoError(t, w.db.Close())
	name := filepath.Join(w.path, "collections", "test", "fields.idx")
	whole, err := os.ReadFile(name)
	require.NoError(t, err)
	damages := map[string][]byte{"whole": whole, "empty": {}, "cut": whole[:len(whole)/2], "longer": append(append([]byte{}, whole...), 0), "header only": whole[:48], "garbage": []byte(strings.Repeat("x", 5000))}
	for i := range unlessShort(24, 6) {
		damages[fmt.Sprint("flipped ", i)] = changed(whole, r.IntN(len(whole)))
	}
	for damage, data := range damages {
		t.Run(damage, func(t *testing.T) {
			require.NoError(t, os.WriteFile(name, data, 0o600))
			db, err := tarn.Open(w.path, w.opts)
			require.NoError(t, err)
			w.c, err = db.Collection("test")
			require.NoError(t, err)
			report, err := db.Verify(ctx)
			require.NoError(t, err)
			require.Equal(t, damage != "whole", len(report.Findings) > 0, "%v", report.Findings)
			w.requireFilters(t, r, 1)
			indexed(t, w.c)
			w.requireFilters(t, r, 4)
			require.NoError(t, db.Close())
		})
	}
	require.NoError(t, os.Remove(name))
	db, err := tarn.Open(w.path, w.opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	w.c, err = db.Collection("test")
	require.NoError(t, err)
	indexed(t, w.c)
	w.requireFilters(t, r, 5)
}

func TestE06_FieldsThatCannotBeAreAllNamed(t *testing.T) {
	db, _ := newDB(t, nil)
	bad := []string{"ok", "", "a..b", ".x", strings.Repeat("x", 1025)}
	_, err := db.CreateCollection(ctx, "c", tarn.CollectionConfig{Dim: dim, Fields: bad})
	require.ErrorIs(t, err, tarn.ErrInvalidConfig)
	for _, name := range []string{"Fields[1]", "Fields[2]", "Fields[3]", "Fields[4]"} {
		require.ErrorContains(t, err, name)
	}
	c, err := db.CreateCollection(ctx, "c", tarn.CollectionConfig{Dim: dim, Fields: []string{"a", "b", "a"}})
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, c.Config().Fields)
	require.ErrorIs(t, c.SetFields(ctx, bad...), tarn.ErrInvalidConfig)
	require.Equal(t, []string{"a", "b"}, c.Config().Fields)
	var many []string
	for i := range 65 {
		many = append(many, fmt.Sprint("f", i))
	}
	require.ErrorIs(t, c.SetFields(ctx, many...), tarn.ErrInvalidConfig)
	require.NoError(t, c.SetFields(ctx, many[:64]...))
	cfg := c.Config()
	cfg.Fields[0] = "changed"
	require.Equal(t, "f0", c.Config().Fields[0], "what is handed out is a copy")
}

// Filters are right at every instant while fields come and go under writes.
func TestFiltersStayRightWhileFieldsAndPointsChange(t *testing.T) {
	w, r := newWorld(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{ExactThreshold: 100, CheckpointBytes: 1 << 15, LogSegment: 1 << 13}), newRand(5)
	const stay = 600 // they match all the time; others come and go
	ps := points(r, 0, stay, dim)
	for i := range ps {
		ps[i].Payload = tarn.Payload{"in": true, "n": int64(i), "s": []any{"a", "b"}}
	}
	w.upsert(t, ps...)
	stop := make(chan struct{})
	going := func(do func(r *rng) error) func() error {
		return inBackground(t, func() error {
			for r := newRand(8); ; {
				select {
				case <-stop:
					return nil
				default:
				}
				if err := do(r); err != nil {
					return err
				}
			}
		})
	}
	writer := going(func(r *rng) error {
		p := ps[r.IntN(stay)]
		p.Vector = vector(r, dim)
		other := tarn.Point{ID: stay + r.Uint64N(300), Vector: vector(r, dim), Payload: tarn.Payload{"in": r.IntN(2) == 0, "n": int64(-1)}}
		return errors.Join(w.c.Upsert(ctx, p, other), second(w.c.Delete(ctx, stay+r.Uint64N(300))))
	})
	setter := going(func(r *rng) error {
		return w.c.SetFields(ctx, [][]string{nil, {"in"}, {"n", "in"}, {"s", "n"}}[r.IntN(4)]...)
	})
	for range unlessShort(150, 40) {
		near, err := w.c.Search(ctx, vector(r, dim), stay+400, tarn.WithFilter(tarn.And(tarn.Eq("in", true), tarn.Gte("n", 0), tarn.Contains("s", "b"))))
		require.NoError(t, err)
		require.Len(t, near, stay)
		for _, n := range near {
			require.Less(t, n.ID, uint64(stay))
		}
	}
	close(stop)
	require.NoError(t, writer())
	require.NoError(t, setter())
}

// What is published after Open and before the file was read is in the index too.
func TestWhatIsPublishedWhileTheFileIsReadIsInTheIndex(t *testing.T) {
	s := newSteps()
	w, r := newWorld(t, tarn.CollectionConfig{Dim: dim, Fields: shelfFields}, collection.Knobs{ExactThreshold: -1, Hook: s.hook}), newRand(6)
	w.upsert(t, shelved(r, 0, 300, dim)...)
	indexed(t, w.c)
	at := s.stop(t, "fields: before adoption")
	defer at.release()
	w.reopen(t)
	at.await()
	w.upsert(t, shelved(r, 200, 200, dim)...)
	w.delete(t, w.ids(50)...)
	w.requireFilters(t, r, 5)
	at.release()
	indexed(t, w.c)
	w.requireFilters(t, r, 30)
}

// A slot that the file speaks of and that was written again since is looked at anew.
func TestASlotThatWasUsedAgainSinceTheFileIsLookedAtAnew(t *testing.T) {
	k := collection.Knobs{PauseIndexer: true, NoBackground: true}
	w, r := newWorld(t, tarn.CollectionConfig{Dim: dim, Fields: shelfFields}, k), newRand(9)
	w.upsert(t, shelved(r, 0, 200, dim)...)
	indexed(t, w.c)
	w.reopen(t) // the file is written, and not again before the kill: there is too little change
	indexed(t, w.c)
	w.delete(t, w.ids(100)...)
	require.NoError(t, w.c.Checkpoint(ctx))
	require.Equal(t, 100, w.c.Stats().Deleted)
	w.upsert(t, shelved(r, 1000, 100, dim)...)
	require.Zero(t, w.c.Stats().Deleted, "the slots of the deleted points are used again")
	copied := crashCopy(t, w.path)
	require.NoError(t, w.db.Close())
	w.path = copied
	w.c, w.db = openCollection(t, copied, w.opts)
	indexed(t, w.c)
	w.requireFilters(t, r, 40)
}

// What the builder of indexes looks at is pinned: a slot that dies meanwhile is not
// given to another point, whose payload and the old one would both be in the index.
func TestI6_NoSlotIsWrittenAgainUnderTheBuilderOfIndexes(t *testing.T) {
	s := newSteps()
	k := collection.Knobs{PauseIndexer: true, NoBackground: true, Hook: s.hook}
	w, r := newWorld(t, tarn.CollectionConfig{Dim: dim, Fields: shelfFields}, k), newRand(10)
	for i := range 200 { // so that after Open the log's numbers are far above the clock of pins
		w.upsert(t, shelved(r, uint64(i), 1, dim)...)
	}
	indexed(t, w.c)
	at := s.stop(t, "fields: before adoption")
	defer at.release()
	w.reopen(t)
	at.await()
	w.delete(t, w.ids(100)...)
	require.NoError(t, w.c.Checkpoint(ctx))
	w.upsert(t, shelved(r, 1000, 100, dim)...)
	require.Equal(t, 100, w.c.Stats().Deleted, "no slot of theirs was given to a new point")
	at.release()
	indexed(t, w.c)
	w.requireFilters(t, r, 40)
	w.upsert(t, shelved(r, 2000, 1, dim)...) // so that a checkpoint is due
	require.NoError(t, w.c.Checkpoint(ctx))
	w.upsert(t, shelved(r, 3000, 99, dim)...)
	require.Equal(t, 1, w.c.Stats().Deleted, "now they are")
	w.requireFilters(t, r, 40)
}
