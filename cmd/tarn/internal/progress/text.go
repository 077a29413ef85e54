package progress

import (
	"fmt"
	"strings"
)

const (
	labelWidth = 22
	leastBar   = 6
	mostBar    = 30
)

// figures returns what is said beside the bar, the most important first.
func (t *state) figures() []string {
	var all []string
	if t.total > 0 {
		all = append(all, fmt.Sprintf("%3d %%", t.done*100/t.total), t.count(t.done)+" of "+t.count(t.total))
	} else {
		all = append(all, t.count(t.done), fmt.Sprintf("%.0f s", t.seconds))
	}
	perSecond, left, ok := t.rate()
	if ok {
		all = append(all, left.String()+" left")
	}
	if t.done > 0 && t.seconds > 0 {
		all = append(all, t.count(int(perSecond))+"/s")
	}
	return all
}

// line is what a log shows.
func (t *state) line() string {
	return t.label + ": " + strings.TrimSpace(strings.Join(t.figures(), ", "))
}

// bar is what a terminal of width columns shows.
func (t *state) bar(width int) string {
	label := []rune(t.label)
	if len(label) > max(width, 0) {
		return string(label[:max(width, 0)])
	}
	wide := append(label, []rune(strings.Repeat(" ", max(0, labelWidth-len(label))))...)
	figures := t.figures()
	for n := len(figures); n > 0; n-- { // I2
		text := "  " + strings.Join(figures[:n], "  ")
		for i, name := range [][]rune{wide, label} {
			rest := width - len(name) - len([]rune(text))
			if t.total == 0 && rest >= 0 {
				return string(name) + text
			}
			if cells := min(rest-4, mostBar); t.total > 0 && cells >= leastBar*(2-i) {
				full := cells * t.done / t.total
				return string(name) + "  [" + strings.Repeat("#", full) + strings.Repeat(".", cells-full) + "]" + text
			}
		}
	}
	if text := "  " + strings.TrimSpace(figures[0]); len(label)+len(text) <= width {
		return string(label) + text
	}
	return string(label)
}

func (t *state) count(n int) string {
	if t.unit == Bytes {
		return Size(int64(n))
	}
	return Thousands(n)
}

// Size returns a number of bytes as people read it.
func Size(n int64) string {
	units := []string{"B", "kB", "MB", "GB", "TB", "PB", "EB"}
	x, u := float64(n), 0
	for x >= 1000 && u < len(units)-1 {
		x /= 1000
		u++
	}
	if u == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", x, units[u])
}

// Thousands returns a number with its thousands apart.
func Thousands[N int | int64 | uint64 | uint32](n N) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return s
}
