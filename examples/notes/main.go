package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/tarndb/tarn"
)

func main() {
	store := flag.String("store", "notes.tarn", "the store's folder")
	url := flag.String("url", "http://localhost:11434/v1", "server of the embedding model")
	model := flag.String("model", "nomic-embed-text", "embedding model")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "notes [flags] index FOLDER | search WORDS...")
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	e := &server{url: *url, model: *model, key: os.Getenv("OPENAI_API_KEY"), client: &http.Client{Timeout: time.Minute}}
	if err := run(ctx, *store, e, flag.Args(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// run carries out one command.
func run(ctx context.Context, store string, e Embedder, args []string, out io.Writer) (err error) {
	if len(args) < 2 || args[0] == "index" && len(args) != 2 || args[0] != "index" && args[0] != "search" {
		return errors.New("say what to do: index FOLDER, or search and some words")
	}
	question := strings.Join(args[1:], " ")
	vectors, err := e.Embed(ctx, []string{question}) // for index: to learn the model's dimension
	if err != nil {
		return err
	}
	db, err := tarn.Open(store, nil)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := db.Close(); err == nil {
			err = closeErr
		}
	}()
	notes, err := db.EnsureCollection(ctx, "notes", tarn.CollectionConfig{
		Dim: len(vectors[0]), Metric: tarn.Cosine, Keys: tarn.StringKeys, Fields: []string{"file", "place"},
	})
	if errors.Is(err, tarn.ErrConfigMismatch) {
		return fmt.Errorf("this store was made with another model: use another -store, or its -model: %w", err)
	}
	if err != nil {
		return err
	}
	if args[0] == "index" {
		x := indexer{notes: notes, embedder: e, folder: args[1], said: out}
		return x.index(ctx)
	}
	return answer(ctx, notes, vectors[0], out)
}

// answer prints the passages nearest to a question.
func answer(ctx context.Context, notes *tarn.Collection, question []float32, out io.Writer) error {
	near, err := notes.Search(ctx, question, 5)
	if err != nil {
		return err
	}
	for _, r := range near {
		first, _, more := strings.Cut(r.Payload["text"].(string), "\n")
		if more {
			first += " …"
		}
		fmt.Fprintf(out, "%.3f  %s\n       %s\n", r.Distance, r.Payload["file"], first)
	}
	return nil
}
