package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/tarndb/tarn"
)

func main() {
	dir := flag.String("dir", "http-data", "the store's folder")
	dim := flag.Int("dim", 3, "components of a vector, for a new store")
	listen := flag.String("listen", "localhost:8080", "address")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	at, err := net.Listen("tcp", *listen)
	if err == nil {
		err = run(ctx, *dir, *dim, at)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// run serves until ctx ends: requests under way are answered, then Close writes
// what the stream has accepted.
func run(ctx context.Context, dir string, dim int, at net.Listener) (err error) {
	db, err := tarn.Open(dir, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	streaming := tarn.DefaultStreamingConfig()
	points, err := db.EnsureCollection(ctx, "points", tarn.CollectionConfig{Dim: dim, Streaming: &streaming})
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler(points), ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	defer context.AfterFunc(ctx, func() {
		late, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		ended <- server.Shutdown(late)
	})()
	if err := server.Serve(at); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-ended
}
