package demo

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/tarndb/tarn/cmd/tarn/internal/progress"
)

// printer remembers the first error of a row of prints.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, strings.TrimRight(format, " ")+"\n", args...)
	}
}

func (p *printer) row(name, format string, args ...any) {
	p.line("%-16s %s", name, fmt.Sprintf(format, args...))
}

// quantile returns the smallest value that at least q of all do not exceed.
func quantile(values []time.Duration, q float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	at := int(math.Ceil(q*float64(len(sorted)))) - 1
	return sorted[min(max(at, 0), len(sorted)-1)]
}

func milliseconds(d time.Duration) float64 { return round(float64(d)/1e6, 100) }
func microseconds(d time.Duration) float64 { return round(float64(d)/1e3, 10) }

func round(v, parts float64) float64 { return math.Round(v*parts) / parts }

// thousands returns a number with its thousands apart.
func thousands(n int) string { return progress.Thousands(n) }

func yes(is bool) string {
	if is {
		return "yes"
	}
	return "NO"
}

// clip shortens text to n characters.
func clip(text string, n int) string {
	runes := []rune(text)
	if len(runes) <= n {
		return text
	}
	return strings.TrimRight(string(runes[:n-1]), " ") + "…"
}

// processor names the processor, where the system tells.
func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}
