package sweep

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// Point is what one beam came to; times are in microseconds.
type Point struct {
	Ef        int     `json:"ef"`
	Recall    float64 `json:"recall"`
	P50       float64 `json:"p50_us"`
	P99       float64 `json:"p99_us"`
	PerSecond float64 `json:"searches_per_s"`
}

// Draw writes the picture, in the format that file's name ends with.
func Draw(w io.Writer, file, title string, k int, points []Point) error {
	p := plot.New()
	p.Title.Text = title
	p.X.Label.Text = fmt.Sprintf("recall@%d", k)
	p.Y.Label.Text = "microseconds a search, median"
	p.Add(plotter.NewGrid())
	xy, names := make(plotter.XYs, len(points)), make([]string, len(points))
	for i, at := range points {
		xy[i] = plotter.XY{X: at.Recall, Y: at.P50}
		names[i] = fmt.Sprintf(" ef %d", at.Ef)
	}
	line, marks, err := plotter.NewLinePoints(xy)
	if err != nil {
		return err
	}
	labels, err := plotter.NewLabels(plotter.XYLabels{XYs: xy, Labels: names})
	if err != nil {
		return err
	}
	p.Add(line, marks, labels)
	out, err := p.WriterTo(16*vg.Centimeter, 11*vg.Centimeter, strings.TrimPrefix(filepath.Ext(file), "."))
	if err != nil {
		return fmt.Errorf("%s: %w; its name must end with .png, .svg or .pdf", file, err)
	}
	_, err = out.WriteTo(w)
	return err
}
