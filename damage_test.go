package tarn_test

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
)

// damages are what can have happened to a file since the store was closed.
var damages = map[string]func(t *testing.T, path string, data []byte){
	"removed":             func(t *testing.T, path string, data []byte) { require.NoError(t, os.Remove(path)) },
	"emptied":             func(t *testing.T, path string, data []byte) { put(t, path, nil) },
	"cut in half":         func(t *testing.T, path string, data []byte) { put(t, path, data[:len(data)/2]) },
	"first byte changed":  func(t *testing.T, path string, data []byte) { put(t, path, changed(data, 0)) },
	"a bit in the middle": func(t *testing.T, path string, data []byte) { put(t, path, changed(data, len(data)/2)) },
	"a bit, a third in":   func(t *testing.T, path string, data []byte) { put(t, path, changed(data, len(data)/3)) },
	"the last byte":       func(t *testing.T, path string, data []byte) { put(t, path, changed(data, len(data)-1)) },
	"a folder in its place": func(t *testing.T, path string, data []byte) {
		require.NoError(t, os.Remove(path))
		require.NoError(t, os.Mkdir(path, 0o700))
	},
}

func put(t *testing.T, path string, data []byte) {
	require.NoError(t, os.WriteFile(path, data, 0o600))
}

func changed(data []byte, at int) []byte {
	data = slices.Clone(data)
	if len(data) > 0 {
		data[at] ^= 0x10
	}
	return data
}

func TestC09_C10_C11_C13_ADamagedFileIsAnErrorOrChangesNoAnswer(t *testing.T) {
	knobs := collection.Knobs{ExactThreshold: -1, ChunkSlots: 64, LogSegment: 8192}
	w := newWorld(t, tarn.CollectionConfig{Dim: dim, Streaming: &tarn.StreamingConfig{}}, knobs)
	w.upsert(t, points(w.r, 1, 150, dim)...)
	w.delete(t, w.ids(20)...)
	require.NoError(t, w.db.Close())
	var files []string
	require.NoError(t, filepath.WalkDir(w.path, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && d.Name() != "LOCK" {
			files = append(files, path)
		}
		return err
	}))
	require.Greater(t, len(files), 5)
	for _, path := range files {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, name := range slices.Sorted(maps.Keys(damages)) {
			rel, _ := filepath.Rel(w.path, path)
			t.Run(rel+" "+name, func(t *testing.T) {
				copied := *w
				copied.path = crashCopy(t, w.path)
				damages[name](t, filepath.Join(copied.path, rel), data)
				copied.judge(t)
			})
		}
	}
}

// judge opens a damaged store: it is refused with an error that says so, or each
// answer is right or such an error.
func (w *world) judge(t *testing.T) {
	db, err := tarn.Open(w.path, w.opts)
	if err != nil {
		requireSaid(t, err)
		return
	}
	defer db.Close() // what it found meanwhile may come back here
	c, err := db.Collection("test")
	if err != nil {
		requireSaid(t, err)
		return
	}
	require.Equal(t, len(w.have), c.Len())
	for id, p := range w.have {
		got, err := c.Get(ctx, id)
		if err != nil {
			requireSaid(t, err)
			continue
		}
		require.Equal(t, p, got)
		near, err := c.Search(ctx, p.Vector, 1)
		if err != nil {
			requireSaid(t, err)
			continue
		}
		require.Equal(t, id, near[0].ID)
	}
	for id := range w.gone {
		_, err := c.Get(ctx, id)
		require.Error(t, err)
	}
}

// requireSaid asserts that an error is one that says what is wrong with the files.
func requireSaid(t *testing.T, err error) {
	t.Helper()
	require.True(t, errors.Is(err, tarn.ErrCorrupt) || errors.Is(err, tarn.ErrVersion) || errors.Is(err, fs.ErrInvalid), "%v", err)
}
