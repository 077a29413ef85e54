package main

import (
	"os"
	"path/filepath"
	"time"

	coder "github.com/coder/hnsw"
)

// coderStore is a graph that is saved as a whole when it is told to.
type coderStore struct{ g *coder.SavedGraph[uint64] }

func (s *coderStore) open(path string, _ int, _ bool) error {
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

func (s *coderStore) finish() (time.Duration, error) { return 0, s.g.Save() }

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
