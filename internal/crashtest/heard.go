package crashtest

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// heard is how far a child came, by what it said.
type heard struct {
	begun  bool // it is about to open the store
	opened bool
	sent   []int // per producer: operations that were about to be sent, at most
	acked  []int // per producer: operations that were acknowledged; always a prefix
	acks   int   // of all producers
	churn  churned
}

// listen reads what a child says until it is gone, and calls each with what was
// heard so far after every line. A last line that was cut off was not said.
func (c Config) listen(r io.Reader, each func(heard)) (heard, error) {
	h := heard{sent: make([]int, len(c.Producers)), acked: make([]int, len(c.Producers))}
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			return h, nil
		}
		if err != nil {
			return h, err
		}
		if err := h.take(strings.TrimSuffix(line, "\n")); err != nil {
			return h, fmt.Errorf("child said %q: %w", line, err)
		}
		each(h)
	}
}

func (h *heard) take(line string) error {
	switch line {
	case "B":
		h.begun = true
		return nil
	case "O":
		h.opened = true
		return nil
	}
	if h.churn.take(line) {
		return nil
	}
	var what rune
	var p, n int
	if _, err := fmt.Sscanf(line, "%c %d %d", &what, &p, &n); err != nil {
		return err
	}
	if p < 0 || p >= len(h.sent) {
		return fmt.Errorf("no producer %d", p)
	}
	switch what {
	case 'S':
		h.sent[p] = n
	case 'A', 'D':
		if n != h.acked[p] {
			return fmt.Errorf("operation %d acknowledged after %d", n, h.acked[p]-1)
		}
		h.acked[p]++
		h.acks++
	default:
		return fmt.Errorf("no such line")
	}
	return nil
}
