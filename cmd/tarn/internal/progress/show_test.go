package progress

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is time that passes when it is told to.
type clock struct{ t time.Time }

func (c *clock) now() time.Time       { return c.t }
func (c *clock) pass(d time.Duration) { c.t = c.t.Add(d) }
func newClock() *clock                { return &clock{time.Unix(1e9, 0)} }
func (c *clock) over(s Show, width *int) *show {
	p := s.(*show)
	p.now = c.now
	if width != nil {
		p.width = func() int { return *width }
	}
	return p
}

func TestLinesTellEveryFifthOrEveryPause(t *testing.T) {
	var b bytes.Buffer
	c := newClock()
	p := c.over(NewLines(&b, 0), nil)
	p.Say("hello %d", 1)
	p.Start("streaming", 1000, Things)
	for range 1000 {
		p.Add(1)
	}
	p.Add(5) // more than was announced
	p.Stop()
	var want strings.Builder
	want.WriteString("hello 1\n")
	for n := 20; n <= 100; n += 20 {
		fmt.Fprintf(&want, "streaming: %d %%, %s of 1 000\n", n, Thousands(n*10))
	}
	require.Equal(t, want.String(), strings.ReplaceAll(b.String(), ", 0s left", ""))

	b.Reset()
	p = c.over(NewLines(&b, 5*time.Second), nil)
	p.Start("row 1", 1_000_000, Bytes)
	p.Set(100_000)
	require.Empty(t, b.String(), "not at once")
	c.pass(10 * time.Second)
	p.Label("row 5 000")
	p.Set(350_000)
	require.Equal(t, "row 5 000: 35 %, 350.0 kB of 1.0 MB, 26s left, 25.0 kB/s\n", b.String(), "what was skipped is no rate")
	p.Stop()
}

// screen is what a terminal shows of what was written: it wraps at its width, and
// knows the few codes that a bar uses.
type screen struct {
	width    int
	rows     [][]rune
	row, col int
}

func (s *screen) Write(b []byte) (int, error) {
	text := []rune(string(b))
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\n':
			s.row, s.col = s.row+1, 0
		case text[i] == '\r':
			s.col = 0
		case text[i] == 0x1b:
			n, code := 0, rune(0)
			for i += 2; code == 0; i++ {
				if text[i] >= '0' && text[i] <= '9' {
					n = n*10 + int(text[i]-'0')
				} else {
					code = text[i]
				}
			}
			i--
			if code == 'A' {
				s.row = max(0, s.row-n)
			} else if code == 'J' {
				s.at()
				s.rows = s.rows[:s.row+1]
				s.rows[s.row] = s.rows[s.row][:min(s.col, len(s.rows[s.row]))]
			}
		default:
			if s.col == s.width {
				s.row, s.col = s.row+1, 0
			}
			s.at()
			for len(s.rows[s.row]) <= s.col {
				s.rows[s.row] = append(s.rows[s.row], ' ')
			}
			s.rows[s.row][s.col] = text[i]
			s.col++
		}
	}
	return len(b), nil
}

func (s *screen) at() {
	for len(s.rows) <= s.row {
		s.rows = append(s.rows, nil)
	}
}

// resize makes the terminal narrower, which wraps the row of the cursor.
func (s *screen) resize(width int) {
	s.width = width
	s.at()
	for len(s.rows[s.row]) > width {
		rest := s.rows[s.row][width:]
		s.rows[s.row] = s.rows[s.row][:width]
		s.row, s.col = s.row+1, len(rest)
		s.at()
		s.rows[s.row] = append([]rune{}, rest...)
	}
}

func (s *screen) lines() (all []string) {
	for _, r := range s.rows {
		all = append(all, strings.TrimRight(string(r), " "))
	}
	return all
}

func TestI1_ABarNeverWrapsOnAnyTerminal(t *testing.T) {
	for width := 2; width <= 130; width++ {
		s := &screen{width: width}
		c := newClock()
		p := c.over(NewBar(s), &s.width)
		p.Start("asking for every point", 1_000_000, Things)
		for range 20 {
			c.pass(time.Second)
			p.Add(50_000)
		}
		require.Len(t, s.lines(), 1, "width %d", width)
		p.Stop()
		p.Start("reading", 0, Bytes) // how much there is is not known
		for range 5 {
			c.pass(time.Second)
			p.Add(12_345_678)
		}
		require.Len(t, s.lines(), 2, "width %d: %q", width, s.lines())
		p.Stop()
	}
}

func TestABarAt40_80_And120Columns(t *testing.T) {
	for width, want := range map[int]string{
		40:  "streaming  [#########..........]   50 %",
		80:  "streaming  [############............]   50 %  5 000 of 10 000  5s left  1 000/s",
		120: "streaming               [###############...............]   50 %  5 000 of 10 000  5s left  1 000/s",
	} {
		s := &screen{width: width}
		c := newClock()
		p := c.over(NewBar(s), &s.width)
		p.Start("streaming", 10_000, Things)
		c.pass(5 * time.Second)
		p.Add(5_000)
		require.Equal(t, []string{want}, s.lines(), "width %d", width)
	}
}

func TestABarLeavesNothingBehindWhenTheTerminalBecomesNarrower(t *testing.T) {
	s := &screen{width: 120}
	c := newClock()
	p := c.over(NewBar(s), &s.width)
	p.Start("streaming", 10_000, Things)
	for n, width := range []int{120, 40, 120, 25, 80, 10} {
		s.resize(width)
		c.pass(time.Second)
		p.Add(1_000)
		require.Len(t, s.lines(), 1, "step %d: %q", n, s.lines())
	}
	p.Say("between")
	p.Stop()
	require.Equal(t, []string{"between", "streaming"}, s.lines())
}
