package main

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/bench/internal/data"
)

// entrant is a store in the comparison, and what its documentation says it promises.
type entrant struct {
	name    string
	exact   bool // it has no beam
	durable bool // its writes can be asked to be on the disk
	// settings and promise are for the reader.
	settings, promise string
}

var entrants = []entrant{
	{"tarn", false, true, "Upsert of each batch", "each batch fsynced and searchable when acknowledged; payload filters"},
	{"tarn-stream", false, true, "a stream of default size; durable: each batch's ticket is waited for", "accepted: queued, visible within 50 ms; its ticket: fsynced and searchable; payload filters"},
	{"chromem-go", true, false, "AddDocuments with all processors, files not compressed", "a file per document, written when acknowledged, not fsynced; visible at once; equality filters"},
	{"coder-hnsw", false, false, "M 16, saved at the end; it has no efConstruction, the default EfSearch 20 while building", "in memory until Save; visible at once; no payloads, no filters"},
	{"qdrant-edge", false, true, "m 16, ef_construct 200; durable: flush() after each batch; optimize() at the end", "written ahead when acknowledged, fsynced by flush(); visible at once, by a scan until optimize(); payload filters"},
	{"lancedb", false, false, "IVF_HNSW_SQ, one partition, m 16, ef_construction 200, refine_factor 2; optimize() and create_index() at the end", "a version per batch, not fsynced; visible at once, by a scan until create_index(); payload filters"},
	{"sqlite-vec", true, true, "WAL, a transaction a batch, synchronous NORMAL; durable: FULL", "SQLite's; visible at once; payload filters as metadata columns"},
	{"velesdb", false, true, "m 16, ef_construction 200, upsert_bulk_numpy; durable: flush() after each batch", "logged when acknowledged; visible at once; payload filters"},
	{"hnswlib", false, false, "M 16, ef_construction 200, all processors, saved at the end", "in memory until save_index; visible at once; no payloads, filter by a callback"},
	{"usearch", false, false, "connectivity 16, expansion_add 200, all processors, saved at the end", "in memory until save; visible at once; no payloads, filter by a callback"},
}

var storeBeams = []int{10, 16, 24, 40, 64, 100, 200, 400}

// standing is what was measured of an entrant.
type standing struct {
	entrant
	failed             string
	accepted, written  float64 // points a second, written: durable ones
	indexed            float64 // until everything is in the index
	visible            []float64
	missed, probes     int
	curve              []point
	p50, p99           float64 // at the first beam whose recall is 0.95
	at                 point
	reopen             float64
	right              bool
	disk, memory       int64
	kills, lost, acked int
	unfound, sample    int
	broken             []string // what a reopening after a kill said
}

// databases measures the databases section of RESULTS.md.
func databases(args []string) error {
	flags := flag.NewFlagSet("databases", flag.ContinueOnError)
	n := flags.Int("n", 20_000, "points")
	name := flags.String("set", "", "a real set; generated if empty")
	only := flags.String("only", "", "entrants, separated by commas; all if empty. The page is left as it is then")
	kills := flags.Int("kills", 3, "kills of each")
	if err := flags.Parse(args); err != nil {
		return err
	}
	set, err := storeSet(*name, *n)
	if err != nil {
		return err
	}
	if err := venv(); err != nil {
		return err
	}
	absent := installStores()
	work, err := os.MkdirTemp("", "tarn-peers-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	rows := filepath.Join(work, "rows")
	if err := writeRows(rows, set, true); err != nil {
		return err
	}
	var all []*standing
	for _, e := range entrants {
		if *only != "" && !slices.Contains(strings.Split(*only, ","), e.name) {
			continue
		}
		s := &standing{entrant: e}
		if why, ok := absent[e.name]; ok {
			s.failed = why
		} else if err := s.measure(set, rows, filepath.Join(work, e.name), *kills); err != nil {
			s.failed = err.Error()
		}
		fmt.Fprintln(os.Stderr, s.row())
		all = append(all, s)
	}
	text := storesReport(set, all, *kills)
	if *only != "" {
		fmt.Print(text)
		return nil
	}
	return writeFragment("databases", text)
}

// storeSet is what the stores are given.
func storeSet(name string, n int) (*data.Set, error) {
	if name == "" {
		return data.Generate(data.Shape{N: n, Dim: 384, Intrinsic: 20, Metric: tarn.Cosine}), nil
	}
	set, err := data.Load(name)
	if err != nil {
		return nil, err
	}
	if set.Metric != tarn.Cosine {
		return nil, fmt.Errorf("%s: the stores are compared by cosine", name)
	}
	set = set.Head(n)
	set.Queries = set.Queries[:min(200, len(set.Queries))]
	set.Truth = set.Truth[:len(set.Queries)]
	return set, nil
}

// installStores puts what requirements-stores.txt names beside the libraries, one by
// one, and returns what did not install and why.
func installStores() map[string]string {
	absent := map[string]string{}
	text, err := os.ReadFile("requirements-stores.txt")
	python, err2 := pythonPath()
	if err := errors.Join(err, err2); err != nil {
		return map[string]string{"qdrant-edge": err.Error(), "lancedb": err.Error(), "sqlite-vec": err.Error(), "velesdb": err.Error()}
	}
	for _, line := range strings.Fields(string(text)) {
		if err := run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", line); err != nil {
			name, _, _ := strings.Cut(line, "==")
			absent[strings.TrimSuffix(name, "-py")] = "does not install: " + line
		}
	}
	return absent
}

// measure is the life of an entrant.
func (s *standing) measure(set *data.Set, rows, path string, kills int) error {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return err
	}
	store := filepath.Join(path, "store")
	if err := s.fill(set, rows, store); err != nil {
		return err
	}
	if s.durable {
		err := s.with(rows, task{Do: "open", Path: filepath.Join(path, "durable"), Row: -1}, func(c *contender, _ reply) error {
			r, err := c.do(task{Do: "insert", Rows: len(set.Base), Durable: true})
			s.written = float64(len(set.Base)) / r.Seconds
			return err
		})
		if err != nil {
			return err
		}
	}
	if err := s.reopened(set, rows, store); err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range kills {
		if err := s.kill(r, rows, filepath.Join(path, fmt.Sprint("killed", i))); err != nil {
			return err
		}
	}
	return os.RemoveAll(path)
}

// with runs fn beside a process that has opened a store, and closes it.
func (s *standing) with(rows string, open task, fn func(c *contender, opened reply) error) error {
	c, err := startContender(s.name, rows)
	if err != nil {
		return err
	}
	defer c.kill() // unless it has ended
	opened, err := c.do(open)
	if err == nil {
		err = fn(c, opened)
	}
	if err == nil {
		_, err = c.do(task{Do: "close"})
	}
	if err == nil {
		err = c.end()
	}
	return err
}

// fill writes everything and looks how soon it is seen and indexed.
func (s *standing) fill(set *data.Set, rows, store string) error {
	return s.with(rows, task{Do: "open", Path: store, Row: -1}, func(c *contender, _ reply) error {
		r, err := c.do(task{Do: "insert", Rows: len(set.Base), Probe: 8})
		if err != nil {
			return err
		}
		s.accepted = float64(len(set.Base)) / r.Seconds
		s.visible, s.missed, s.probes = r.Visible, r.Missed, len(r.Visible)
		f, err := c.do(task{Do: "finish"})
		s.indexed = float64(len(set.Base)) / (r.Seconds + f.Seconds)
		return err
	})
}

// reopened measures what a new process finds.
func (s *standing) reopened(set *data.Set, rows, store string) (err error) {
	if s.disk, err = sizeOf(store); err != nil {
		return err
	}
	return s.with(rows, task{Do: "open", Path: store, Row: len(set.Base) / 2}, func(c *contender, opened reply) error {
		s.reopen, s.right = opened.Seconds, opened.Right
		if err := c.pin(); err != nil {
			return err
		}
		beams := storeBeams
		if s.exact {
			beams = beams[:1]
		}
		for _, ef := range beams {
			r, err := c.do(task{Do: "search", Ef: ef})
			if err != nil {
				return err
			}
			s.searched(set, ef, r)
		}
		m, err := c.do(task{Do: "memory"})
		s.memory = m.Anonymous
		return err
	})
}

// searched notes the answers with one beam.
func (s *standing) searched(set *data.Set, ef int, r reply) {
	judge := set.NewJudge(neighbours)
	total := 0.0
	for i, rows := range r.Rows {
		judge.Add(i, rows)
		total += r.Times[i]
	}
	p := point{ef, judge.Recall(), float64(len(r.Times)) / total}
	s.curve = append(s.curve, p)
	if s.at.Recall < 0.95 {
		slices.Sort(r.Times)
		s.at, s.p50, s.p99 = p, r.Times[len(r.Times)/2], r.Times[len(r.Times)*99/100]
	}
}

// kill ends a process in the middle of its writes and counts what a new one misses.
func (s *standing) kill(r *rand.Rand, rows, path string) error {
	c, err := startContender(s.name, rows)
	if err != nil {
		return err
	}
	defer c.kill()
	if _, err := c.do(task{Do: "open", Path: path, Row: -1}); err != nil {
		return err
	}
	if err := c.send(task{Do: "pour", Durable: s.durable}); err != nil {
		return err
	}
	acked := 0
	for start, limit := time.Now(), 300*time.Millisecond+time.Duration(r.Int64N(int64(700*time.Millisecond))); time.Since(start) < limit; {
		said, err := c.read()
		if err != nil {
			return err
		}
		acked = said.Acked
	}
	c.kill()
	s.kills++
	s.acked += acked
	err = s.with(rows, task{Do: "open", Path: path, Row: -1}, func(c *contender, _ reply) error {
		found, err := c.do(task{Do: "check", Rows: acked})
		s.lost += found.Missing
		s.unfound += found.Unfound
		s.sample += found.Sample
		return err
	})
	if err != nil {
		s.broken = append(s.broken, err.Error())
	}
	return nil
}

// sizeOf is what the files of a folder, or a file, take.
func sizeOf(path string) (size int64, err error) {
	err = filepath.WalkDir(path, func(_ string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	return size, err
}
