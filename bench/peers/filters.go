package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/bench/internal/await"
	"github.com/tarndb/tarn/bench/internal/data"
	"github.com/tarndb/tarn/internal/kernel"
)

const filteredSet = "debdocs-minilm"

var (
	filterShares = []float64{0.9, 0.5, 0.25, 0.1, 0.05, 0.01, 0.001}
	filterBeams  = []int{10, 20, 40, 80, 160, 320}
	filterPeers  = []string{"tarn", "qdrant-edge", "qdrant-edge-acorn"}
)

// narrow is a filter over a real attribute: one of some values, or a number between
// two.
type narrow struct {
	Field   string   `json:"field"`
	Values  []string `json:"values,omitempty"`
	From    int      `json:"from"`
	To      int      `json:"to"`
	matches int
}

func (n *narrow) tarn() tarn.Filter {
	if n.Values == nil {
		return tarn.And(tarn.Gte(n.Field, n.From), tarn.Lte(n.Field, n.To))
	}
	values := make([]any, len(n.Values))
	for i, v := range n.Values {
		values[i] = v
	}
	return tarn.In(n.Field, values...)
}

// between leaves about n points by a number.
func between(all []tarn.Payload, field string, n int) *narrow {
	count := map[int]int{}
	most := 0
	for _, p := range all {
		v := int(p[field].(float64))
		count[v]++
		most = max(most, v)
	}
	var best *narrow
	for from := range most + 1 {
		sum := 0
		for to := from; to <= most; to++ {
			sum += count[to]
			if best == nil || max(sum-n, n-sum) < max(best.matches-n, n-best.matches) {
				best = &narrow{Field: field, From: from, To: to, matches: sum}
			}
		}
	}
	return best
}

// among leaves about n points by a text, frequent ones first.
func among(all []tarn.Payload, field string, n int) *narrow {
	count := map[string]int{}
	for _, p := range all {
		count[p[field].(string)]++
	}
	names := make([]string, 0, len(count))
	for name := range count {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if count[a] != count[b] {
			return count[b] - count[a]
		}
		return strings.Compare(a, b)
	})
	chosen := &narrow{Field: field}
	for _, name := range names {
		if chosen.matches+count[name] <= n+n/20 {
			chosen.Values, chosen.matches = append(chosen.Values, name), chosen.matches+count[name]
		}
	}
	return chosen
}

// filters measures the filters section of RESULTS.md.
func filters(args []string) error {
	flags := flag.NewFlagSet("filters", flag.ContinueOnError)
	rounds := flags.Int("rounds", 3, "rounds of searches")
	queries := flags.Int("queries", 100, "queries of a search")
	only := flags.String("only", "", "prepare: make the stores and measure nothing")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := venv(); err != nil {
		return err
	}
	if why := installStores()["qdrant-edge"]; why != "" {
		return errors.New(why)
	}
	all, err := data.LoadAttributes(filteredSet)
	if err != nil {
		return err
	}
	runtime.GOMAXPROCS(1)
	s, err := newFiltered(all)
	if err != nil {
		return err
	}
	defer s.close()
	if *only == "prepare" {
		return nil
	}
	s.rounds, s.queries = *rounds, *queries
	var rows []string
	for _, share := range filterShares {
		n := int(share * float64(len(all)))
		for _, f := range []*narrow{between(all, "words", n), among(all, "package", n), among(all, "section", n)} {
			if f.matches*4 < n*3 {
				continue // no values of it come to that share
			}
			row, err := s.row(share, f)
			if err != nil {
				return err
			}
			fmt.Fprintln(os.Stderr, row)
			rows = append(rows, row)
		}
	}
	return writeFragment("filters", filtersReport(rows, *rounds, *queries))
}

// filteredStores are the contenders, with what they are asked.
type filteredStores struct {
	tarn            server
	peer            *rival // one process: its store opens once
	rounds, queries int
}

func newFiltered(all []tarn.Payload) (*filteredStores, error) {
	asked, err := data.LoadQueries(filteredSet)
	if err != nil {
		return nil, err
	}
	s := &filteredStores{tarn: server{set: filteredSet, asked: asked}}
	cache, err := filepath.Abs("data")
	if err != nil {
		return nil, err
	}
	if err := s.openTarn(filepath.Join(cache, "tarn-filters"), all); err != nil {
		return nil, err
	}
	if s.peer, err = startFiltered("qdrant-edge", cache); err == nil {
		_, err = s.peer.ask(ask{Do: "load"})
	}
	return s, err
}

func startFiltered(name, cache string) (*rival, error) {
	python, err := pythonPath()
	if err != nil {
		return nil, err
	}
	return launch(name, exec.Command(python, "filters.py", name, filteredSet, os.Getenv(data.Folder), cache))
}

// openTarn opens the store, which is made the first time.
func (s *filteredStores) openTarn(path string, all []tarn.Payload) error {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		unfinished := path + ".new"
		if err := os.RemoveAll(unfinished); err != nil {
			return err
		}
		if err := fillFiltered(unfinished, all); err != nil {
			return err
		}
		if err := os.Rename(unfinished, path); err != nil {
			return err
		}
	}
	db, err := tarn.Open(path, nil)
	if err != nil {
		return err
	}
	s.tarn.db = db
	if s.tarn.c, err = db.Collection("bench"); err == nil {
		err = await.Idle(context.Background(), s.tarn.c)
	}
	return err
}

func fillFiltered(path string, all []tarn.Payload) error {
	set, err := data.Load(filteredSet)
	if err != nil {
		return err
	}
	db, err := tarn.Open(path, nil)
	if err != nil {
		return err
	}
	ctx := context.Background()
	c, err := db.CreateCollection(ctx, "bench", tarn.CollectionConfig{
		Dim: set.Dim(), Metric: set.Metric, Fields: []string{"package", "section", "words"},
		Index: tarn.IndexConfig{M: linksM, EfConstruction: efConstruction},
	})
	const batch = 512
	for from := 0; err == nil && from < len(set.Base); from += batch {
		var points []tarn.Point
		for i, v := range set.Base[from:min(from+batch, len(set.Base))] {
			said := all[from+i]
			points = append(points, tarn.Point{ID: uint64(from + i), Vector: v, Payload: tarn.Payload{"package": said["package"], "section": said["section"], "words": said["words"]}})
		}
		err = c.Upsert(ctx, points...)
	}
	if err == nil {
		err = await.Idle(ctx, c)
	}
	return errors.Join(err, db.Close())
}

func (s *filteredStores) close() {
	s.peer.stop()
	s.tarn.db.Close()
}

// search asks a contender; exact is by a scan.
func (s *filteredStores) search(name string, f *narrow, ef int, exact, answers bool) (said, error) {
	if name != "tarn" {
		return s.peer.ask(ask{Do: "search", Acorn: name != "qdrant-edge", Ef: ef, Times: 1, Queries: s.queries, Answers: answers, Exact: exact, Narrow: f})
	}
	opts := []tarn.SearchOption{tarn.WithEf(ef), tarn.WithoutPayload(), tarn.WithFilter(f.tarn())}
	if exact {
		opts = append(opts, tarn.WithExact())
	}
	var answer said
	start := processor()
	for _, q := range s.tarn.asked[:s.queries] {
		found, err := s.tarn.c.Search(context.Background(), q, neighbours, opts...)
		if err != nil {
			return answer, err
		}
		if !answers {
			continue
		}
		rows := make([]uint32, len(found))
		for i, r := range found {
			rows[i] = uint32(r.ID)
		}
		answer.Rows = append(answer.Rows, rows)
	}
	answer.Seconds = processor() - start
	return answer, nil
}

// row measures all contenders under one filter.
func (s *filteredStores) row(share float64, f *narrow) (string, error) {
	truth, err := s.search("tarn", f, 10, true, true)
	if err != nil {
		return "", err
	}
	theirs, err := s.search("qdrant-edge", f, 10, true, true)
	if err != nil {
		return "", err
	}
	recalls := map[string]map[int]float64{}
	for _, name := range filterPeers {
		recalls[name] = map[int]float64{}
		for _, ef := range filterBeams {
			got, err := s.search(name, f, ef, false, true)
			if err != nil {
				return "", err
			}
			recalls[name][ef] = agreement(got.Rows, truth.Rows)
		}
	}
	qps := map[string][]float64{}
	bound := map[string]string{}
	for round := range s.rounds {
		curves := map[string][]point{}
		for _, ef := range filterBeams {
			for i := range filterPeers {
				name := filterPeers[(i+round)%len(filterPeers)]
				took, err := s.search(name, f, ef, false, false)
				if err != nil {
					return "", err
				}
				curves[name] = append(curves[name], point{ef, recalls[name][ef], float64(s.queries) / took.Seconds})
			}
		}
		for _, name := range filterPeers {
			v, atLeast, ok := at(curves[name], 0.95)
			if atLeast {
				bound[name] = ">= "
			}
			if ok {
				qps[name] = append(qps[name], v)
			}
		}
	}
	cells := ""
	for _, name := range filterPeers {
		if len(qps[name]) < s.rounds {
			cells += " - |"
			continue
		}
		cells += fmt.Sprintf(" %s%.0f |", bound[name], median(qps[name]))
	}
	best := []float64{}
	for i := range qps["tarn"] {
		most := 0.0
		for _, name := range filterPeers[1:] {
			if i < len(qps[name]) {
				most = max(most, qps[name][i])
			}
		}
		if most > 0 {
			best = append(best, qps["tarn"][i]/most)
		}
	}
	return fmt.Sprintf("| %v | %s | %d |%s **%.1f** | %.3f, %.3f | %.3f |", share, f.Field, f.matches, cells, median(best),
		recalls["tarn"][80], recalls["qdrant-edge"][80], agreement(theirs.Rows, truth.Rows)), nil
}

// agreement is the share of the rows of truth that are in got.
func agreement(got, truth [][]uint32) float64 {
	hits, of := 0, 0
	for i, rows := range truth {
		for _, row := range rows {
			if slices.Contains(got[i], row) {
				hits++
			}
		}
		of += len(rows)
	}
	return float64(hits) / float64(max(1, of))
}

func filtersReport(rows []string, rounds, queries int) string {
	tier, _ := kernel.Tier()
	var b strings.Builder
	fmt.Fprintf(&b, "## Searches under a filter, beside qdrant-edge\n\n%s, kernel %s, %s.\n\n", machine(), tier, time.Now().UTC().Format(time.DateOnly))
	fmt.Fprintf(&b, "debdocs-minilm (80 000 x 384, cosine) with its real attributes, each with an index: words (a number), package and section (texts).\n"+
		"k = 10, M = %d, efConstruction = %d, one thread, %d queries, one call each, requests made before the clock starts; queries per second of\n"+
		"the processor at recall@10 0.95 against the exact answer, by interpolation between beams %v, medians of %d rounds in turn;\n"+
		"`>=`: the narrowest beam is above already. The ratio is to the better of qdrant-edge and its ACORN search. Exact: what of Tarn's exact\n"+
		"answer qdrant-edge's exact search returns too (ties may differ). Versions: requirements-stores.txt. Repeat it with\n\n"+
		"    cd bench/peers && TARN_DATA=folder go run . filters\n\n", linksM, efConstruction, queries, filterBeams, rounds)
	b.WriteString("| s | by | matches | tarn | qdrant-edge | with ACORN | tarn / best | recall at ef 80: tarn, qdrant-edge | exact |\n|" + strings.Repeat("---|", 9) + "\n")
	b.WriteString(strings.Join(rows, "\n") + "\n")
	return b.String()
}
