package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/bench/internal/data"
)

// runbook is the sliding window of the streaming track of big-ann-benchmarks, made
// anew: the rows come in Parts equal parts; each step inserts the next, from half of
// the parts on deletes the oldest, and the queries are asked against what is there.
// It goes over the rows Laps times, under new ids.
//
//	step    0        1          Parts/2        Parts/2+1
//	        +part 0  +part 1 …  +part Parts/2  +part Parts/2+1 …
//	                            -part 0        -part 1
type runbook struct {
	Rows, Dim, Intrinsic int
	Parts, Laps          int
	Ef, Every            int
	set                  *data.Set
}

func (b *runbook) part() int   { return b.Rows / b.Parts }
func (b *runbook) window() int { return b.Parts / 2 * b.part() }

// moved is a step of the runbook, ids from and to.
type moved struct{ insertFrom, insertTo, deleteFrom, deleteTo int }

// steps yields all of them.
func (b *runbook) steps(yield func(moved) error) error {
	for to := b.part(); to <= b.Laps*b.Rows; to += b.part() {
		m := moved{to - b.part(), to, 0, 0}
		if to > b.window() {
			m.deleteFrom, m.deleteTo = to-b.window()-b.part(), to-b.window()
		}
		if err := yield(m); err != nil {
			return err
		}
	}
	return nil
}

// windowed is a contender under the window. Times are seconds.
type windowed interface {
	insert(from, to int) (took float64, err error)
	remove(from, to int) (took float64, err error)
	search(ef int) (ids [][]uint32, took float64, err error)
	end() error
}

// seen is what a contender was like at one step.
type seen struct {
	Written    int // rows inserted up to then
	Recall     float64
	Stale      int     // answers that were deleted before
	SearchUS   float64 // µs a search
	WrittenPer float64 // points a second, inserted and deleted, since the last look
}

var windowRivals = []string{"tarn", "tarn, rebuilt each lap", "hnswlib", "usearch"}

// window measures the window section of RESULTS.md.
func window(args []string) error {
	b := runbook{}
	flags := flag.NewFlagSet("window", flag.ContinueOnError)
	flags.IntVar(&b.Rows, "n", 20_000, "rows; the window holds half of them")
	flags.IntVar(&b.Dim, "dim", 128, "dimensions")
	flags.IntVar(&b.Intrinsic, "intrinsic", 16, "dimensions that the rows really fill")
	flags.IntVar(&b.Parts, "parts", 100, "parts that the rows come in")
	flags.IntVar(&b.Laps, "laps", 4, "how often the window goes over the rows")
	flags.IntVar(&b.Ef, "ef", 16, "the beam of searches")
	flags.IntVar(&b.Every, "every", 10, "steps between two looks")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if b.Parts < 2 || b.Rows < b.Parts || b.Every < 1 {
		return errors.New("window: it takes two parts of a row each at least")
	}
	if err := venv(); err != nil {
		return err
	}
	b.set = data.Generate(data.Shape{N: b.Rows, Dim: b.Dim, Intrinsic: b.Intrinsic, Queries: 100, Metric: tarn.L2})
	work, err := os.MkdirTemp("", "tarn-peers-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	rows := filepath.Join(work, "rows")
	if err := writeRows(rows, b.set, false); err != nil {
		return err
	}
	all := map[string][]seen{}
	for _, name := range windowRivals {
		if all[name], err = b.run(name, rows, work); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := plotWindow(all, filepath.Join(plotsFolder, "window.svg")); err != nil {
		return err
	}
	return writeFragment("window", b.report(all))
}

// run takes one contender through the runbook.
func (b *runbook) run(name, rows, work string) (looks []seen, err error) {
	var w windowed
	if strings.HasPrefix(name, "tarn") {
		w, err = startTarnWindow(b, filepath.Join(work, name), strings.Contains(name, "rebuilt"))
	} else {
		w, err = startWindow(name, rows, b.window()+b.part())
	}
	if err != nil {
		return nil, err
	}
	n, took, moves := 0, 0.0, 0
	err = b.steps(func(m moved) error {
		inserted, err := w.insert(m.insertFrom, m.insertTo)
		if err != nil {
			return err
		}
		removed := 0.0
		if m.deleteTo > m.deleteFrom {
			if removed, err = w.remove(m.deleteFrom, m.deleteTo); err != nil {
				return err
			}
		}
		took, moves = took+inserted+removed, moves+m.insertTo-m.insertFrom+m.deleteTo-m.deleteFrom
		if n++; n%b.Every != 0 {
			return nil
		}
		s, err := b.look(w, m.deleteTo, m.insertTo)
		s.WrittenPer = float64(moves) / took
		took, moves = 0, 0
		looks = append(looks, s)
		return err
	})
	return looks, errors.Join(err, w.end())
}

// look asks all queries while the ids of a range are there.
func (b *runbook) look(w windowed, from, to int) (seen, error) {
	s := seen{Written: to}
	found, took, err := w.search(b.Ef)
	if err != nil {
		return s, err
	}
	s.SearchUS = took / float64(len(found)) * 1e6
	for i, ids := range found {
		truth := data.NewNearest(tarn.L2, b.set.Queries[i], neighbours)
		for id := from; id < to; id++ {
			truth.Show(b.set.Base[id%b.Rows])
		}
		var answer [][]float32
		for _, id := range ids {
			if int(id) < from || int(id) >= to {
				s.Stale++
				continue
			}
			answer = append(answer, b.set.Base[int(id)%b.Rows])
		}
		s.Recall += truth.Share(answer) / float64(len(found))
	}
	return s, nil
}
