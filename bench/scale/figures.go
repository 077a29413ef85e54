package main

import (
	"fmt"
	"io"
)

// figures are what one run measured.
type figures struct {
	Points     int
	DurablePS  float64 // points a second, streamed with tickets
	IndexedPS  float64 // points a second, from the first send to an empty delta
	Recall     float64 // at 10, default ef
	P50, P99   float64 // µs a search
	CloseMS    float64
	OpenMS     float64 // from Open to the first answer, closed properly before
	Anonymous  float64 // MB, after the searches that follow Open
	FileBacked float64 // MB in the page cache that the process maps
	Disk       float64 // MB
}

// compare prints two runs side by side.
func compare(w io.Writer, small, large figures) {
	fmt.Fprintf(w, "| | %d points | %d points | ratio |\n|---|---|---|---|\n", small.Points, large.Points)
	row := func(name, format string, a, b float64) {
		fmt.Fprintf(w, "| %s | "+format+" | "+format+" | %.2f |\n", name, a, b, b/a)
	}
	row("streamed and durable, points/s", "%.0f", small.DurablePS, large.DurablePS)
	row("indexed, points/s", "%.0f", small.IndexedPS, large.IndexedPS)
	row("recall@10, default ef", "%.4f", small.Recall, large.Recall)
	row("search p50, µs", "%.0f", small.P50, large.P50)
	row("search p99, µs", "%.0f", small.P99, large.P99)
	row("close, ms", "%.0f", small.CloseMS, large.CloseMS)
	row("open to first answer, ms", "%.1f", small.OpenMS, large.OpenMS)
	row("anonymous memory, MB", "%.0f", small.Anonymous, large.Anonymous)
	row("mapped files in memory, MB", "%.0f", small.FileBacked, large.FileBacked)
	row("disk, MB", "%.0f", small.Disk, large.Disk)
}
