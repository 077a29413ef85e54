package ingest

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// Bar draws on a terminal: bytes read, rate, time left, lines stored.
type Bar struct {
	w io.Writer
	b *progressbar.ProgressBar
}

// NewBar returns a Progress for a terminal.
func NewBar(w io.Writer) *Bar { return &Bar{w: w} }

// Show moves the bar.
func (p *Bar) Show(done, total int64, lines uint64) {
	if p.b == nil {
		if total == 0 {
			total = -1
		}
		p.b = progressbar.NewOptions64(total,
			progressbar.OptionSetWriter(p.w),
			progressbar.OptionSetWidth(28),
			progressbar.OptionShowBytes(true),
			progressbar.OptionShowCount(),
			progressbar.OptionSetPredictTime(true),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionUseANSICodes(true),
		)
	}
	p.b.Describe(fmt.Sprintf("line %d", lines))
	_ = p.b.Set64(done) // a bar that cannot be drawn is no reason to stop
}

// End leaves the bar as it is.
func (p *Bar) End() {
	if p.b != nil {
		_ = p.b.Exit()
		fmt.Fprintln(p.w)
	}
}

// Lines prints a line now and then, for logs and pipes.
type Lines struct {
	w            io.Writer
	begun, spoke time.Time
	first, done  int64  // bytes at the first call and the last
	from, lines  uint64 // lines likewise
	total        int64
}

// pause is how often Lines speaks.
const pause = 5 * time.Second

// NewLines returns a Progress for anything that is no terminal.
func NewLines(w io.Writer) *Lines { return &Lines{w: w} }

// Show prints how far it is, how fast, and how long it will take.
func (p *Lines) Show(done, total int64, lines uint64) {
	now := time.Now()
	if p.begun.IsZero() {
		p.begun, p.spoke, p.first, p.from = now, now, done, lines
	}
	p.done, p.total, p.lines = done, total, lines
	if now.Sub(p.spoke) >= pause {
		p.spoke = now
		p.say(now)
	}
}

func (p *Lines) say(now time.Time) {
	took := now.Sub(p.begun).Seconds()
	if took <= 0 {
		took = 1e-9
	}
	fmt.Fprintf(p.w, "line %d, %.0f lines/s", p.lines, float64(p.lines-p.from)/took)
	if rate := float64(p.done-p.first) / took; p.total > 0 && rate > 0 {
		left := time.Duration(float64(p.total-p.done) / rate * float64(time.Second))
		fmt.Fprintf(p.w, ", %d %% read, %v left", 100*p.done/p.total, left.Round(time.Second))
	}
	fmt.Fprintln(p.w)
}

// End says nothing: the summary does.
func (p *Lines) End() {}
