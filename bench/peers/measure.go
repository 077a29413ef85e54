package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tarndb/tarn/bench/internal/data"
	"github.com/tarndb/tarn/internal/kernel"
)

var beams = []int{10, 14, 20, 28, 40, 64, 100, 160, 250, 400, 700}

// figures are what was measured on one set.
type figures struct {
	Set       string               `json:"set"`
	Machine   string               `json:"machine"`
	Day       string               `json:"day"`
	Rounds    map[string][][]point `json:"rounds"` // by contender and round: queries per second
	Work      map[string][]point   `json:"work"`   // distances per query
	Builds    map[string][]float64 `json:"builds"` // by "contender/threads": vectors per second, by round
	BuildRows int                  `json:"build_rows"`
	Anonymous map[string]int64     `json:"anonymous"`
}

func resultPath(set string) string { return filepath.Join("results", set+".json") }

func (f *figures) save() error {
	b, err := json.MarshalIndent(f, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll("results", 0o755); err != nil {
		return err
	}
	return os.WriteFile(resultPath(f.Set), append(b, '\n'), 0o644)
}

// readFigures returns what was measured before on a set, or nothing.
func readFigures(set string) *figures {
	f := &figures{Set: set}
	if b, err := os.ReadFile(resultPath(set)); err == nil {
		_ = json.Unmarshal(b, f) // measured anew where it cannot be read
	}
	return f
}

// prepare builds what is not built yet, one contender after another, one thread;
// with anew, Tarn's too, since that is what changes.
func prepare(set string, anew bool) error {
	if anew {
		if err := os.RemoveAll(filepath.Join("data", "tarn-"+set)); err != nil {
			return err
		}
	}
	for _, name := range rivals {
		r, err := startRival(name, set)
		if err != nil {
			return err
		}
		s, err := r.ask(ask{Do: "load", Threads: 1})
		if err != nil {
			return err
		}
		if s.Seconds > 0 {
			fmt.Printf("%s %s built in %.1f s\n", set, name, s.Seconds)
		}
		if err := r.stop(); err != nil {
			return err
		}
	}
	return nil
}

// search measures queries per second in turn: every beam of every contender once a
// round, the same beam of all within the same second.
func (f *figures) search(set *data.Set, rounds int) error {
	f.Rounds, f.Work, f.Anonymous = map[string][][]point{}, map[string][]point{}, map[string]int64{}
	var running []*rival
	recalls := map[string]map[int]float64{}
	for _, name := range rivals {
		r, err := startRival(name, set.Name)
		if err != nil {
			return err
		}
		running = append(running, r)
		s, err := r.ask(ask{Do: "load", Threads: 1})
		if err != nil {
			return err
		}
		f.Anonymous[name] = s.Anonymous
		if recalls[name], err = f.recalls(r, set); err != nil {
			return err
		}
	}
	queries := min(250, len(set.Queries))
	times := max(1, 250/queries)
	for round := range rounds {
		for _, ef := range beams {
			for i := range running {
				r := running[(i+round)%len(running)]
				s, err := r.ask(ask{Do: "search", Ef: ef, Times: times, Queries: queries, Threads: 1})
				if err != nil {
					return err
				}
				for len(f.Rounds[r.name]) <= round {
					f.Rounds[r.name] = append(f.Rounds[r.name], nil)
				}
				qps := float64(times*queries) / s.Seconds
				f.Rounds[r.name][round] = append(f.Rounds[r.name][round], point{ef, recalls[r.name][ef], qps})
			}
		}
		if err := f.save(); err != nil { // what was measured stays if the rest fails
			return err
		}
	}
	for _, r := range running {
		if err := r.stop(); err != nil {
			return err
		}
	}
	return nil
}

// recalls asks a contender for its answers with every beam.
func (f *figures) recalls(r *rival, set *data.Set) (map[int]float64, error) {
	found := map[int]float64{}
	for _, ef := range beams {
		s, err := r.ask(ask{Do: "search", Ef: ef, Times: 1, Answers: true})
		if err != nil {
			return nil, err
		}
		judge := set.NewJudge(neighbours)
		for i, rows := range s.Rows {
			judge.Add(i, rows)
		}
		found[ef] = judge.Recall()
		if s.Distances > 0 {
			f.Work[r.name] = append(f.Work[r.name], point{ef, found[ef], s.Distances})
		}
	}
	return found, nil
}

// work counts hnswlib's distances.
func (f *figures) work(set *data.Set) error {
	all, err := countHnswlib(filepath.Join("data", "hnswlib-"+set.Name), set, beams)
	if err != nil {
		return err
	}
	f.Work["hnswlib"] = nil
	for _, w := range all {
		f.Work["hnswlib"] = append(f.Work["hnswlib"], point{w.Ef, w.Recall, w.Distances})
	}
	return nil
}

// build measures vectors per second on the first rows, in turn.
func (f *figures) build(set *data.Set, rows, rounds int) error {
	f.Builds, f.BuildRows = map[string][]float64{}, min(rows, len(set.Base))
	for range rounds {
		for _, name := range []string{"tarn", "hnswlib"} {
			for threads := 1; threads <= 2; threads++ {
				s, err := askOnce(name, set.Name, ask{Do: "build", Rows: f.BuildRows, Threads: threads})
				if err != nil {
					return err
				}
				key := fmt.Sprintf("%s/%d", name, threads)
				f.Builds[key] = append(f.Builds[key], float64(f.BuildRows)/s.Seconds)
			}
		}
		both, err := f.sideBySide(set.Name)
		if err != nil {
			return err
		}
		f.Builds["tarn/1+1"] = append(f.Builds["tarn/1+1"], both)
	}
	return nil
}

func askOnce(name, set string, a ask) (said, error) {
	r, err := startRival(name, set)
	if err != nil {
		return said{}, err
	}
	s, err := r.ask(a)
	if err != nil {
		return s, err
	}
	return s, r.stop()
}

// sideBySide returns what two builds of one thread each make together.
func (f *figures) sideBySide(set string) (float64, error) {
	type result struct {
		rate float64
		err  error
	}
	results := make(chan result, 2)
	for range 2 {
		go func() {
			s, err := askOnce("tarn", set, ask{Do: "build", Rows: f.BuildRows, Threads: 1})
			results <- result{float64(f.BuildRows) / s.Seconds, err}
		}()
	}
	a, b := <-results, <-results
	if a.err != nil {
		return 0, a.err
	}
	return a.rate + b.rate, b.err
}

func (f *figures) stamp() {
	tier, _ := kernel.Tier()
	f.Machine = machine() + ", kernel " + tier
	f.Day = time.Now().UTC().Format(time.DateOnly)
}
