package streaming

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	errFull = errors.New("disk is full") // transient
	errDisk = errors.New("disk is gone") // permanent
)

// call is one call of Flush.
type call struct {
	at    time.Duration // since the sink was made
	items []int
	err   error
}

// sink is a Flush that remembers its calls, and does what it is told.
type sink struct {
	mu    sync.Mutex
	start time.Time
	calls []call
	do    func(ctx context.Context, items []int) error // nil: write
	told  []settled
}

type settled struct {
	item int
	err  error
}

func newSink() *sink { return &sink{start: time.Now()} }

func (s *sink) flush(ctx context.Context, items []int) error {
	s.mu.Lock()
	i, do := len(s.calls), s.do
	s.calls = append(s.calls, call{at: time.Since(s.start), items: slices.Clone(items)})
	s.mu.Unlock()
	if do == nil {
		return nil
	}
	err := do(ctx, items)
	s.mu.Lock()
	s.calls[i].err = err
	s.mu.Unlock()
	return err
}

func (s *sink) settled(items []int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range items {
		s.told = append(s.told, settled{x, err})
	}
}

// then changes what the sink does.
func (s *sink) then(do func(ctx context.Context, items []int) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.do = do
}

// sizes returns the number of items of each call.
func (s *sink) sizes() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	var n []int
	for _, c := range s.calls {
		n = append(n, len(c.items))
	}
	return n
}

// times returns when the calls were, in milliseconds.
func (s *sink) times() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	var at []int
	for _, c := range s.calls {
		at = append(at, int(c.at/time.Millisecond))
	}
	return at
}

// written returns the items of the calls that succeeded, in order.
func (s *sink) written() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	var items []int
	for _, c := range s.calls {
		if c.err == nil {
			items = append(items, c.items...)
		}
	}
	return items
}

// start makes a stream of ints into a sink, with errFull as transient error.
func start(t testing.TB, cfg Config, s *sink) *Ingester[int] {
	t.Helper()
	in, err := New(Options[int]{
		Config:    cfg,
		Flush:     s.flush,
		Settled:   s.settled,
		Transient: func(err error) bool { return errors.Is(err, errFull) },
		Points:    func(x int) int { return min(1, max(0, x+1)) }, // negative items are markers
		Size:      func(int) int { return 8 },
	})
	require.NoError(t, err)
	t.Cleanup(func() { in.Abort() })
	return in
}

// send sends the items from..to-1 one by one.
func send(t testing.TB, in *Ingester[int], from, to int) (tickets []Ticket) {
	t.Helper()
	for x := from; x < to; x++ {
		ticket, err := in.TrySend(x)
		require.NoError(t, err)
		tickets = append(tickets, ticket)
	}
	return tickets
}

func upTo(from, to int) []int {
	var items []int
	for x := from; x < to; x++ {
		items = append(items, x)
	}
	return items
}

// requireSum checks that the counters add up (I3).
func requireSum(t require.TestingT, s Stats) {
	require.Equal(t, s.Accepted, s.Written+s.Failed+uint64(s.Queued), "%+v", s)
}
