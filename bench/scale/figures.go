package main

import (
	"fmt"
	"io"
)

// figures are what one run measured.
type figures struct {
	Points     int
	DurablePS  float64 // points a second, streamed, until all are durable
	IndexedPS  float64 // points a second, from the first send to an empty delta
	InsertUS   float64 // µs of the processors a point, from the first send to an empty delta
	RebuildUS  float64 // µs of the processors a point, of a Rebuild
	RebuildS   float64 // its time by the clock
	Recall     float64 // at 10, default ef
	Distances  float64 // computed by a search
	SearchUS   float64 // µs of the processors a search
	P50, P99   float64 // µs a search by the clock
	CloseMS    float64
	OpenMS     float64    // from Open to the first answer, closed properly before
	Anonymous  float64    // MB, after the searches that follow Open
	FileBacked float64    // MB in the page cache that the process maps
	Disk       float64    // MB
	Parts      [4]float64 // of it, MB: vectors, codes, graph, the rest
}

// compare prints two runs side by side.
func compare(w io.Writer, small, large figures) {
	fmt.Fprintf(w, "| | %d points | %d points | ratio |\n|---|---|---|---|\n", small.Points, large.Points)
	row := func(name, format string, a, b float64) {
		fmt.Fprintf(w, "| %s | "+format+" | "+format+" | %.2f |\n", name, a, b, b/a)
	}
	row("streamed and durable, points/s", "%.0f", small.DurablePS, large.DurablePS)
	row("indexed, points/s", "%.0f", small.IndexedPS, large.IndexedPS)
	row("streamed, durable and indexed, µs of the processors a point", "%.0f", small.InsertUS, large.InsertUS)
	row("rebuild, µs of the processors a point", "%.0f", small.RebuildUS, large.RebuildUS)
	row("rebuild, s", "%.1f", small.RebuildS, large.RebuildS)
	row("recall@10, default ef", "%.4f", small.Recall, large.Recall)
	row("distances a search", "%.0f", small.Distances, large.Distances)
	row("search, µs of the processors", "%.0f", small.SearchUS, large.SearchUS)
	row("search p50, µs", "%.0f", small.P50, large.P50)
	row("search p99, µs", "%.0f", small.P99, large.P99)
	row("close, ms", "%.0f", small.CloseMS, large.CloseMS)
	row("open to first answer, ms", "%.1f", small.OpenMS, large.OpenMS)
	row("anonymous memory, MB", "%.0f", small.Anonymous, large.Anonymous)
	row("mapped files in memory, MB", "%.0f", small.FileBacked, large.FileBacked)
	row("disk, MB", "%.0f", small.Disk, large.Disk)
	for i, part := range parts {
		row("of it "+part+", bytes a point", "%.0f", small.Parts[i]*1e6/float64(small.Points), large.Parts[i]*1e6/float64(large.Points))
	}
	row("anonymous memory, bytes a point", "%.0f", small.Anonymous*1e6/float64(small.Points), large.Anonymous*1e6/float64(large.Points))
}
