package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tarndb/tarn"
)

const source = "events"

func main() {
	dir := flag.String("dir", "nats-data", "the folder of the store and of the broker")
	messages := flag.Uint64("messages", 20_000, "how many messages are published in all")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *dir, *messages, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// run starts the broker, publishes what is missing of the messages, and stores what
// the store does not have yet.
func run(ctx context.Context, dir string, messages uint64, out io.Writer) (err error) {
	b, err := startBroker(ctx, filepath.Join(dir, "broker"))
	if err != nil {
		return err
	}
	defer b.stop()
	db, err := tarn.Open(filepath.Join(dir, "store"), nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	streaming := tarn.DefaultStreamingConfig()
	events, err := db.EnsureCollection(ctx, "events", tarn.CollectionConfig{Dim: dim, Streaming: &streaming})
	if err != nil {
		return err
	}
	published := make(chan error, 1)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		err := b.publish(ctx, messages)
		if err != nil {
			cancel(err) // what is missing never comes
		}
		published <- err
	}()
	err = consume(ctx, b.stream, events, messages, out)
	cancel(err)
	if late := <-published; err == nil {
		err = late
	}
	return err
}

// consume stores the messages behind Position, up to number last.
func consume(ctx context.Context, from jetstream.Stream, events *tarn.Collection, last uint64, out io.Writer) error {
	stream, err := events.Stream()
	if err != nil {
		return err
	}
	done, _ := events.Position(source) // 0 for a source that was never heard of
	fmt.Fprintf(out, "going on behind message %d\n", done)
	messages, err := from.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: done + 1,
	})
	if err != nil {
		return err
	}
	for done < last {
		points, at, err := fetch(messages)
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if len(points) == 0 {
			continue // nothing came for a second
		}
		ticket, err := stream.SendBatch(ctx, points, tarn.From(source, at))
		if err != nil {
			return err
		}
		if at/2_000 > done/2_000 || at == last {
			if err := ticket.Wait(ctx); err != nil { // only to say so: nothing depends on it
				return err
			}
			fmt.Fprintf(out, "%d stored\n", at)
		}
		done = at
	}
	return stream.Flush(ctx)
}
