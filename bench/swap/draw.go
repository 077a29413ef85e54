package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

const (
	width, left, right  = 960, 74, 16
	panelHeight, panels = 120, 4
	top, gap, foot      = 56, 34, 52
)

// panel is one curve, or two, over time.
type panel struct {
	title  string
	unit   string
	log    bool
	curves []curve
}

type curve struct {
	colour string
	name   string
	value  func(s sample) float64
}

// draw returns a recording as a picture.
func draw(rec *recording) string {
	b := &strings.Builder{}
	height := top + panels*(panelHeight+gap) + foot
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="Helvetica, Arial, sans-serif" font-size="12" fill="#222">`+"\n", width, height)
	fmt.Fprintf(b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", width, height)
	fmt.Fprintf(b, `<text x="%d" y="22" font-size="16" font-weight="bold">Points and searches through a burst, a stream and a rebuild</text>`+"\n", left)
	fmt.Fprintf(b, `<text x="%d" y="40" fill="#555">%s; %s</text>`+"\n", left, html.EscapeString(rec.Set), html.EscapeString(rec.summary()))
	for i, p := range []panel{
		{"points in the delta", "", false, []curve{{"#d9480f", "", func(s sample) float64 { return float64(s.InDelta) }}}},
		{"points in the graph", "", false, []curve{{"#1864ab", "", func(s sample) float64 { return float64(s.InGraph) }}}},
		{"search latency", "µs", true, []curve{
			{"#868e96", "p99", func(s sample) float64 { return s.P99 }}, {"#2b8a3e", "p50", func(s sample) float64 { return s.P50 }}}},
		{"misses: an acknowledged point that a search for its own vector did not find", "", false, []curve{{"#c92a2a", "", func(s sample) float64 { return float64(s.Misses) }}}},
	} {
		rec.panel(b, p, float64(top+i*(panelHeight+gap)+18), i == 0)
	}
	bottom := top + panels*(panelHeight+gap)
	end := rec.end()
	step := math.Max(1, math.Round(end/10))
	for t := 0.0; t <= end; t += step {
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle" fill="#555">%.0f s</text>`+"\n", rec.x(t), bottom+4, t)
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" fill="#555">go run ./bench/swap, on %s. Shaded: a rebuild runs. One searcher, k = 10, samples of %v.</text>`+"\n", left, bottom+30, html.EscapeString(rec.Machine), every)
	b.WriteString("</svg>\n")
	return b.String()
}

func (rec *recording) end() float64 { return rec.Samples[len(rec.Samples)-1].At }

func (rec *recording) x(at float64) float64 {
	return left + at/rec.end()*(width-left-right)
}

func (rec *recording) panel(b *strings.Builder, p panel, y float64, named bool) {
	most := 1.0
	for _, s := range rec.Samples {
		for _, c := range p.curves {
			most = math.Max(most, c.value(s))
		}
	}
	low := 0.0
	scale := func(v float64) float64 { return v }
	if p.log {
		low, scale = 1, func(v float64) float64 { return math.Log10(math.Max(v, 10)) }
	}
	high := scale(most)
	at := func(v float64) float64 { return y + panelHeight*(1-(scale(v)-low)/(high-low)) }
	rec.shade(b, y)
	fmt.Fprintf(b, `<rect x="%d" y="%.1f" width="%d" height="%d" fill="none" stroke="#ced4da"/>`+"\n", left, y, width-left-right, panelHeight)
	fmt.Fprintf(b, `<text x="%d" y="%.1f" font-weight="bold">%s</text>`+"\n", left, y-5, p.title)
	for _, v := range ticks(most, p.log) {
		fmt.Fprintf(b, `<text x="%d" y="%.1f" text-anchor="end" fill="#555">%.0f%s</text>`+"\n", left-6, at(v)+4, v, p.unit)
	}
	rec.marks(b, y, named)
	for i, c := range p.curves {
		fmt.Fprintf(b, `<polyline fill="none" stroke="%s" stroke-width="1.5" points="`, c.colour)
		for _, s := range rec.Samples {
			fmt.Fprintf(b, "%.1f,%.1f ", rec.x(s.At), at(c.value(s)))
		}
		b.WriteString(`"/>` + "\n")
		if c.name != "" {
			fmt.Fprintf(b, `<text x="%d" y="%.1f" text-anchor="end" fill="%s">%s</text>`+"\n", width-right-i*40, y-5, c.colour, c.name)
		}
	}
}

// ticks are the values that a panel's axis names.
func ticks(most float64, log bool) []float64 {
	if !log {
		return []float64{0, most}
	}
	of := []float64{10}
	for of[len(of)-1]*10 <= most {
		of = append(of, of[len(of)-1]*10)
	}
	return of
}

// shade marks when a rebuild ran.
func (rec *recording) shade(b *strings.Builder, y float64) {
	for i, s := range rec.Samples {
		if s.Rebuilding && i > 0 {
			from := rec.x(rec.Samples[i-1].At)
			fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%d" fill="#fff3bf"/>`+"\n", from, y, rec.x(s.At)-from+0.3, panelHeight)
		}
	}
}

// marks draws what happened, with its name in the first panel.
func (rec *recording) marks(b *strings.Builder, y float64, named bool) {
	for _, e := range rec.Events {
		x := rec.x(e.At)
		fmt.Fprintf(b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#adb5bd" stroke-dasharray="3 3"/>`+"\n", x, y, x, y+panelHeight)
		if named {
			fmt.Fprintf(b, `<text x="%.1f" y="%.1f" font-size="11" fill="#555" transform="rotate(90 %.1f %.1f)">%s</text>`+"\n", x+4, y+6, x+4, y+6, html.EscapeString(e.What))
		}
	}
}
