package tarn_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
)

func TestWhatWasWrittenIsThereAfterOpeningAgain(t *testing.T) {
	for _, metric := range []tarn.Metric{tarn.L2, tarn.Cosine, tarn.Dot} {
		t.Run(metric.String(), func(t *testing.T) {
			c, db, path := newCollection(t, tarn.CollectionConfig{Dim: 8, Metric: metric}, nil)
			ps := points(newRand(1), 10, 300, 8)
			require.NoError(t, c.Upsert(ctx, ps...))
			n, err := c.Delete(ctx, 10, 11, 11, 99_999)
			require.NoError(t, err)
			require.Equal(t, 2, n)
			ps[5].Vector = vector(newRand(2), 8)
			require.NoError(t, c.Upsert(ctx, ps[5]))
			for range 3 {
				require.Equal(t, 298, c.Len())
				for _, p := range ps[2:] {
					got, err := c.Get(ctx, p.ID)
					require.NoError(t, err)
					require.Equal(t, p.Vector, got.Vector)
					require.Equal(t, p.Payload, got.Payload)
				}
				_, err := c.Get(ctx, 10)
				require.ErrorIs(t, err, tarn.ErrNotFound)
				c, db = reopen(t, db, path, nil)
			}
		})
	}
}

func TestD02_OpeningTwiceInOneProcessIsRefused(t *testing.T) {
	_, path := newDB(t, nil)
	_, err := tarn.Open(path, nil)
	require.ErrorIs(t, err, tarn.ErrLocked)
	_, err = tarn.Open(path, &tarn.Options{ReadOnly: true})
	require.ErrorIs(t, err, tarn.ErrLocked)
}

func TestD05_CloseTwiceAndUseAfterClose(t *testing.T) {
	c, db, _ := newCollection(t, tarn.CollectionConfig{Dim: 2, Streaming: &tarn.StreamingConfig{}}, nil)
	s, err := c.Stream()
	require.NoError(t, err)
	require.NoError(t, db.Close())
	require.NoError(t, db.Close())
	require.NoError(t, (*tarn.DB)(nil).Close())
	v := []float32{1, 2}
	_, err = db.Collection("test")
	require.ErrorIs(t, err, tarn.ErrClosed)
	_, err = db.CreateCollection(ctx, "more", tarn.CollectionConfig{Dim: 2})
	require.ErrorIs(t, err, tarn.ErrClosed)
	require.ErrorIs(t, db.DropCollection(ctx, "test"), tarn.ErrClosed)
	require.Empty(t, db.Collections())
	require.ErrorIs(t, c.Upsert(ctx, tarn.Point{Vector: v}), tarn.ErrClosed)
	_, err = c.Delete(ctx, 1)
	require.ErrorIs(t, err, tarn.ErrClosed)
	_, err = c.Get(ctx, 1)
	require.ErrorIs(t, err, tarn.ErrClosed)
	_, err = c.Search(ctx, v, 1)
	require.ErrorIs(t, err, tarn.ErrClosed)
	_, err = c.Stream()
	require.ErrorIs(t, err, tarn.ErrClosed)
	_, err = s.TrySend(tarn.Point{Vector: v})
	require.ErrorIs(t, err, tarn.ErrClosed)
	require.ErrorIs(t, c.Sync(ctx), tarn.ErrClosed)
	require.ErrorIs(t, c.Checkpoint(ctx), tarn.ErrClosed)
	require.ErrorIs(t, c.Rebuild(ctx, tarn.IndexConfig{}), tarn.ErrClosed)
	for _, err := range c.All(ctx) {
		require.ErrorIs(t, err, tarn.ErrClosed)
	}
}

func TestE11_NamesAreAnAllowList(t *testing.T) {
	db, path := newDB(t, nil)
	bad := []string{"", ".", "..", "../x", "a/b", `a\b`, "C:", "a\x00b", "con", "nul", "com1", strings.Repeat("a", 65),
		"A", "ä", "a.", "a ", "-a", "_a", ".new-a"}
	before := tree(t, filepath.Dir(path))
	for _, name := range bad {
		_, err := db.CreateCollection(ctx, name, tarn.CollectionConfig{Dim: 1})
		require.ErrorIs(t, err, tarn.ErrInvalidName, "%q", name)
		_, err = db.Collection(name)
		require.ErrorIs(t, err, tarn.ErrInvalidName, "%q", name)
	}
	require.Equal(t, before, tree(t, filepath.Dir(path)))
	for _, name := range []string{"a", "0", "a-b_c", strings.Repeat("a", 64)} {
		_, err := db.CreateCollection(ctx, name, tarn.CollectionConfig{Dim: 1})
		require.NoError(t, err)
	}
}

// tree returns every file below dir with its bytes.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			files[path] = "folder"
		case d.Type()&os.ModeSymlink != 0:
			to, err := os.Readlink(path)
			files[path] = "link to " + to
			return err
		default:
			data, err := os.ReadFile(path)
			files[path] = string(data)
			return err
		}
		return nil
	}))
	return files
}

func TestCollectionsAreCreatedFoundEnsuredAndDropped(t *testing.T) {
	db, path := newDB(t, nil)
	cfg := tarn.CollectionConfig{Dim: 3, Metric: tarn.Cosine}
	a, err := db.CreateCollection(ctx, "a", cfg)
	require.NoError(t, err)
	require.Equal(t, "a", a.Name())
	_, err = db.CreateCollection(ctx, "a", cfg)
	require.ErrorIs(t, err, tarn.ErrExists)
	same, err := db.Collection("a")
	require.NoError(t, err)
	require.Same(t, a, same)
	same, err = db.EnsureCollection(ctx, "a", tarn.CollectionConfig{Dim: 3, Metric: tarn.Cosine, WriteMode: tarn.WriteStreaming})
	require.NoError(t, err)
	require.Same(t, a, same)
	_, err = db.EnsureCollection(ctx, "a", tarn.CollectionConfig{Dim: 4, Metric: tarn.Cosine})
	require.ErrorIs(t, err, tarn.ErrConfigMismatch)
	_, err = db.EnsureCollection(ctx, "b", cfg)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, db.Collections())
	require.NoError(t, a.Upsert(ctx, tarn.Point{ID: 1, Vector: []float32{1, 0, 0}}))
	require.NoError(t, db.DropCollection(ctx, "a"))
	require.ErrorIs(t, db.DropCollection(ctx, "a"), tarn.ErrNotFound)
	_, err = a.Get(ctx, 1)
	require.ErrorIs(t, err, tarn.ErrClosed)
	require.NoDirExists(t, filepath.Join(path, "collections", "a"))
	a, err = db.CreateCollection(ctx, "a", cfg)
	require.NoError(t, err)
	require.Zero(t, a.Len())
}

// A name that no collection has was most likely mistyped: the error says which there are,
// as many as a person reads.
func TestAnUnknownNameIsToldWhichCollectionsThereAre(t *testing.T) {
	db, _ := newDB(t, nil)
	told := func(want string) {
		t.Helper()
		_, err := db.Collection("dosc")
		for _, err := range []error{err, db.DropCollection(ctx, "dosc")} {
			require.ErrorIs(t, err, tarn.ErrNotFound)
			require.EqualError(t, err, `collection "dosc": not found; `+want)
		}
	}
	told("there are none, CreateCollection makes one")
	for n, want := range []string{
		1: "there are: c10", 2: "there are: c09, c10",
		10: "there are: c01, c02, c03, c04, c05, c06, c07, c08, c09, c10",
		11: "there are: c00, c01, c02, c03, c04, c05, c06, c07, c08, c09 and 1 more",
	} {
		if n > 0 {
			_, err := db.CreateCollection(ctx, fmt.Sprintf("c%02d", 11-n), tarn.CollectionConfig{Dim: 1})
			require.NoError(t, err)
		}
		if want != "" {
			told(want)
		}
	}
}

func TestE06_ABadConfigurationNamesEveryBadField(t *testing.T) {
	db, _ := newDB(t, nil)
	_, err := db.CreateCollection(ctx, "x", tarn.CollectionConfig{
		Dim: -1, Metric: 9, WriteMode: 9,
		Index:     tarn.IndexConfig{Engine: 7, M: 1, EfConstruction: -2, EfSearch: 1 << 30},
		Streaming: &tarn.StreamingConfig{BufferSize: -1, BatchSize: 2_000_000, FlushInterval: 2 * time.Hour},
	})
	require.ErrorIs(t, err, tarn.ErrInvalidConfig)
	for _, field := range []string{"Dim", "Metric", "WriteMode", "Engine", "M is 1", "EfConstruction", "EfSearch", "BufferSize", "BatchSize", "FlushInterval"} {
		require.ErrorContains(t, err, field)
	}
	require.Empty(t, db.Collections())
}

func TestAForeignDirectoryIsRefusedAndNotTouched(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "letter.txt"), []byte("dear"), 0o600))
	before := tree(t, dir)
	_, err := tarn.Open(dir, nil)
	require.ErrorIs(t, err, tarn.ErrCorrupt)
	require.Equal(t, before, tree(t, dir))
	_, err = tarn.Open(filepath.Join(dir, "none"), &tarn.Options{ReadOnly: true})
	require.ErrorIs(t, err, tarn.ErrNotFound)
	require.Equal(t, before, tree(t, dir))
	_, err = tarn.Open("", nil)
	require.ErrorIs(t, err, tarn.ErrInvalidArgument)
}

func TestB08_ReadOnlyWritesNoByteAndAnswers(t *testing.T) {
	c, db, path := newCollection(t, tarn.CollectionConfig{Dim: 4, Streaming: &tarn.StreamingConfig{}}, nil)
	ps := points(newRand(3), 1, 50, 4)
	require.NoError(t, c.Upsert(ctx, ps...))
	require.NoError(t, db.Close())
	before := tree(t, path)
	ro := &tarn.Options{ReadOnly: true}
	db, err := tarn.Open(path, ro)
	require.NoError(t, err)
	second, err := tarn.Open(path, ro)
	require.NoError(t, err)
	c, err = db.Collection("test")
	require.NoError(t, err)
	for _, p := range ps {
		requirePoint(t, c, p)
	}
	require.ErrorIs(t, c.Upsert(ctx, ps[0]), tarn.ErrReadOnly)
	_, err = c.Delete(ctx, 1)
	require.ErrorIs(t, err, tarn.ErrReadOnly)
	require.ErrorIs(t, c.Checkpoint(ctx), tarn.ErrReadOnly)
	require.ErrorIs(t, c.Rebuild(ctx, tarn.IndexConfig{}), tarn.ErrReadOnly)
	_, err = c.Stream()
	require.ErrorIs(t, err, tarn.ErrReadOnly)
	_, err = c.EnableStreaming(ctx, tarn.StreamingConfig{})
	require.ErrorIs(t, err, tarn.ErrReadOnly)
	_, err = db.CreateCollection(ctx, "x", tarn.CollectionConfig{Dim: 1})
	require.ErrorIs(t, err, tarn.ErrReadOnly)
	require.NoError(t, second.Close())
	require.NoError(t, db.Close())
	require.Equal(t, before, tree(t, path))
}
