package demo

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/tarndb/tarn"
)

// k is how many results every search of the demo asks for.
const k = 10

// tie is how far two float32 cosine distances of the same two directions may
// lie apart by rounding.
const tie = 1e-6

// tally counts what searches found.
type tally struct {
	mu          sync.Mutex
	searches    int
	misses      int
	stale       int
	resurrected map[uint64]bool
}

// judge counts the answer to a search for x, which began when x was formed.
func (t *tally) judge(l *ledger, x expectation, answer []tarn.Result) {
	v := look(x, answer)
	steady := l.still(x)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.searches++
	for _, r := range answer {
		if l.goneBefore(x, r.ID) {
			t.revive(r.ID)
		}
	}
	if !steady {
		return
	}
	if !v.found {
		t.misses++
	}
	if v.stale {
		t.stale++
	}
}

// seen counts a deleted id that was read.
func (t *tally) seen(id uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.revive(id)
}

// into writes the counts into the report.
func (t *tally) into(r *Report) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r.Searches, r.Misses, r.Stale, r.Resurrected = t.searches, t.misses, t.stale, len(t.resurrected)
}

// revive counts a deleted id that was seen again. The caller holds mu.
func (t *tally) revive(id uint64) {
	if t.resurrected == nil {
		t.resurrected = map[uint64]bool{}
	}
	t.resurrected[id] = true
}

type verdict struct {
	found bool // x, or another point at the same distance, comes first
	stale bool // x is shown at a place where it no longer is, or twice
}

// look compares the answer to a search by x's own vector with what it must be.
func look(x expectation, answer []tarn.Result) verdict {
	var v verdict
	own, seen := float32(0), 0
	for _, r := range answer {
		if r.ID == x.id {
			own = r.Distance
			seen++
		}
	}
	v.found = len(answer) > 0 && (answer[0].ID == x.id || answer[0].Distance <= own+tie)
	v.stale = seen > 1 || own > tie
	return v
}

// searcher asks for points by their own vectors for as long as it is let.
type searcher struct {
	c      *tarn.Collection
	ledger *ledger
	tally  *tally
	stop   chan struct{}
	done   chan struct{}

	// the searcher's until done is closed
	took []time.Duration
	err  error
}

func startSearcher(ctx context.Context, c *tarn.Collection, l *ledger, t *tally) *searcher {
	s := &searcher{c: c, ledger: l, tally: t, stop: make(chan struct{}), done: make(chan struct{})}
	go s.run(ctx)
	return s
}

func (s *searcher) run(ctx context.Context) {
	defer close(s.done)
	rng := rand.New(rand.NewPCG(1, 2))
	for s.err == nil {
		select {
		case <-s.stop:
			return
		case <-ctx.Done():
			return
		default:
		}
		x, ok := s.pick(rng)
		if !ok {
			time.Sleep(time.Millisecond) // nothing was acknowledged yet
			continue
		}
		var took time.Duration
		took, s.err = ask(ctx, s.c, s.ledger, s.tally, x)
		s.took = append(s.took, took)
	}
}

// pick returns one of the points acknowledged last, and now and then any other.
func (s *searcher) pick(rng *rand.Rand) (expectation, bool) {
	if rng.IntN(8) == 0 {
		return s.ledger.expect(1 + rng.Uint64N(uint64(len(s.ledger.entries)-1)))
	}
	for back := rng.IntN(8); ; back++ { // past those that are on the move again
		id := s.ledger.newest(back)
		if id == 0 {
			return expectation{}, false
		}
		if x, ok := s.ledger.expect(id); ok {
			return x, true
		}
	}
}

// ask searches for x by its own vector and counts the answer.
func ask(ctx context.Context, c *tarn.Collection, l *ledger, t *tally, x expectation) (time.Duration, error) {
	start := time.Now()
	answer, err := c.Search(ctx, x.vector, k, tarn.WithoutPayload())
	took := time.Since(start)
	if err != nil {
		return took, err
	}
	t.judge(l, x, answer)
	return took, nil
}

// close stops the searcher and returns how long its searches took.
func (s *searcher) close(ctx context.Context) ([]time.Duration, error) {
	close(s.stop)
	<-s.done
	if ctx.Err() != nil {
		return s.took, context.Cause(ctx)
	}
	return s.took, s.err
}
