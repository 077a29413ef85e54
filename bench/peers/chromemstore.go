package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"time"

	"github.com/philippgille/chromem-go"
)

// chromemStore scans everything; each document is a file of its own.
type chromemStore struct {
	c       *chromem.Collection
	carries bool // payloads
}

func (s *chromemStore) open(path string, _ int, payloads bool) error {
	s.carries = payloads
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
		docs[i] = chromem.Document{ID: strconv.Itoa(first + i), Embedding: row}
		if s.carries {
			docs[i].Metadata = map[string]string{}
			for name, value := range storePayload(first + i) {
				docs[i].Metadata[name] = fmt.Sprint(value)
			}
		}
	}
	return s.c.AddDocuments(context.Background(), docs, runtime.NumCPU())
}

func (s *chromemStore) finish() (time.Duration, error) { return 0, nil }

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
