package tarn_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
)

func quickStart(ctx context.Context, dir string) error {
	db, err := tarn.Open(dir, nil)
	if err != nil {
		return err
	}
	defer db.Close()
	docs, err := db.EnsureCollection(ctx, "docs", tarn.CollectionConfig{Dim: 3, Metric: tarn.Cosine})
	if err != nil {
		return err
	}
	err = docs.Upsert(ctx,
		tarn.Point{ID: 1, Vector: []float32{1, 0, 0}, Payload: tarn.Payload{"title": "a mountain"}},
		tarn.Point{ID: 2, Vector: []float32{0, 1, 1}, Payload: tarn.Payload{"title": "a small lake"}})
	if err != nil {
		return err
	}
	near, err := docs.Search(ctx, []float32{0, 1, 0.9}, 1)
	for _, r := range near {
		fmt.Println(r.ID, r.Payload["title"])
	}
	return err
}

func streamIn(ctx context.Context, docs *tarn.Collection) error {
	stream, err := docs.EnableStreaming(ctx, tarn.DefaultStreamingConfig()) // once: Open brings it back
	if err != nil {
		return err
	}
	ticket, err := stream.Send(ctx, tarn.Point{ID: 3, Vector: []float32{0, 0, 1}}) // waits for room, not for the disk
	if err != nil {
		return err
	}
	return ticket.Wait(ctx) // nil: durable and searchable
}

func recentGo(ctx context.Context, docs *tarn.Collection, query []float32) error {
	if err := docs.SetFields(ctx, "lang", "year"); err != nil { // once: these two get an index
		return err
	}
	near, err := docs.Search(ctx, query, 10, tarn.WithFilter(tarn.And(tarn.Eq("lang", "go"), tarn.Gte("year", 2024))))
	for _, r := range near {
		fmt.Println(r.ID, r.Payload["title"])
	}
	return err
}

func Example() {
	dir, err := os.MkdirTemp("", "tarn-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := quickStart(context.Background(), dir); err != nil {
		log.Fatal(err)
	}
	// Output: 2 a small lake
}

func ExampleStream() {
	dir, err := os.MkdirTemp("", "tarn-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	db, err := tarn.Open(dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	docs, err := db.EnsureCollection(ctx, "docs", tarn.CollectionConfig{Dim: 3})
	if err == nil {
		err = streamIn(ctx, docs)
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(docs.Len())
	if err := db.Close(); err != nil {
		log.Fatal(err)
	}
	// Output: 1
}

func ExampleWithFilter() {
	dir, err := os.MkdirTemp("", "tarn-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	db, err := tarn.Open(dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	docs, err := db.EnsureCollection(ctx, "docs", tarn.CollectionConfig{Dim: 3})
	if err == nil {
		err = docs.Upsert(ctx,
			tarn.Point{ID: 1, Vector: []float32{1, 0, 0}, Payload: tarn.Payload{"title": "channels", "lang": "go", "year": 2025}},
			tarn.Point{ID: 2, Vector: []float32{0, 1, 0}, Payload: tarn.Payload{"title": "lifetimes", "lang": "rust", "year": 2025}},
			tarn.Point{ID: 3, Vector: []float32{0, 0, 1}, Payload: tarn.Payload{"title": "generics", "lang": "go", "year": 2022}})
	}
	if err == nil {
		err = recentGo(ctx, docs, []float32{0, 1, 1})
	}
	if err != nil {
		log.Fatal(err)
	}
	if err := db.Close(); err != nil {
		log.Fatal(err)
	}
	// Output: 1 channels
}

// The README shows the functions above, letter for letter.
func TestReadmeShowsWhatCompiles(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	code, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	for _, name := range []string{"quickStart", "streamIn", "recentGo"} {
		body := regexp.MustCompile(`(?ms)^func ` + name + `\(.*?^}$`)
		want := body.FindString(string(code))
		require.NotEmpty(t, want)
		require.Equal(t, want, body.FindString(string(readme)), "README.md, %s", name)
	}
	require.LessOrEqual(t, strings.Count(string(readme), "\n"), 400)
}

// What a page links to is there.
func TestLinksOfThePagesLeadSomewhere(t *testing.T) {
	pages, err := filepath.Glob("docs/*.md")
	require.NoError(t, err)
	require.NotEmpty(t, pages)
	for _, page := range append(pages, "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "bench/RESULTS.md") {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`).FindAllStringSubmatch(string(text), -1) {
			_, err := os.Stat(filepath.Join(filepath.Dir(page), m[1]))
			require.NoError(t, err, "%s links to %s", page, m[1])
		}
	}
}
