package main

import (
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

var storeBeams = []int{10, 16, 24, 40, 64, 100, 200, 400}

// standing is what was measured of an entrant.
type standing struct {
	entrant
	failed             string
	accepted           streamed
	streamed           [2]streamed // as durable as it gets: without payloads, with them
	indexed            float64     // points a second, until everything is in the index
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

// streamed is what was measured of one filling.
type streamed struct {
	rate         float64   // points a second
	visible      []float64 // seconds of a search for the newest
	late, missed int       // of these: not found at once, nor within two seconds
}

// databases measures the databases section of RESULTS.md.
func databases(args []string) error {
	flags := flag.NewFlagSet("databases", flag.ContinueOnError)
	n := flags.Int("n", 0, "points; if 0, 20 000 of a real set, 10 000 generated")
	name := flags.String("set", "", "a real set, or generated; if empty, "+realStores+" where the real sets are")
	only := flags.String("only", "", "entrants, separated by commas, printed only; all if empty")
	kills := flags.Int("kills", 3, "kills of each")
	if err := flags.Parse(args); err != nil {
		return err
	}
	set, err := storeSet(*name, *n)
	if err != nil {
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
		s, start := &standing{entrant: e}, time.Now()
		if why, ok := absent[e.name]; ok {
			s.failed = why
		} else if err := s.measure(set, rows, filepath.Join(work, e.name), *kills); err != nil {
			s.failed = err.Error()
		}
		fmt.Fprintf(os.Stderr, "%s %.0f s\n", s.row(), time.Since(start).Seconds())
		all = append(all, s)
	}
	text, section := storesReport(set, all, *kills), fragmentOf(set.Name)
	if *only != "" || section == "" {
		fmt.Print(text)
		return nil
	}
	return writeFragment(section, text)
}

// realStores is the real set that the stores are measured with.
const realStores = "debdocs-minilm"

// fragmentOf is the fragment that a set's figures belong to; those of other sets are
// printed only.
func fragmentOf(set string) string {
	switch {
	case set == realStores:
		return "databases"
	case !slices.Contains(data.Names, set):
		return "databases-generated"
	}
	return ""
}

// storeSet is what the stores are given.
func storeSet(name string, n int) (*data.Set, error) {
	if name == "" && os.Getenv(data.Folder) != "" {
		name = realStores
	}
	if name == "" || name == "generated" {
		if n == 0 {
			n = 10_000
		}
		return data.Generate(data.Shape{N: n, Dim: 384, Intrinsic: 20, Metric: tarn.Cosine}), nil
	}
	set, err := data.Load(name)
	if err != nil {
		return nil, err
	}
	if set.Metric != tarn.Cosine {
		return nil, fmt.Errorf("%s: the stores are compared by cosine", name)
	}
	if n == 0 {
		n = 20_000
	}
	set = set.Head(n)
	set.Queries = set.Queries[:min(200, len(set.Queries))]
	set.Truth = set.Truth[:len(set.Queries)]
	return set, nil
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
	if err := s.streams(set, rows, path); err != nil {
		return err
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
	return s.with(rows, task{Do: "open", Path: store, Row: -1, Payloads: true}, func(c *contender, _ reply) error {
		spent, err := s.accepted.insert(c, len(set.Base), s.safe == always)
		if err != nil {
			return err
		}
		f, err := c.do(task{Do: "finish"})
		s.indexed = float64(len(set.Base)) / (spent + f.Seconds)
		return err
	})
}

// streams fills stores in the most durable way there is, points with and without
// payloads. What fill has measured already is not measured again.
func (s *standing) streams(set *data.Set, rows, path string) error {
	for i := range s.streamed {
		payloads := i == 1
		if payloads && s.safe != asked || s.bare {
			s.streamed[i] = s.accepted
			continue
		}
		open := task{Do: "open", Path: filepath.Join(path, fmt.Sprint("streamed", i)), Row: -1, Payloads: payloads}
		err := s.with(rows, open, func(c *contender, _ reply) error {
			_, err := s.streamed[i].insert(c, len(set.Base), s.safe != unsafe)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// insert gives a store the first points and returns the seconds that took.
func (s *streamed) insert(c *contender, points int, durable bool) (seconds float64, err error) {
	r, err := c.do(task{Do: "insert", Rows: points, Durable: durable, Probe: 8})
	*s = streamed{rate: float64(points) / r.Seconds, visible: r.Visible, late: r.Late, missed: r.Missed}
	return r.Seconds, err
}

// reopened measures what a new process finds.
func (s *standing) reopened(set *data.Set, rows, store string) (err error) {
	if s.disk, err = sizeOf(store); err != nil {
		return err
	}
	return s.with(rows, task{Do: "open", Path: store, Row: len(set.Base) / 2, Payloads: true}, func(c *contender, opened reply) error {
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
	if _, err := c.do(task{Do: "open", Path: path, Row: -1, Payloads: true}); err != nil {
		return err
	}
	if err := c.send(task{Do: "pour", Durable: s.safe != unsafe}); err != nil {
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
	err = s.with(rows, task{Do: "open", Path: path, Row: -1, Payloads: true}, func(c *contender, _ reply) error {
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
