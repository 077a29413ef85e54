package demo

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// Progress shows how far the demo is.
type Progress interface {
	Say(format string, args ...any) // a line that stays
	Start(label string, total int)  // ends what was shown before
	Add(n int)                      // so many more are done
	Stop()                          // ends what was shown
}

// Silent shows nothing.
type Silent struct{}

func (Silent) Say(string, ...any) {}
func (Silent) Start(string, int)  {}
func (Silent) Add(int)            {}
func (Silent) Stop()              {}

// Bar draws on a terminal.
type Bar struct {
	w  io.Writer
	mu sync.Mutex
	b  *progressbar.ProgressBar
}

// NewBar returns a Progress for a terminal.
func NewBar(w io.Writer) *Bar { return &Bar{w: w} }

func (p *Bar) Say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.b != nil {
		_ = p.b.Clear() // a bar that cannot be drawn is no reason to stop
	}
	fmt.Fprintf(p.w, format+"\n", args...)
}

func (p *Bar) Start(label string, total int) {
	p.Stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.b = progressbar.NewOptions(total,
		progressbar.OptionSetWriter(p.w),
		progressbar.OptionSetDescription(fmt.Sprintf("%-23s", label)),
		progressbar.OptionSetWidth(28),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionThrottle(50*time.Millisecond),
		progressbar.OptionUseANSICodes(true),
	)
}

func (p *Bar) Add(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.b != nil {
		_ = p.b.Add(n)
	}
}

func (p *Bar) Stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.b != nil {
		_ = p.b.Exit()
		fmt.Fprintln(p.w)
		p.b = nil
	}
}

// Lines prints a line for every fifth, for logs and pipes.
type Lines struct {
	w           io.Writer
	mu          sync.Mutex
	label       string
	total, done int
}

// NewLines returns a Progress for anything that is no terminal.
func NewLines(w io.Writer) *Lines { return &Lines{w: w} }

func (p *Lines) Say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.w, format+"\n", args...)
}

func (p *Lines) Start(label string, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.label, p.total, p.done = label, total, 0
}

func (p *Lines) Add(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.fifths()
	p.done = min(p.done+n, p.total)
	if p.fifths() > before {
		fmt.Fprintf(p.w, "%s: %s of %s\n", p.label, thousands(p.done), thousands(p.total))
	}
}

func (p *Lines) fifths() int { return p.done * 5 / max(p.total, 1) }

func (p *Lines) Stop() {}
