package main

import (
	"context"
	"time"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/bench/internal/await"
)

// tarnStore writes through Upsert, or through a stream of which insert waits for
// acceptance only, unless it shall be durable.
type tarnStore struct {
	streams bool
	carries bool // payloads
	db      *tarn.DB
	c       *tarn.Collection
	stream  *tarn.Stream
}

func (s *tarnStore) open(path string, dim int, payloads bool) (err error) {
	s.carries = payloads
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
		points[i] = tarn.Point{ID: uint64(first + i), Vector: row}
		if s.carries {
			points[i].Payload = storePayload(first + i)
		}
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
func (s *tarnStore) finish() (over time.Duration, err error) {
	if s.streams {
		if err := s.stream.Flush(context.Background()); err != nil {
			return 0, err
		}
	}
	indexed, err := await.Indexed(context.Background(), s.c)
	return time.Since(indexed), err
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
