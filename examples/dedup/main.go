package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/tarndb/tarn"
)

func main() {
	dir := flag.String("dir", "seen", "the folder that remembers what was passed on")
	near := flag.Float64("near", 0.25, "cosine distance up to which two lines say the same")
	flag.Parse()
	n, err := dedup(context.Background(), *dir, float32(*near), os.Stdin, os.Stdout, os.Stderr)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprintf(os.Stderr, "%d lines, %d passed on\n", n.lines, n.passed)
}

type counts struct{ lines, passed int }

// dedup copies from in to out the lines that are not near to an earlier one.
func dedup(ctx context.Context, dir string, near float32, in io.Reader, out, said io.Writer) (n counts, err error) {
	db, err := tarn.Open(dir, nil)
	if err != nil {
		return n, err
	}
	defer func() {
		if closeErr := db.Close(); err == nil {
			err = closeErr
		}
	}()
	// A line lost in a power cut would only be passed on twice: no need to wait for the disk.
	seen, err := db.EnsureCollection(ctx, "lines", tarn.CollectionConfig{Dim: dim, Metric: tarn.Cosine, WriteMode: tarn.WriteStreaming})
	if err != nil {
		return n, err
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		n.lines++
		vector, ok := vectorOf(line)
		if !ok {
			continue // nothing to compare
		}
		earlier, err := seen.Search(ctx, vector, 1)
		if err != nil {
			return n, err
		}
		if len(earlier) > 0 && earlier[0].Distance <= near {
			fmt.Fprintf(said, "%.2f  %s\n  as  %s\n", earlier[0].Distance, line, earlier[0].Payload["line"])
			continue
		}
		id := uint64(seen.Len()) // nothing is ever deleted here
		if err := seen.Upsert(ctx, tarn.Point{ID: id, Vector: vector, Payload: tarn.Payload{"line": line}}); err != nil {
			return n, err
		}
		n.passed++
		if _, err := fmt.Fprintln(out, line); err != nil {
			return n, err
		}
	}
	return n, lines.Err()
}
