package main

import (
	"math"
	"os"
	"path/filepath"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
)

// plot draws every contender's queries per second against its recall, the medians
// of the rounds.
func (f *figures) plot(path string) error {
	p := plot.New()
	p.Title.Text = f.Set
	p.X.Label.Text = "recall@10 (the misses on a logarithmic scale)"
	p.Y.Label.Text = "queries per second, one thread"
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	p.X.Tick.Marker = plot.ConstantTicks{
		{Value: misses(0.8), Label: "0.8"}, {Value: misses(0.9), Label: "0.9"}, {Value: misses(0.95), Label: "0.95"},
		{Value: misses(0.99), Label: "0.99"}, {Value: misses(0.995), Label: "0.995"}, {Value: misses(0.999), Label: "0.999"},
	}
	p.Add(plotter.NewGrid())
	for i, name := range rivals {
		rounds := f.Rounds[name]
		var line plotter.XYs
		for at := range rounds[0] {
			var values []float64
			for _, round := range rounds {
				values = append(values, round[at].Value)
			}
			if recall := rounds[0][at].Recall; recall >= 0.75 && recall < 0.9999 {
				line = append(line, plotter.XY{X: misses(recall), Y: median(values)})
			}
		}
		if len(line) == 0 {
			continue
		}
		l, s, err := plotter.NewLinePoints(line)
		if err != nil {
			return err
		}
		l.Color, s.Color, s.Shape = plotutil.Color(i), plotutil.Color(i), plotutil.Shape(i)
		if name == "tarn" {
			l.Width = vg.Points(2)
		}
		p.Add(l, s)
		p.Legend.Add(name, l, s)
	}
	p.Legend.Top = true
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return p.Save(18*vg.Centimeter, 12*vg.Centimeter, path)
}

// misses spreads recalls near 1.
func misses(recall float64) float64 { return -math.Log10(1 - recall) }
