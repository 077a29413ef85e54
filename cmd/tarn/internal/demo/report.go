package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"runtime"
	"time"

	"github.com/tarndb/tarn/cmd/tarn/internal/godoc"
)

// MinRecall is the recall@10 below which the demo counts as failed.
const MinRecall = 0.95

// Report is what the demo saw.
type Report struct {
	Dataset string `json:"dataset"`
	Dim     int    `json:"dim"`
	Machine string `json:"machine"`

	Points   int `json:"points"`   // live at the end
	Accepted int `json:"accepted"` // writes that went through the stream at full speed
	Deleted  int `json:"deleted"`
	Moved    int `json:"moved"`
	Rebuilds int `json:"rebuilds"`

	AcceptedPerS float64 `json:"accepted_per_s"`
	DurableP50MS float64 `json:"durable_p50_ms"` // from Send to Ticket.Wait returning
	DurableP99MS float64 `json:"durable_p99_ms"`
	RebuildMS    float64 `json:"rebuild_ms"`
	ReopenMS     float64 `json:"reopen_ms"` // from Open to the first answer

	Searches    int     `json:"searches"`
	Misses      int     `json:"misses"`
	Stale       int     `json:"stale"` // answers that showed a moved point where it was before, or twice
	SearchP50US float64 `json:"search_p50_us"`
	SearchP99US float64 `json:"search_p99_us"`

	Lost           int     `json:"lost"`
	Resurrected    int     `json:"resurrected"`
	StreamRestored bool    `json:"stream_restored"`
	RecallAt10     float64 `json:"recall_at_10"`
	InGraph        int     `json:"in_graph"` // when recall was measured
	InDelta        int     `json:"in_delta"`
	DiskBytes      int64   `json:"disk_bytes"`

	Questions []Question `json:"questions"`

	feeding     time.Duration
	waits       []time.Duration
	searchTimes []time.Duration
	lost        map[uint64]bool
}

// Question is one question with the symbols nearest to it.
type Question struct {
	Text    string    `json:"text"`
	Nearest []Nearest `json:"nearest"`
}

// Nearest is one symbol of an answer.
type Nearest struct {
	Symbol   string  `json:"symbol"`
	Distance float32 `json:"distance"`
	Doc      string  `json:"doc"`
}

func (r *Report) describe(set *godoc.Set) {
	r.Dataset, r.Dim = "godoc-minilm", set.Dim
	r.Machine = fmt.Sprintf("%s, %d cores, %s/%s, %s", processor(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
}

// accepted adds what one feed sent, and how long each write waited.
func (r *Report) accepted(n int, took time.Duration, waits []time.Duration) {
	r.Accepted += n
	r.feeding += took
	r.waits = append(r.waits, waits...)
	r.AcceptedPerS = math.Round(float64(r.Accepted) / max(r.feeding.Seconds(), 1e-9))
	r.DurableP50MS = milliseconds(quantile(r.waits, 0.50))
	r.DurableP99MS = milliseconds(quantile(r.waits, 0.99))
}

// searched adds how long searches took.
func (r *Report) searched(took []time.Duration) {
	r.searchTimes = append(r.searchTimes, took...)
	r.SearchP50US = microseconds(quantile(r.searchTimes, 0.50))
	r.SearchP99US = microseconds(quantile(r.searchTimes, 0.99))
}

// lose counts an id that is not there, or not as it was written, once.
func (r *Report) lose(id uint64) {
	if r.lost == nil {
		r.lost = map[uint64]bool{}
	}
	r.lost[id] = true
}

// Broken names the promises that were not kept.
func (r *Report) Broken() []string {
	var out []string
	broken := func(is bool, format string, args ...any) {
		if is {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	broken(r.Misses > 0, "%d of %d searches missed an acknowledged point", r.Misses, r.Searches)
	broken(r.Stale > 0, "%d answers showed a moved point where it was before", r.Stale)
	broken(r.Lost > 0, "%d acknowledged points were lost", r.Lost)
	broken(r.Resurrected > 0, "%d deleted points came back", r.Resurrected)
	broken(!r.StreamRestored, "the stream was not running after Open")
	broken(r.RecallAt10 < MinRecall, "recall@10 is %.3f, under %.2f", r.RecallAt10, MinRecall)
	return out
}

// WriteJSON prints the report as one JSON object.
func (r *Report) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(r)
}

// WriteText prints the report for people, in lines of at most as many columns where
// a text can be cut.
func (r *Report) WriteText(w io.Writer, columns int) error {
	p := &printer{w: w}
	symbol := 34 // columns for a name, and what is left for its text
	if columns < 120 {
		symbol = 28
	}
	doc := max(columns-len("  0.123    ")-symbol, 20)
	p.line("")
	for _, q := range r.Questions {
		p.line("%s", q.Text)
		for _, n := range q.Nearest {
			p.line("  %.3f  %-*s  %s", n.Distance, symbol, clip(n.Symbol, symbol), clip(n.Doc, doc))
		}
		p.line("")
	}
	p.row("points", "%s of %d dimensions", thousands(r.Points), r.Dim)
	p.row("on the way", "%s deleted, %s moved, %d rebuild in %.0f ms",
		thousands(r.Deleted), thousands(r.Moved), r.Rebuilds, r.RebuildMS)
	p.row("accepted", "%s a second", thousands(int(r.AcceptedPerS)))
	p.row("until durable", "p50 %.1f ms, p99 %.1f ms", r.DurableP50MS, r.DurableP99MS)
	p.row("searches", "%s made, %d missed, %d out of date", thousands(r.Searches), r.Misses, r.Stale)
	p.row("while streaming", "p50 %.0f µs, p99 %.0f µs a search", r.SearchP50US, r.SearchP99US)
	p.row("recall@10", "%.4f over %s points in the graph and %s beside it", r.RecallAt10, thousands(r.InGraph), thousands(r.InDelta))
	p.row("reopened", "first answer %.1f ms after Open, stream running: %s", r.ReopenMS, yes(r.StreamRestored))
	p.row("lost", "%d", r.Lost)
	p.row("came back", "%d of the deleted", r.Resurrected)
	p.row("on disk", "%.1f MB", float64(r.DiskBytes)/1e6)
	p.row("machine", "%s", r.Machine)
	return p.err
}
