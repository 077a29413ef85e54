package progress

import (
	"fmt"
	"io"
	"math"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// Show shows how far work is.
type Show interface {
	Say(format string, args ...any)        // a line that stays
	Start(label string, total int, u Unit) // ends what was shown before; total 0: not known
	Set(done int)                          // so many are done
	Add(n int)                             // so many more are done
	Label(label string)                    // what is worked at now
	Stop()                                 // ends what was shown
}

// Unit is what is counted.
type Unit int

// Things are points, lines, questions; Bytes are printed as sizes.
const (
	Things Unit = iota
	Bytes
)

// New returns a bar for a terminal, and for anything else a line now and then.
func New(w io.Writer) Show {
	if IsTerminal(w) {
		return NewBar(w)
	}
	return NewLines(w, 5*time.Second)
}

// NewBar returns a bar on a terminal.
func NewBar(w io.Writer) Show {
	return &show{w: w, now: time.Now, pause: 100 * time.Millisecond, width: func() int {
		if n := Columns(w); n > 0 {
			return n
		}
		return 80
	}}
}

// NewLines returns lines for logs and pipes: one per pause, and, if that is 0, one
// per fifth.
func NewLines(w io.Writer, pause time.Duration) Show {
	return &show{w: w, now: time.Now, pause: pause}
}

// IsTerminal reports whether w is one.
func IsTerminal(w io.Writer) bool { return terminal(w) != nil }

// Columns returns how wide a terminal is, 0 for what is none.
func Columns(w io.Writer) int {
	f := terminal(w)
	if f == nil {
		return 0
	}
	n, _, err := term.GetSize(int(f.Fd()))
	if err != nil || n < 1 {
		return 80
	}
	return n
}

// terminal returns the terminal that w is, or writes to; nil if there is none.
func terminal(w io.Writer) *os.File {
	for {
		inner, ok := w.(interface{ Unwrap() io.Writer })
		if !ok {
			break
		}
		w = inner.Unwrap()
	}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return f
}

// show is a bar, or lines if width is nil.
type show struct {
	w     io.Writer
	now   func() time.Time
	pause time.Duration // between two drawings
	width func() int

	mu           sync.Mutex
	running      bool
	state        state
	begun, drawn time.Time
	length       int // of what is drawn, 0: nothing
}

// state is what is shown.
type state struct {
	label       string
	unit        Unit
	first, done int // first: where the rate begins
	total       int
	seconds     float64
}

func (s *show) Say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	fmt.Fprintf(s.w, format+"\n", args...)
	if s.running && s.width != nil {
		s.draw()
	}
}

// Begun, if a test has set it, is told what begins, before it does.
var Begun func(label string)

func (s *show) Start(label string, total int, u Unit) {
	if Begun != nil {
		Begun(label)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop()
	s.running = true
	s.state = state{label: label, unit: u, total: total}
	s.begun = s.now()
	s.drawn = s.begun
	if s.width != nil {
		s.draw()
	}
}

func (s *show) Set(done int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set(done)
}

func (s *show) Add(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set(s.state.done + n)
}

func (s *show) set(done int) {
	if !s.running {
		return
	}
	before := s.fifths()
	if s.state.total > 0 {
		done = min(done, s.state.total)
	}
	if s.state.done == 0 && s.state.first == 0 && s.state.unit == Bytes {
		s.state.first = done // what was skipped at once is no rate
	}
	s.state.done = done
	due := s.now().Sub(s.drawn) >= s.pause
	if s.pause == 0 {
		due = s.fifths() > before
	}
	if !due {
		return
	}
	s.drawn = s.now()
	s.draw()
}

func (s *show) fifths() int { return s.state.done * 5 / max(s.state.total, 1) }

func (s *show) Label(label string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.label = label
}

func (s *show) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop()
}

func (s *show) stop() {
	if s.running && s.width != nil {
		s.draw()
		fmt.Fprintln(s.w)
	}
	s.running, s.length = false, 0
}

func (s *show) draw() {
	s.state.seconds = s.now().Sub(s.begun).Seconds()
	if s.width == nil {
		fmt.Fprintln(s.w, s.state.line())
		return
	}
	s.clear()
	text := s.state.bar(s.width() - 1) // I1
	s.length = len([]rune(text))
	fmt.Fprint(s.w, text)
}

// clear takes away what is drawn, with the rows that a narrower terminal has made
// of it.
func (s *show) clear() {
	if s.width == nil || s.length == 0 {
		return
	}
	if rows := (s.length - 1) / max(s.width(), 1); rows > 0 {
		fmt.Fprintf(s.w, "\x1b[%dA", rows)
	}
	fmt.Fprint(s.w, "\r\x1b[J")
	s.length = 0
}

// rate returns how many are done in a second, and how long the rest takes.
func (t *state) rate() (perSecond float64, left time.Duration, ok bool) {
	perSecond = float64(t.done-t.first) / math.Max(t.seconds, 1e-3)
	if t.total == 0 || perSecond <= 0 {
		return perSecond, 0, false
	}
	left = time.Duration(float64(t.total-t.done) / perSecond * float64(time.Second))
	return perSecond, left.Round(time.Second), left < 1000*time.Hour
}
