package tarn_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
)

// flips counts what became of stores in which one bit was wrong.
type flips struct {
	mu                              sync.Mutex
	total, detected, same, excepted int
	wrong                           []string
}

func (f *flips) note(verdict, where string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.total++
	switch verdict {
	case "detected":
		f.detected++
	case "same":
		f.same++
	case "torn":
		f.excepted++
	default:
		f.wrong = append(f.wrong, where+": "+verdict)
	}
}

// answers is everything that a store says, as one text each.
type answers []string

// askAll asks everything; an answer may be an error that says that it is damage.
func askAll(c *tarn.Collection, queries [][]float32) (a answers, detected bool, err error) {
	say := func(what string, v any, err error) error {
		if err == nil {
			a = append(a, fmt.Sprintf("%s: %v", what, v))
			return nil
		}
		if errors.Is(err, tarn.ErrCorrupt) || errors.Is(err, tarn.ErrVersion) {
			detected = true
			a = append(a, what+": damaged")
			return nil
		}
		if errors.Is(err, tarn.ErrNotFound) {
			a = append(a, what+": none")
			return nil
		}
		return fmt.Errorf("%s: %w", what, err)
	}
	var problems []error
	for id := range uint64(60) {
		p, err := c.Get(ctx, id)
		problems = append(problems, say(fmt.Sprint("get ", id), p, err))
	}
	n := 0
	for p, err := range c.All(ctx) {
		if problems = append(problems, say(fmt.Sprint("all ", n), p, err)); err != nil {
			break
		}
		n++
	}
	for i, q := range queries {
		for what, opts := range map[string][]tarn.SearchOption{"exact": {tarn.WithExact(), tarn.WithVectors()}, "graph": {tarn.WithEf(64)}} {
			near, err := c.Search(ctx, q, 5, opts...)
			problems = append(problems, say(fmt.Sprint(what, " ", i), near, err))
		}
	}
	place, _ := c.Position("source")
	cfg := c.Config()
	streaming := cfg.Streaming
	cfg.Streaming = nil
	problems = append(problems, say("rest", fmt.Sprintf("%+v %+v %d %d", cfg, streaming, c.Len(), place), nil))
	slices.Sort(a)
	return a, detected, errors.Join(problems...)
}

// judgeFlip opens a store in which something is wrong, for reading, and compares.
func judgeFlip(path string, queries [][]float32, whole, torn answers) (verdict string) {
	db, err := tarn.Open(path, &tarn.Options{ReadOnly: true})
	if errors.Is(err, tarn.ErrCorrupt) || errors.Is(err, tarn.ErrVersion) {
		return "detected"
	}
	if err != nil {
		return fmt.Sprintf("open: %v", err)
	}
	defer db.Close()
	c, err := db.Collection("test")
	if err != nil {
		return fmt.Sprintf("collection: %v", err)
	}
	found, detected, err := askAll(c, queries)
	switch {
	case err != nil:
		return err.Error()
	case slices.Equal(found, whole):
		return "same"
	case torn != nil && slices.Equal(found, torn):
		return "torn"
	case !detected:
		return "WRONG: " + difference(whole, found)
	}
	for _, a := range found {
		if !strings.HasSuffix(a, ": damaged") && !slices.Contains(whole, a) && !strings.HasPrefix(a, "all ") {
			return "WRONG beside a damaged one: " + a
		}
	}
	return "detected"
}

func difference(a, b answers) string {
	for _, x := range b {
		if !slices.Contains(a, x) {
			return x
		}
	}
	return fmt.Sprintf("%d answers, not %d", len(b), len(a))
}

// flipStore makes a store of 50 points: closed, or killed with its last writes in the
// log.
func flipStore(t *testing.T, closed bool) (path string, queries [][]float32) {
	w := newWorld(t, tarn.CollectionConfig{Dim: 4, Metric: tarn.L2, Index: tarn.IndexConfig{M: 4}, Streaming: &tarn.StreamingConfig{}},
		collection.Knobs{ExactThreshold: -1, ChunkSlots: 64, LogSegment: 8 << 10})
	w.upsert(t, points(w.r, 0, 40, 4)...)
	w.upsert(t, points(w.r, 30, 20, 4)...)
	s, err := w.c.Stream()
	require.NoError(t, err)
	ticket, err := s.SendOps(ctx, []tarn.Op{{Point: points(w.r, 55, 1, 4)[0]}}, tarn.From("source", 7))
	require.NoError(t, err)
	require.NoError(t, ticket.Wait(ctx))
	w.delete(t, 3)
	eventually(t, "the delta is empty", func() bool { return w.c.Stats().InDelta == 0 })
	require.NoError(t, w.c.Rebuild(ctx, tarn.IndexConfig{})) // a checkpoint and a snapshot
	for range 4 {
		queries = append(queries, vector(w.r, 4))
	}
	if closed {
		require.NoError(t, w.db.Close())
		return w.path, queries
	}
	w.upsert(t, points(w.r, 20, 3, 4)...)
	w.delete(t, 25)
	w.upsert(t, points(w.r, 58, 1, 4)...)
	w.delete(t, 26)
	return w.path, queries
}

// flipAll flips every step-th bit of the files and judges each.
func flipAll(t *testing.T, path string, queries [][]float32, step int, only string, torn answers) *flips {
	base := crashCopyTo(t, path, fastDir(t))
	db, err := tarn.Open(base, &tarn.Options{ReadOnly: true})
	require.NoError(t, err)
	c, err := db.Collection("test")
	require.NoError(t, err)
	whole, detected, err := askAll(c, queries)
	require.NoError(t, err)
	require.False(t, detected)
	require.NoError(t, db.Close())

	var f flips
	var wg sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for worker := range workers {
		own := crashCopyTo(t, path, fastDir(t))
		wg.Go(func() {
			n, offset := 0, fromEnv("TARN_FLIP_OFFSET", 0)
			due := func(n int) bool { return n%step == offset && n/step%workers == worker }
			_ = filepath.WalkDir(own, func(name string, e fs.DirEntry, err error) error {
				if err != nil || !e.Type().IsRegular() || !strings.HasSuffix(name, only) {
					return err
				}
				rel, _ := filepath.Rel(own, name)
				return eachBit(name, func(at int64, bit int) {
					if n++; due(n) {
						f.note(judgeFlip(own, queries, whole, torn), fmt.Sprintf("%s, byte %d, bit %d", rel, at, bit))
					}
				}, func() bool { return due(n + 1) })
			})
		})
	}
	wg.Wait()
	t.Logf("%d flipped bits: %d detected, %d changed no answer, %d took the last write for torn, %d wrong", f.total, f.detected, f.same, f.excepted, len(f.wrong))
	require.Empty(t, f.wrong[:min(20, len(f.wrong))])
	return &f
}

// eachBit flips every bit of a file in turn, where due says so, and back.
func eachBit(name string, judge func(at int64, bit int), due func() bool) error {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	for at, b := range data {
		for bit := range 8 {
			hit := due()
			if hit {
				if _, err := f.WriteAt([]byte{b ^ 1<<bit}, int64(at)); err != nil {
					return err
				}
			}
			judge(int64(at), bit)
			if hit {
				if _, err := f.WriteAt([]byte{b}, int64(at)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// fastDir returns a folder in memory, if there is one.
func fastDir(t testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "tarn-flip-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func crashCopyTo(t testing.TB, path, dir string) string {
	t.Helper()
	to := filepath.Join(dir, "store")
	require.NoError(t, os.CopyFS(to, os.DirFS(path)))
	return to
}

func TestC09_C17_AFlippedBitAnywhereInAClosedStoreIsDetectedOrChangesNoAnswer(t *testing.T) {
	path, queries := flipStore(t, true)
	f := flipAll(t, path, queries, fromEnv("TARN_FLIP_STEP", 1499), "", nil)
	require.Zero(t, f.excepted)
	require.Greater(t, f.detected, f.total/20)
}

func TestC03_C04_C17_AFlippedBitInTheLogOfAKilledStoreIsDetectedOrTheLastWriteIsTorn(t *testing.T) {
	path, queries := flipStore(t, false)
	f := flipAll(t, path, queries, fromEnv("TARN_FLIP_STEP", 499), ".wal", withoutLastWrite(t, path, queries))
	require.Greater(t, f.detected, 0)
	require.Greater(t, f.excepted, 0)
}

// withoutLastWrite returns what the store says when its log's last record is torn.
func withoutLastWrite(t *testing.T, path string, queries [][]float32) answers {
	copied := crashCopy(t, path)
	logs, err := filepath.Glob(filepath.Join(copied, "collections", "test", "wal", "*.wal"))
	require.NoError(t, err)
	name := logs[len(logs)-1]
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	end := len(data)
	for data[end-1] == 0 {
		end--
	}
	flipByte(t, name, int64(end-1)) // the last byte of the last frame
	db, err := tarn.Open(copied, &tarn.Options{ReadOnly: true})
	require.NoError(t, err)
	c, err := db.Collection("test")
	require.NoError(t, err)
	_, err = c.Get(ctx, 26)
	require.NoError(t, err, "its deletion was the last write")
	a, detected, err := askAll(c, queries)
	require.NoError(t, err)
	require.False(t, detected)
	require.NoError(t, db.Close())
	return a
}
