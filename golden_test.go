package tarn_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
)

// A golden directory is a database that a released version left behind, killed with
// records in its log, and what it answered. It is never changed: later versions open
// it. TARN_GOLDEN=v1 go test -run TestAGoldenDirectoryIsMade . makes one that is not
// there yet.

// goldenKnobs keep the files small, and make searches use the graph.
var goldenKnobs = collection.Knobs{ExactThreshold: -1, ChunkSlots: 256, LogSegment: 32 << 10, NoBackground: true}

// recorded is what a golden database answered.
type recorded struct {
	Collections map[string]recordedCollection `json:"collections"`
	Files       map[string]string             `json:"files"` // SHA-256 of each
}

type recordedCollection struct {
	Config   tarn.CollectionConfig `json:"config"`
	Points   []recordedPoint       `json:"points"`
	Searches []recordedSearch      `json:"searches"`
	Sources  map[string]uint64     `json:"sources,omitempty"`
	InGraph  int                   `json:"in_graph"` // as the graph's file has it
}

type recordedPoint struct {
	ID      uint64       `json:"id"`
	Key     string       `json:"key,omitempty"`
	Vector  []float32    `json:"vector"`
	Payload tarn.Payload `json:"payload,omitempty"`
}

type recordedSearch struct {
	Query     []float32 `json:"query"`
	Filter    string    `json:"filter,omitempty"`
	Names     []string  `json:"names"`
	Distances []float32 `json:"distances"`
}

var goldenFilters = []string{"", `{"lang":"go"}`, `{"year":{"$gte":2010},"$not":{"lang":"c"}}`}

func goldenPoints(seed uint64, n, dim int, byKey bool) []tarn.Point {
	r := newRand(seed)
	ps := make([]tarn.Point, n)
	for i := range ps {
		ps[i] = tarn.Point{Vector: vector(r, dim)}
		if byKey {
			ps[i].Key = fmt.Sprintf("key/%03d/é", i)
		} else {
			ps[i].ID = uint64(i) * 1_000_003
		}
		if i%4 != 3 {
			ps[i].Payload = tarn.Payload{"lang": []any{"go", "c", "rust"}[i%3], "year": int64(1990 + i%40), "score": float64(i) / 8,
				"tags": []any{"a", int64(i)}, "none": nil}
		}
	}
	return ps
}

// makeGolden fills a database, and leaves it open: what is on the disk is what a
// killed process leaves.
func makeGolden(t *testing.T, path string) *tarn.DB {
	t.Helper()
	db, err := tarn.Open(path, tarn.WithKnobs(goldenKnobs))
	require.NoError(t, err)
	ids, err := db.CreateCollection(ctx, "ids", tarn.CollectionConfig{Dim: 24, Metric: tarn.Cosine, WriteMode: tarn.WriteStreaming,
		Index: tarn.IndexConfig{M: 4, EfConstruction: 40, EfSearch: 30}, Fields: []string{"lang", "year"},
		Streaming: &tarn.StreamingConfig{BufferSize: 500, BatchSize: 16, FlushInterval: 20e6}})
	require.NoError(t, err)
	keys, err := db.CreateCollection(ctx, "keys", tarn.CollectionConfig{Dim: 5, Metric: tarn.L2, Keys: tarn.StringKeys})
	require.NoError(t, err)
	_, err = db.CreateCollection(ctx, "none", tarn.CollectionConfig{Dim: 3, Metric: tarn.Dot})
	require.NoError(t, err)

	ps := goldenPoints(1, 140, 24, false)
	s, err := ids.Stream()
	require.NoError(t, err)
	for i := 0; i < 80; i += 10 {
		ticket, err := s.SendBatch(ctx, ps[i:i+10], tarn.From("source", uint64(i)))
		require.NoError(t, err)
		require.NoError(t, ticket.Wait(ctx))
	}
	require.NoError(t, ids.Upsert(ctx, ps[80:110]...))
	_, err = ids.Delete(ctx, ps[3].ID, ps[50].ID, ps[109].ID)
	require.NoError(t, err)
	named := goldenPoints(2, 50, 5, true)
	require.NoError(t, keys.Upsert(ctx, named[:40]...))
	_, err = keys.DeleteKeys(ctx, named[7].Key)
	require.NoError(t, err)
	for _, c := range []*tarn.Collection{ids, keys} {
		indexed(t, c)
		eventually(t, "the graph holds all points", func() bool { return c.Stats().InDelta == 0 })
	}
	require.NoError(t, db.Close()) // checkpoint, graph, field indexes

	db, err = tarn.Open(path, tarn.WithKnobs(goldenKnobs))
	require.NoError(t, err)
	ids, err = db.Collection("ids")
	require.NoError(t, err)
	keys, err = db.Collection("keys")
	require.NoError(t, err)
	moved := goldenPoints(3, 20, 24, false) // the same ids again
	require.NoError(t, ids.Upsert(ctx, moved[10:]...))
	require.NoError(t, ids.Upsert(ctx, ps[110:]...))
	_, err = ids.Delete(ctx, ps[60].ID, ps[120].ID)
	require.NoError(t, err)
	s, err = ids.Stream()
	require.NoError(t, err)
	ticket, err := s.SendBatch(ctx, moved[:2], tarn.From("other", 1<<40))
	require.NoError(t, err)
	require.NoError(t, ticket.Wait(ctx))
	require.NoError(t, keys.Upsert(ctx, named[35:]...))
	_, err = keys.DeleteKeys(ctx, named[0].Key, named[49].Key)
	require.NoError(t, err)
	require.NoError(t, ids.Sync(ctx))
	return db
}

func TestAGoldenDirectoryIsMade(t *testing.T) {
	version := os.Getenv("TARN_GOLDEN")
	path := filepath.Join(t.TempDir(), "db")
	db := makeGolden(t, path)
	killed := crashCopy(t, path)
	require.NoError(t, db.Close())
	have := record(t, killed)
	for _, c := range have.Collections {
		require.True(t, len(c.Points) == 0 || c.InGraph > 30, "the graph came back")
	}
	if version == "" {
		return // it can be made
	}
	to := filepath.Join("testdata", "golden", version)
	require.NoDirExists(t, to, "a golden directory is never changed")
	require.NoError(t, os.CopyFS(filepath.Join(to, "db"), os.DirFS(killed)))
	data, err := json.Marshal(have)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(to, "answers.json"), append(data, '\n'), 0o600))
}

// record opens a database for reading and asks it everything.
func record(t *testing.T, path string) recorded {
	t.Helper()
	r := recorded{Collections: map[string]recordedCollection{}, Files: hashes(t, path)}
	opts := tarn.WithKnobs(collection.Knobs{ExactThreshold: -1, PauseIndexer: true})
	opts.ReadOnly = true
	db, err := tarn.Open(path, opts)
	require.NoError(t, err)
	for _, name := range db.Collections() {
		c, err := db.Collection(name)
		require.NoError(t, err)
		r.Collections[name] = recordOne(t, c)
	}
	requireSound(t, db)
	require.NoError(t, db.Close())
	require.Equal(t, r.Files, hashes(t, path), "opened for reading, and written")
	return r
}

func recordOne(t *testing.T, c *tarn.Collection) recordedCollection {
	t.Helper()
	one := recordedCollection{Config: c.Config(), InGraph: c.Stats().InGraph, Sources: map[string]uint64{}}
	byKey := one.Config.Keys == tarn.StringKeys
	if byKey {
		ps, err := c.ScrollKeys(ctx, "", 1000, nil)
		require.NoError(t, err)
		for _, p := range ps {
			one.Points = append(one.Points, recordedPoint{ID: p.ID, Key: p.Key, Vector: p.Vector, Payload: p.Payload})
		}
	} else {
		ps, err := c.Scroll(ctx, 0, 1000, nil)
		require.NoError(t, err)
		for _, p := range ps {
			one.Points = append(one.Points, recordedPoint{ID: p.ID, Vector: p.Vector, Payload: p.Payload})
		}
	}
	for _, source := range []string{"source", "other", "nobody"} {
		if at, ok := c.Position(source); ok {
			one.Sources[source] = at
		}
	}
	r := newRand(9)
	for range 8 {
		q := vector(r, one.Config.Dim)
		for _, text := range goldenFilters {
			one.Searches = append(one.Searches, searched(t, c, q, text, byKey))
		}
	}
	return one
}

// searched is an exact search: what a graph finds may differ in a later version.
func searched(t *testing.T, c *tarn.Collection, q []float32, text string, byKey bool) recordedSearch {
	t.Helper()
	s := recordedSearch{Query: q, Filter: text}
	opts := []tarn.SearchOption{tarn.WithExact()}
	if text != "" {
		f, err := tarn.ParseFilter([]byte(text))
		require.NoError(t, err)
		opts = append(opts, tarn.WithFilter(f))
	}
	near, err := c.Search(ctx, q, 7, opts...)
	require.NoError(t, err)
	for _, n := range near {
		name := n.Key
		if !byKey {
			name = fmt.Sprint(n.ID)
		}
		s.Names = append(s.Names, name)
		s.Distances = append(s.Distances, n.Distance)
	}
	return s
}

func hashes(t *testing.T, path string) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, fs.WalkDir(os.DirFS(path), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(path, name))
		sum := sha256.Sum256(data)
		all[name] = hex.EncodeToString(sum[:8])
		return err
	}))
	return all
}

func TestC16_EveryVersionsGoldenDirectoryIsOpenedWithTheAnswersItGave(t *testing.T) {
	versions, err := filepath.Glob(filepath.Join("testdata", "golden", "v*"))
	require.NoError(t, err)
	require.NotEmpty(t, versions)
	for _, version := range versions {
		data, err := os.ReadFile(filepath.Join(version, "answers.json"))
		require.NoError(t, err)
		var want recorded
		require.NoError(t, json.Unmarshal(data, &want))
		path := filepath.Join(t.TempDir(), "db")
		require.NoError(t, os.CopyFS(path, os.DirFS(filepath.Join(version, "db"))))
		for name := range want.Collections { // git keeps no empty folders
			require.NoError(t, os.MkdirAll(filepath.Join(path, "collections", name, "slots"), 0o700))
		}
		require.Equal(t, want.Files, hashes(t, path), "a golden directory is never changed")
		requireRecorded(t, want, record(t, path))

		db, err := tarn.Open(path, tarn.WithKnobs(goldenKnobs)) // to go on with it
		require.NoError(t, err)
		c, err := db.Collection("ids")
		require.NoError(t, err)
		s, err := c.Stream()
		require.NoError(t, err)
		require.Equal(t, *want.Collections["ids"].Config.Streaming, s.Config())
		for _, p := range want.Collections["ids"].Points {
			near, err := c.Search(ctx, p.Vector, 1, tarn.WithEf(200))
			require.NoError(t, err)
			require.Equal(t, p.ID, near[0].ID)
		}
		more := goldenPoints(5, 30, 24, false)
		for i := range more {
			more[i].ID = 1<<63 + uint64(i)
		}
		require.NoError(t, c.Upsert(ctx, more...))
		_, err = c.Delete(ctx, more[0].ID)
		require.NoError(t, err)
		requireSound(t, db)
		require.NoError(t, db.Close())
		got := record(t, path)
		require.Len(t, got.Collections["ids"].Points, len(want.Collections["ids"].Points)+29)
	}
}

func requireRecorded(t *testing.T, want, got recorded) {
	t.Helper()
	require.Len(t, got.Collections, len(want.Collections))
	for name, w := range want.Collections {
		g := got.Collections[name]
		for i := range w.Searches {
			require.Equal(t, w.Searches[i].Names, g.Searches[i].Names)
			require.InDeltaSlice(t, w.Searches[i].Distances, g.Searches[i].Distances, 1e-5)
		}
		require.Equal(t, w.InGraph, g.InGraph, "the graph's file is used")
		w.Searches, g.Searches = nil, nil
		wantJSON, err := json.Marshal(w) // numbers in payloads have lost their types
		require.NoError(t, err)
		gotJSON, err := json.Marshal(g)
		require.NoError(t, err)
		require.JSONEq(t, string(wantJSON), string(gotJSON), name)
	}
}
