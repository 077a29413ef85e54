package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	coder "github.com/coder/hnsw"
	"github.com/philippgille/chromem-go"

	"github.com/tarndb/tarn"
)

// goStore is a store of Go as a contender.
type goStore interface {
	open(path string, dim int) error
	insert(first int, rows [][]float32, durable bool) error
	finish() error
	search(q []float32, k, ef int) ([]uint32, error)
	has(id int) bool
	close() error
}

var goStores = map[string]func() goStore{
	"tarn":        func() goStore { return &tarnStore{} },
	"tarn-stream": func() goStore { return &tarnStore{streams: true} },
	"chromem-go":  func() goStore { return &chromemStore{} },
	"coder-hnsw":  func() goStore { return &coderStore{} },
}

// storePayload is what a point carries.
func storePayload(i int) tarn.Payload { return tarn.Payload{"section": i % 9, "lang": "en"} }

// tarnStore writes through Upsert, or through a stream of which insert waits for
// acceptance only, unless it shall be durable.
type tarnStore struct {
	streams bool
	db      *tarn.DB
	c       *tarn.Collection
	stream  *tarn.Stream
}

func (s *tarnStore) open(path string, dim int) (err error) {
	if s.db, err = tarn.Open(path, nil); err != nil {
		return err
	}
	cfg := tarn.CollectionConfig{Dim: dim, Metric: tarn.Cosine, Index: tarn.IndexConfig{M: linksM, EfConstruction: efConstruction}}
	if s.streams {
		cfg.Streaming = &tarn.StreamingConfig{}
	}
	if s.c, err = s.db.EnsureCollection(context.Background(), "points", cfg); err == nil && s.streams {
		s.stream, err = s.c.Stream()
	}
	return err
}

func (s *tarnStore) insert(first int, rows [][]float32, durable bool) error {
	ctx := context.Background()
	points := make([]tarn.Point, len(rows))
	for i, row := range rows {
		points[i] = tarn.Point{ID: uint64(first + i), Vector: row, Payload: storePayload(first + i)}
	}
	if !s.streams {
		return s.c.Upsert(ctx, points...)
	}
	ticket, err := s.stream.SendBatch(ctx, points)
	if err == nil && durable {
		err = ticket.Wait(ctx)
	}
	return err
}

// finish waits for the graph, which the store does by itself.
func (s *tarnStore) finish() error {
	if s.streams {
		if err := s.stream.Flush(context.Background()); err != nil {
			return err
		}
	}
	for s.c.Stats().InDelta > 0 {
		time.Sleep(time.Millisecond)
	}
	return nil
}

func (s *tarnStore) search(q []float32, k, ef int) ([]uint32, error) {
	found, err := s.c.Search(context.Background(), q, k, tarn.WithEf(ef), tarn.WithoutPayload())
	rows := make([]uint32, len(found))
	for i, r := range found {
		rows[i] = uint32(r.ID)
	}
	return rows, err
}

func (s *tarnStore) has(id int) bool {
	_, err := s.c.Get(context.Background(), uint64(id))
	return err == nil
}

func (s *tarnStore) close() error { return s.db.Close() }

// chromemStore scans everything; each document is a file of its own.
type chromemStore struct{ c *chromem.Collection }

func (s *chromemStore) open(path string, _ int) error {
	db, err := chromem.NewPersistentDB(path, false)
	if err == nil {
		s.c, err = db.GetOrCreateCollection("points", nil, func(context.Context, string) ([]float32, error) {
			return nil, errors.New("no text is embedded here")
		})
	}
	return err
}

func (s *chromemStore) insert(first int, rows [][]float32, _ bool) error {
	docs := make([]chromem.Document, len(rows))
	for i, row := range rows {
		docs[i] = chromem.Document{ID: strconv.Itoa(first + i), Embedding: row,
			Metadata: map[string]string{"section": strconv.Itoa((first + i) % 9), "lang": "en"}}
	}
	return s.c.AddDocuments(context.Background(), docs, runtime.NumCPU())
}

func (s *chromemStore) finish() error { return nil }

func (s *chromemStore) search(q []float32, k, _ int) ([]uint32, error) {
	found, err := s.c.QueryEmbedding(context.Background(), q, k, nil, nil)
	rows := make([]uint32, len(found))
	for i, r := range found {
		n, _ := strconv.Atoi(r.ID) // it is one of ours
		rows[i] = uint32(n)
	}
	return rows, err
}

func (s *chromemStore) has(id int) bool {
	_, err := s.c.GetByID(context.Background(), strconv.Itoa(id))
	return err == nil
}

func (s *chromemStore) close() error { return nil }

// coderStore is a graph that is saved as a whole when it is told to.
type coderStore struct{ g *coder.SavedGraph[uint64] }

func (s *coderStore) open(path string, _ int) error {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return err
	}
	g, err := coder.LoadSavedGraph[uint64](filepath.Join(path, "graph"))
	if err == nil {
		s.g = g
		g.M, g.Distance = linksM, coder.CosineDistance
	}
	return err
}

func (s *coderStore) insert(first int, rows [][]float32, _ bool) error {
	nodes := make([]coder.Node[uint64], len(rows))
	for i, row := range rows {
		nodes[i] = coder.MakeNode(uint64(first+i), row)
	}
	s.g.Add(nodes...)
	return nil
}

func (s *coderStore) finish() error { return s.g.Save() }

func (s *coderStore) search(q []float32, k, ef int) ([]uint32, error) {
	s.g.EfSearch = ef
	var rows []uint32
	for _, n := range s.g.Search(q, k) {
		rows = append(rows, uint32(n.Key))
	}
	return rows, nil
}

func (s *coderStore) has(id int) bool {
	_, ok := s.g.Lookup(uint64(id))
	return ok
}

func (s *coderStore) close() error { return s.g.Save() }

// storeProcess answers tasks until the standard input ends.
func storeProcess(name, folder string) error {
	make, ok := goStores[name]
	if !ok {
		return fmt.Errorf("no store is called %q", name)
	}
	base, queries, err := readRows(folder)
	if err != nil {
		return err
	}
	debug.FreeOSMemory() // what reading the rows left behind
	d := &driver{store: make(), base: base, queries: queries, before: anonymous(), out: json.NewEncoder(os.Stdout)}
	if err := d.out.Encode(reply{Ready: true}); err != nil {
		return err
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var t task
		if err := json.Unmarshal(in.Bytes(), &t); err != nil {
			return err
		}
		r, err := d.do(t)
		if err != nil {
			r.Error = err.Error()
		}
		if err := d.out.Encode(r); err != nil {
			return err
		}
	}
	return nil
}
