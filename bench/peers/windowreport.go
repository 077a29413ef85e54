package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
)

// report is the window section.
func (b *runbook) report(all map[string][]seen) string {
	var t strings.Builder
	fmt.Fprintf(&t, `## A sliding window

The sliding-window runbook of the streaming literature (big-ann-benchmarks), made anew: %d generated rows of %d dimensions (%d intrinsic,
seed 0, L2) come in %d parts; each step inserts a part and, once half of the rows are there, deletes the oldest. The window goes over the rows %d
times under new ids: %d inserts, %d of them live at the end. Every %d steps 100 queries are asked at a beam of %d, and
recall@10 is worked out against what is live then. M 16, efConstruction 200 everywhere. hnswlib: mark_deleted, allow_replace_deleted;
usearch: remove; one thread each. Tarn: Upsert and Delete, each fsynced, its graph caught up with before a search is timed, with no rebuild
at all, and with one Rebuild a lap.

    cd bench/peers && go run . window -n %[1]d -laps %[5]d     larger: -n 1000000 -parts 200 -laps 1

%[10]s.

`, b.Rows, b.Dim, b.Intrinsic, b.Parts, b.Laps, b.Rows*b.Laps, b.window(), b.Every, b.Ef, stamp())
	fmt.Fprintf(&t, "| recall@10 after inserts |")
	looks := all[windowRivals[0]]
	var shown []int
	for i, s := range looks {
		if s.Written >= b.window() && (i == len(looks)-1 || s.Written%b.Rows == 0 || s.Written == b.window()) {
			shown = append(shown, i)
			fmt.Fprintf(&t, " %d |", s.Written)
		}
	}
	fmt.Fprintf(&t, " lowest | deleted ones found | inserts and deletes/s, first full window, last | µs a search, first full window, last |\n|---|%s\n", strings.Repeat("---|", len(shown)+4))
	for _, name := range windowRivals {
		looks := all[name]
		fmt.Fprintf(&t, "| %s |", name)
		for _, i := range shown {
			fmt.Fprintf(&t, " %.4f |", looks[i].Recall)
		}
		lowest, stale := 1.0, 0
		for _, s := range looks {
			if s.Written >= b.window() {
				lowest = min(lowest, s.Recall)
			}
			stale += s.Stale
		}
		first, last := looks[shown[0]], looks[len(looks)-1]
		fmt.Fprintf(&t, " %.4f | %d | %.0f, %.0f | %.0f, %.0f |\n", lowest, stale, first.WrittenPer, last.WrittenPer, first.SearchUS, last.SearchUS)
	}
	t.WriteString("\n![recall while the window moves](plots/window.svg)\n")
	return t.String()
}

// plotWindow draws recall over what was inserted.
func plotWindow(all map[string][]seen, path string) error {
	p := plot.New()
	p.Title.Text = "A sliding window"
	p.X.Label.Text, p.Y.Label.Text = "points inserted", "recall@10"
	p.Add(plotter.NewGrid())
	for i, name := range windowRivals {
		var line plotter.XYs
		for _, s := range all[name] {
			line = append(line, plotter.XY{X: float64(s.Written), Y: s.Recall})
		}
		l, s, err := plotter.NewLinePoints(line)
		if err != nil {
			return err
		}
		l.Color, s.Color, s.Shape = plotutil.Color(i), plotutil.Color(i), plotutil.Shape(i)
		if strings.HasPrefix(name, "tarn") {
			l.Width = vg.Points(2)
		}
		p.Add(l, s)
		p.Legend.Add(name, l, s)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return p.Save(18*vg.Centimeter, 11*vg.Centimeter, path)
}
