package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/tarndb/tarn"
)

const (
	source = "sensor"
	bands  = 16 // of a vibration spectrum: the dimension
	batch  = 32 // readings per record
)

func main() {
	dir := flag.String("dir", "sensor-data", "the store's folder")
	readings := flag.Uint64("readings", 20_000, "how many readings the source has")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *dir, *readings, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// run streams the readings 1 to last that the store does not have yet.
func run(ctx context.Context, dir string, last uint64, out io.Writer) (err error) {
	db, err := tarn.Open(dir, nil)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := db.Close(); err == nil {
			err = closeErr
		}
	}()
	streaming := tarn.DefaultStreamingConfig() // counts when the collection is created; later Open brings it back
	readings, err := db.EnsureCollection(ctx, "readings", tarn.CollectionConfig{Dim: bands, Streaming: &streaming})
	if err != nil {
		return err
	}
	done, _ := readings.Position(source) // 0 for a source that was never heard of
	fmt.Fprintf(out, "%d readings are there, going on behind them\n", done)
	if err := stream(ctx, readings, done, last, out); err != nil {
		return err
	}
	return report(ctx, readings, last, out)
}

// stream sends the readings behind done, each batch with its place.
func stream(ctx context.Context, readings *tarn.Collection, done, last uint64, out io.Writer) error {
	s, err := readings.Stream()
	if err != nil {
		return err
	}
	for done < last {
		points := make([]tarn.Point, 0, batch)
		for n := done + 1; n <= min(done+batch, last); n++ {
			points = append(points, reading(n))
		}
		done += uint64(len(points))
		if _, err := s.SendBatch(ctx, points, tarn.From(source, done)); err != nil {
			return err
		}
		if done%4_096 == 0 {
			fmt.Fprintf(out, "%d sent\n", done)
		}
	}
	return s.Flush(ctx) // all of it durable and searchable
}

// report asks for the readings most like the last one.
func report(ctx context.Context, readings *tarn.Collection, last uint64, out io.Writer) error {
	if last == 0 {
		return nil
	}
	near, err := readings.Search(ctx, reading(last).Vector, 4)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d readings; most like the last one:\n", readings.Len())
	for _, r := range near {
		fmt.Fprintf(out, "  %6d  at distance %.3f  %v\n", r.ID, r.Distance, r.Payload["state"])
	}
	return nil
}
