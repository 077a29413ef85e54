package main

import (
	"os"
	"path/filepath"
	"runtime/pprof"

	"github.com/tarndb/tarn/bench/internal/data"
)

// profile writes where Tarn's searches of a set that graph has measured spend the
// processor's time, for go tool pprof.
func profile(set, out string, ef int) error {
	asked, err := data.LoadQueries(set)
	if err != nil {
		return err
	}
	cache, err := filepath.Abs("data")
	if err != nil {
		return err
	}
	s := &server{set: set, cache: cache, asked: asked}
	if _, err := s.answer(ask{Do: "load", Threads: 1}); err != nil {
		return err
	}
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := pprof.StartCPUProfile(f); err != nil {
		return err
	}
	for start := processor(); processor()-start < 5; {
		if _, err := s.search(ask{Ef: ef, Times: 1}); err != nil {
			return err
		}
	}
	pprof.StopCPUProfile()
	return s.db.Close()
}
