package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/philippgille/chromem-go"

	"github.com/tarndb/tarn"
)

func main() {
	from := flag.String("from", "", "folder of the chromem-go database")
	to := flag.String("to", "", "folder of the Tarn store")
	compressed := flag.Bool("compressed", false, "the chromem-go database was made with compression")
	flag.Parse()
	if *from == "" || *to == "" {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(context.Background(), *from, *compressed, *to, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, from string, compressed bool, to string, out io.Writer) (err error) {
	if _, err := os.Stat(from); err != nil {
		return err // chromem-go would make an empty database there
	}
	old, err := chromem.NewPersistentDB(from, compressed)
	if err != nil {
		return err
	}
	db, err := tarn.Open(to, nil)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := db.Close(); err == nil {
			err = closeErr
		}
	}()
	collections, taken := old.ListCollections(), map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(collections)) {
		as := nameOf(name)
		if other, ok := taken[as]; ok {
			return fmt.Errorf("collections %q and %q would both be called %q: rename one", other, name, as)
		}
		taken[as] = name
		n, err := migrate(ctx, collections[name], db, as)
		if err != nil {
			return fmt.Errorf("collection %q: %d documents were copied: %w", name, n, err)
		}
		fmt.Fprintf(out, "%s: %d documents\n", as, n)
	}
	return nil
}

// nameOf turns a name into one that is legal in Tarn: lower case, and a hyphen for
// what is neither letter nor digit.
func nameOf(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '-'
	}, strings.ToLower(name))
}

// migrate copies one collection.
func migrate(ctx context.Context, old *chromem.Collection, db *tarn.DB, as string) (n int, err error) {
	dim, err := dimension(ctx, old)
	if err != nil || dim == 0 {
		return 0, err
	}
	documents, err := old.QueryEmbedding(ctx, axis(dim), old.Count(), nil, nil) // as many as there are: all
	if err != nil {
		return 0, err
	}
	c, err := db.EnsureCollection(ctx, as, tarn.CollectionConfig{
		Dim: dim, Metric: tarn.Cosine, Keys: tarn.StringKeys, Streaming: &tarn.StreamingConfig{},
	})
	if err != nil {
		return 0, err
	}
	s, err := c.Stream()
	if err != nil {
		return 0, err
	}
	return s.Ingest(ctx, func(yield func(tarn.Point, error) bool) {
		for _, d := range documents {
			if !yield(point(d), nil) {
				return
			}
		}
	})
}

// dimension finds out how long the embeddings are, 0 for an empty collection:
// chromem-go compares a query's length with the embeddings' and says so.
func dimension(ctx context.Context, old *chromem.Collection) (int, error) {
	if old.Count() == 0 {
		return 0, nil
	}
	for dim := 1; dim <= 65_536; dim++ {
		if _, err := old.QueryEmbedding(ctx, axis(dim), 1, nil, nil); err == nil {
			return dim, nil
		}
	}
	return 0, errors.New("its embeddings have no common length up to 65 536")
}

// axis returns a vector of length 1.
func axis(dim int) []float32 {
	v := make([]float32, dim)
	v[0] = 1
	return v
}

func point(d chromem.Result) tarn.Point {
	payload := tarn.Payload{"content": d.Content}
	for name, value := range d.Metadata {
		payload[name] = value
	}
	return tarn.Point{Key: d.ID, Vector: d.Embedding, Payload: payload}
}
