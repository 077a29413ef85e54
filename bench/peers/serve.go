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
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/bench/internal/await"
	"github.com/tarndb/tarn/bench/internal/data"
	"github.com/tarndb/tarn/hnsw"
)

const (
	linksM         = 16
	efConstruction = 200
	neighbours     = 10
)

// server is Tarn as a contender.
type server struct {
	set   string
	cache string
	asked [][]float32
	db    *tarn.DB
	c     *tarn.Collection
}

// serve answers asks until the standard input ends.
func serve(set, cache string) error {
	asked, err := data.LoadQueries(set)
	if err != nil {
		return err
	}
	s := &server{set: set, cache: cache, asked: asked}
	out := json.NewEncoder(os.Stdout)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var a ask
		if err := json.Unmarshal(in.Bytes(), &a); err != nil {
			return err
		}
		answer, err := s.answer(a)
		if err != nil {
			return err
		}
		if err := out.Encode(answer); err != nil {
			return err
		}
	}
	if s.db != nil {
		return s.db.Close()
	}
	return nil
}

// answer does what it is asked with as many threads as the others have.
func (s *server) answer(a ask) (said, error) {
	runtime.GOMAXPROCS(max(1, a.Threads))
	switch a.Do {
	case "load":
		return s.load()
	case "build":
		return s.build(a)
	case "search":
		return s.search(a)
	}
	return said{}, fmt.Errorf("asked to %q", a.Do)
}

// load opens the store of a set; the first time it is filled.
func (s *server) load() (said, error) {
	path := filepath.Join(s.cache, "tarn-"+s.set)
	_, err := os.Stat(path)
	fresh := errors.Is(err, os.ErrNotExist)
	before := anonymous()
	start := time.Now()
	if s.db, err = tarn.Open(path, nil); err != nil {
		return said{}, err
	}
	if fresh {
		if err := s.fill(); err != nil {
			return said{}, err
		}
		took := time.Since(start).Seconds()
		return said{Seconds: took}, nil
	}
	if s.c, err = s.db.Collection("bench"); err != nil {
		return said{}, err
	}
	if err := await.Idle(context.Background(), s.c); err != nil {
		return said{}, err
	}
	_, err = s.search(ask{Ef: 64, Times: 1})
	return said{Anonymous: anonymous() - before}, err
}

func (s *server) fill() error {
	set, err := data.Load(s.set)
	if err != nil {
		return err
	}
	s.c, err = s.db.CreateCollection(context.Background(), "bench", tarn.CollectionConfig{
		Dim: set.Dim(), Metric: set.Metric,
		Index: tarn.IndexConfig{M: linksM, EfConstruction: efConstruction},
	})
	if err != nil {
		return err
	}
	const batch = 512
	for from := 0; from < len(set.Base); from += batch {
		var points []tarn.Point
		for i, v := range set.Base[from:min(from+batch, len(set.Base))] {
			points = append(points, tarn.Point{ID: uint64(from + i), Vector: v})
		}
		if err := s.c.Upsert(context.Background(), points...); err != nil {
			return err
		}
	}
	if err := await.Idle(context.Background(), s.c); err != nil {
		return err
	}
	return s.c.Checkpoint(context.Background())
}

// build builds a graph in memory, as the others do.
func (s *server) build(a ask) (said, error) {
	set, err := data.Load(s.set)
	if err != nil {
		return said{}, err
	}
	x, err := hnsw.NewIndex(hnsw.Config{Dim: set.Dim(), Metric: hnsw.Metric(set.Metric), M: linksM, EfConstruction: efConstruction})
	if err != nil {
		return said{}, err
	}
	start := time.Now()
	_, err = x.AddAll(context.Background(), set.Base[:a.Rows], a.Threads)
	return said{Seconds: time.Since(start).Seconds()}, err
}

// processor returns the seconds of the processor that this process has used.
func processor() float64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it cannot fail
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// search asks all queries through the public Search, one after another.
func (s *server) search(a ask) (said, error) {
	ctx := context.Background()
	opts := []tarn.SearchOption{tarn.WithEf(a.Ef), tarn.WithoutPayload()}
	before := s.c.Stats().GraphDistances
	var answer said
	some := s.asked
	if a.Queries > 0 {
		some = some[:min(a.Queries, len(some))]
	}
	start := processor()
	for range a.Times {
		for _, q := range some {
			if _, err := s.c.Search(ctx, q, neighbours, opts...); err != nil {
				return said{}, err
			}
		}
	}
	answer.Seconds = processor() - start
	answer.Distances = float64(s.c.Stats().GraphDistances-before) / float64(a.Times*len(some))
	if !a.Answers {
		return answer, nil
	}
	for _, q := range s.asked {
		found, err := s.c.Search(ctx, q, neighbours, opts...)
		if err != nil {
			return said{}, err
		}
		rows := make([]uint32, len(found))
		for i, r := range found {
			rows[i] = uint32(r.ID)
		}
		answer.Rows = append(answer.Rows, rows)
	}
	return answer, nil
}

// anonymous returns the memory of this process that no file backs.
func anonymous() int64 {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "RssAnon:" {
			kib, _ := strconv.ParseInt(f[1], 10, 64)
			return kib << 10
		}
	}
	return 0
}
