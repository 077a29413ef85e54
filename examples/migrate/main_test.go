package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"testing"

	"github.com/philippgille/chromem-go"
	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
)

var ctx = context.Background()

// noEmbedding is the embedding function of documents that bring their embeddings.
func noEmbedding(context.Context, string) ([]float32, error) { return nil, io.ErrUnexpectedEOF }

// newOld makes a chromem-go database with a collection of n documents.
func newOld(t *testing.T, name string, n int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "old")
	old, err := chromem.NewPersistentDB(dir, false)
	require.NoError(t, err)
	c, err := old.CreateCollection(name, nil, noEmbedding)
	require.NoError(t, err)
	for i := range n {
		v := []float32{float32(i%7) - 3, float32(i%5) - 2, float32(i%3) + 0.5} // to all sides
		require.NoError(t, c.AddDocument(ctx, chromem.Document{
			ID: fmt.Sprint("doc ", i), Metadata: map[string]string{"part": fmt.Sprint(i % 2)}, Embedding: v, Content: fmt.Sprint("text ", i),
		}))
	}
	return dir
}

func TestEveryDocumentComesOver(t *testing.T) {
	from, to := newOld(t, "My Docs", 200), filepath.Join(t.TempDir(), "new")
	for range 2 { // once more changes nothing
		var out bytes.Buffer
		require.NoError(t, run(ctx, from, false, to, &out))
		require.Equal(t, "my-docs: 200 documents\n", out.String())
	}
	db, err := tarn.Open(to, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	c, err := db.Collection("my-docs")
	require.NoError(t, err)
	require.Equal(t, 200, c.Len())
	old, err := chromem.NewPersistentDB(from, false)
	require.NoError(t, err)
	was := old.GetCollection("My Docs", noEmbedding)
	for i := range 200 {
		p, err := c.GetKey(ctx, fmt.Sprint("doc ", i))
		require.NoError(t, err)
		d, err := was.GetByID(ctx, p.Key)
		require.NoError(t, err)
		require.Equal(t, d.Embedding, p.Vector)
		require.Equal(t, tarn.Payload{"content": d.Content, "part": d.Metadata["part"]}, p.Payload)
	}
	near, err := c.Search(ctx, []float32{1, 1, 1}, 5)
	require.NoError(t, err)
	best, err := was.QueryEmbedding(ctx, []float32{1, 1, 1}, 5, nil, nil)
	require.NoError(t, err)
	for i, r := range near {
		require.InDelta(t, 1-best[i].Similarity, r.Distance, 1e-5)
	}
}

func TestAnEmptyCollectionIsNoError(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(ctx, newOld(t, "none", 0), false, filepath.Join(t.TempDir(), "new"), &out))
	require.Equal(t, "none: 0 documents\n", out.String())
}

func TestTwoNamesThatBecomeOneAreRefused(t *testing.T) {
	dir := newOld(t, "a b", 1)
	old, err := chromem.NewPersistentDB(dir, false)
	require.NoError(t, err)
	_, err = old.CreateCollection("A-B", nil, noEmbedding)
	require.NoError(t, err)
	require.ErrorContains(t, run(ctx, dir, false, filepath.Join(t.TempDir(), "new"), io.Discard), `"a-b"`)
}

func TestAFolderThatIsNotThereIsNotMade(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "nowhere")
	require.Error(t, run(ctx, dir, false, filepath.Join(t.TempDir(), "new"), io.Discard))
	require.NoDirExists(t, dir)
}
