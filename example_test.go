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

// pages prints the names of all notes in a language, a page at a time.
func pages(ctx context.Context, notes *tarn.Collection, lang string) error {
	const limit = 100
	for from := ""; ; {
		page, err := notes.ScrollKeys(ctx, from, limit, tarn.Eq("lang", lang))
		if err != nil {
			return err
		}
		for _, p := range page {
			fmt.Println(p.Key, p.Payload["year"].(int64)) // whole numbers come back as int64
		}
		if len(page) < limit {
			return nil
		}
		from = page[len(page)-1].Key + "\x00" // by id: Scroll, from the last ID + 1
	}
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

func ExampleCollection_ScrollKeys() {
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
	notes, err := db.EnsureCollection(ctx, "notes", tarn.CollectionConfig{Dim: 3, Keys: tarn.StringKeys, Fields: []string{"lang"}})
	if err == nil {
		err = notes.Upsert(ctx,
			tarn.Point{Key: "generics.md", Vector: []float32{0, 0, 1}, Payload: tarn.Payload{"lang": "go", "year": 2022}},
			tarn.Point{Key: "lifetimes.md", Vector: []float32{0, 1, 0}, Payload: tarn.Payload{"lang": "rust", "year": 2025}},
			tarn.Point{Key: "channels.md", Vector: []float32{1, 0, 0}, Payload: tarn.Payload{"lang": "go", "year": 2025}})
	}
	if err == nil {
		err = pages(ctx, notes, "go")
	}
	if err != nil {
		log.Fatal(err)
	}
	if err := db.Close(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// channels.md 2025
	// generics.md 2022
}

// The pages show the functions above, letter for letter.
func TestReadmeShowsWhatCompiles(t *testing.T) {
	code, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	var readme []byte
	for name, page := range map[string]string{"quickStart": "README.md", "streamIn": "README.md", "recentGo": "README.md", "pages": "docs/filters.md"} {
		body := regexp.MustCompile(`(?ms)^func ` + name + `\(.*?^}$`)
		want := body.FindString(string(code))
		require.NotEmpty(t, want)
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		require.Equal(t, want, body.FindString(string(text)), "%s, %s", page, name)
		if page == "README.md" {
			readme = text
		}
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
