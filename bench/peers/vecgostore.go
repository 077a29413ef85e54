package main

import (
	"context"
	"os"
	"time"

	"github.com/hupe1980/vecgo"
	"github.com/hupe1980/vecgo/metadata"
	"github.com/hupe1980/vecgo/model"
)

// vecgoStore indexes a batch in memory; Commit writes it to a segment. It gives ids
// itself, from 1 on and in the order of the points. The rows are of unit length, so
// that L2 orders them as the cosine does; with MetricCosine, v0.0.15 finds none of
// 138 new points in memory by its own vector.
type vecgoStore struct {
	db      *vecgo.DB
	carries bool // payloads
}

func (s *vecgoStore) open(path string, dim int, payloads bool) (err error) {
	s.carries = payloads
	if err := os.MkdirAll(path, 0o755); err != nil {
		return err
	}
	s.db, err = vecgo.Open(context.Background(), vecgo.Local(path), vecgo.Create(dim, vecgo.MetricL2))
	return err
}

func (s *vecgoStore) insert(first int, rows [][]float32, durable bool) error {
	ctx := context.Background()
	var carried []metadata.Document
	if s.carries {
		for i := range rows {
			p := storePayload(first + i)
			carried = append(carried, metadata.Document{
				"title": metadata.String(p["title"].(string)), "section": metadata.Int(p["section"].(int64)),
				"words": metadata.Int(p["words"].(int64)), "lang": metadata.String(p["lang"].(string)), "rank": metadata.Float(p["rank"].(float64))})
		}
	}
	_, err := s.db.BatchInsert(ctx, rows, carried, nil)
	if err == nil && durable {
		err = s.db.Commit(ctx)
	}
	return err
}

func (s *vecgoStore) finish() (time.Duration, error) { return 0, s.db.Commit(context.Background()) }

func (s *vecgoStore) search(q []float32, k, ef int) ([]uint32, error) {
	found, err := s.db.Search(context.Background(), q, k, vecgo.WithoutData(), vecgo.WithRefineFactor(float32(ef)/float32(k)))
	rows := make([]uint32, len(found))
	for i, r := range found {
		rows[i] = uint32(r.ID - 1)
	}
	return rows, err
}

func (s *vecgoStore) has(id int) bool {
	_, err := s.db.Get(context.Background(), model.ID(id+1))
	return err == nil
}

func (s *vecgoStore) close() error { return s.db.Close() }
