package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const dim = 128

// bagOfWords stands for a model: texts with the same words are near.
func bagOfWords(text string) []float32 {
	v := make([]float32, dim)
	v[0] = 0.01
	for _, word := range strings.Fields(strings.ToLower(text)) {
		h := fnv.New32a()
		h.Write([]byte(strings.Trim(word, ".,:;#")))
		v[h.Sum32()%dim]++
	}
	return v
}

// newServer answers like an embedding server and counts the texts it was given.
func newServer(t *testing.T, embedded *int) *server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var req struct {
			Model string   `json:"model"`
			Input []string `json:"input"`
		}
		if json.NewDecoder(r.Body).Decode(&req) != nil || req.Model != "words" || r.URL.Path != "/v1/embeddings" || r.Header.Get("Authorization") != "Bearer secret" {
			http.Error(w, "no such model", http.StatusNotFound)
			return
		}
		*embedded += len(req.Input)
		var data []map[string]any
		for i := len(req.Input) - 1; i >= 0; i-- { // in any order
			data = append(data, map[string]any{"index": i, "embedding": bagOfWords(req.Input[i])})
		}
		json.NewEncoder(w).Encode(map[string]any{"data": data})
	}))
	t.Cleanup(s.Close)
	return &server{url: s.URL + "/v1", model: "words", key: "secret", client: s.Client()}
}

// notebook copies the notes of testdata, so that a test may change them.
func notebook(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "notes")
	require.NoError(t, os.CopyFS(dir, os.DirFS("testdata/notes")))
	return dir
}

func TestNotesAreFoundByWhatTheySay(t *testing.T) {
	embedded := 0
	e, store := newServer(t, &embedded), filepath.Join(t.TempDir(), "store")
	var out bytes.Buffer
	require.NoError(t, run(context.Background(), store, e, []string{"index", notebook(t)}, &out))
	require.Contains(t, out.String(), "3 notes, 4 passages; 4 new or changed, 0 deleted")
	for question, file := range map[string]string{
		"prune the apple tree":          "garden.md",
		"brown and green compost":       "garden.md",
		"feed the sourdough starter":    "bread.md",
		"boiler error water pressure":   "house/heating.txt",
		"bleed the radiators in winter": "house/heating.txt",
	} {
		out.Reset()
		require.NoError(t, run(context.Background(), store, e, append([]string{"search"}, strings.Fields(question)...), &out))
		first, _, _ := strings.Cut(out.String(), "\n")
		require.Contains(t, first, file, question)
	}
}

func TestIndexedAgainOnlyWhatChangedIsEmbedded(t *testing.T) {
	embedded := 0
	e, store, notes := newServer(t, &embedded), filepath.Join(t.TempDir(), "store"), notebook(t)
	index := func() string {
		var out bytes.Buffer
		require.NoError(t, run(context.Background(), store, e, []string{"index", notes}, &out))
		return strings.TrimSpace(out.String())
	}
	index()
	before := embedded
	require.Equal(t, "3 notes, 4 passages; 0 new or changed, 0 deleted with their notes", index())
	require.Equal(t, 1, embedded-before, "only the probe for the dimension")

	require.NoError(t, os.WriteFile(filepath.Join(notes, "bread.md"), []byte("Rye bread needs no kneading."), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(notes, "garden.md"), []byte(strings.Repeat("compost ", 50)), 0o600)) // one passage less
	require.NoError(t, os.Remove(filepath.Join(notes, "house", "heating.txt")))
	require.Equal(t, "2 notes, 2 passages; 2 new or changed, 1 deleted with their notes", index())
}

func TestAServerThatFailsIsSaidAndLeavesTheStore(t *testing.T) {
	embedded := 0
	e, store := newServer(t, &embedded), filepath.Join(t.TempDir(), "store")
	require.NoError(t, run(context.Background(), store, e, []string{"index", notebook(t)}, io.Discard))
	wrong := *e
	wrong.model = "another"
	err := run(context.Background(), store, &wrong, []string{"search", "tree"}, io.Discard)
	require.ErrorContains(t, err, "404 Not Found: no such model")
	require.NoError(t, run(context.Background(), store, e, []string{"search", "tree"}, io.Discard))
}

func TestAnswersThatDoNotFitAreRefused(t *testing.T) {
	vector := "[" + strings.TrimSuffix(strings.Repeat("1,", 4), ",") + "]"
	for what, body := range map[string]string{
		"not JSON":          `<html>`,
		"one too few":       fmt.Sprintf(`{"data":[{"index":0,"embedding":%s}]}`, vector),
		"one twice":         fmt.Sprintf(`{"data":[{"index":0,"embedding":%s},{"index":0,"embedding":%s}]}`, vector, vector),
		"one out of range":  fmt.Sprintf(`{"data":[{"index":0,"embedding":%s},{"index":2,"embedding":%s}]}`, vector, vector),
		"two dimensions":    fmt.Sprintf(`{"data":[{"index":0,"embedding":%s},{"index":1,"embedding":[1]}]}`, vector),
		"an empty vector":   `{"data":[{"index":0,"embedding":[]},{"index":1,"embedding":[]}]}`,
		"cut in the middle": `{"data":[{"index":0,"embedding":[1,2`,
	} {
		_, err := readVectors(strings.NewReader(body), 2)
		require.Error(t, err, what)
	}
}

func TestALongParagraphIsCutAndShortOnesAreJoined(t *testing.T) {
	require.Empty(t, passages(" \n\n \r\n\r\n"))
	require.Equal(t, []string{"a\n\nb"}, passages("a\r\n\r\nb\n"))
	long := passages(strings.Repeat("word ", 2*manyWords+1))
	require.Len(t, long, 3)
	require.Len(t, strings.Fields(long[0]), manyWords)
}

func TestWhatIsNotUnderstoodIsSaid(t *testing.T) {
	for _, args := range [][]string{nil, {"index"}, {"search"}, {"index", "a", "b"}, {"find", "x"}} {
		require.ErrorContains(t, run(context.Background(), t.TempDir(), nil, args, io.Discard), "index FOLDER")
	}
}
