package streaming

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// model is what a run of random operations accepted, in order.
type model struct {
	in      *Ingester[int]
	s       *sink
	cfg     Config
	sent    int
	waiting sync.WaitGroup
	mu      sync.Mutex
	took    []acceptance
	lost    int // the call of Flush whose batch did not become durable; 0: none
}

// acceptance is a ticket and the items it stands for.
type acceptance struct {
	ticket Ticket
	items  []int
	group  bool
}

func (m *model) accepted(t Ticket, items []int, group bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(items) > 0 {
		m.took = append(m.took, acceptance{t, items, group})
	}
}

func (m *model) next(n int) []int {
	m.sent += n
	return upTo(m.sent-n, m.sent)
}

// step does one random thing.
func (m *model) step(t *rapid.T) {
	ctx := context.Background()
	switch rapid.IntRange(0, 9).Draw(t, "op") {
	case 0, 1, 2:
		items := m.next(1)
		if ticket, err := m.in.TrySend(items[0]); err == nil {
			m.accepted(ticket, items, false)
		}
	case 3:
		items := m.next(rapid.IntRange(1, 12).Draw(t, "n"))
		n, ticket, _ := m.in.TrySendBatch(items)
		m.accepted(ticket, items[:n], false)
	case 4, 5:
		items, group := m.next(rapid.IntRange(1, 12).Draw(t, "n")), rapid.Bool().Draw(t, "group")
		ctx, cancel := context.WithTimeout(ctx, time.Duration(rapid.IntRange(1, 200).Draw(t, "patience"))*ms)
		m.waiting.Go(func() {
			defer cancel()
			if !group {
				n, ticket, _ := m.in.SendBatch(ctx, items)
				m.accepted(ticket, items[:n], false)
			} else if ticket, err := m.in.SendGroup(ctx, items); err == nil {
				m.accepted(ticket, items, true)
			}
		})
		synctest.Wait()
	case 6:
		m.waiting.Go(func() { m.in.Flush(ctx) })
	case 7:
		if rapid.Bool().Draw(t, "close intake") {
			m.in.CloseIntake()
		} else {
			m.in.Reopen()
		}
	default:
		time.Sleep(time.Duration(rapid.IntRange(1, 60).Draw(t, "ms")) * ms)
	}
	stats := m.in.Stats()
	requireSum(t, stats)
	require.LessOrEqual(t, stats.Queued, m.cfg.BufferSize)
}

// fate is a random outcome of a flush.
func fate(kind, i int) func(context.Context, []int) error {
	return func(ctx context.Context, items []int) error {
		switch kind {
		case 0:
			return errFull
		case 1:
			at := i % len(items)
			return &PartialError{[]FailedRange{{at, at + 1, errDisk}}}
		case 2:
			<-ctx.Done()
			return ctx.Err()
		case 3:
			time.Sleep(time.Duration(i) * ms)
		case 4:
			if i == 0 {
				return errDisk
			}
		}
		return nil
	}
}

// wait is what a batch waits for: mostly for nothing or some time; rarely it is lost,
// and all after it.
func (m *model) wait(kind int) func() error {
	if kind < 6 {
		return nil
	}
	last := len(m.s.calls)
	return func() error {
		if kind < 29 {
			time.Sleep(time.Duration(kind) * ms)
			return nil
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.lost == 0 {
			m.lost = last
		}
		return errDisk
	}
}

// finish ends the stream in one way or another and returns what was handed back.
func (m *model) finish(t *rapid.T) []int {
	switch rapid.IntRange(0, 3).Draw(t, "end") {
	case 0:
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rapid.IntRange(0, 300).Draw(t, "deadline"))*ms)
		defer cancel()
		rest, err := m.in.Shutdown(ctx)
		require.True(t, err != nil || len(rest) == 0)
		return rest
	case 1:
		m.in.Kill(errDisk)
		fallthrough
	case 2:
		return m.in.Abort()
	default:
		m.s.then(nil)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		rest, _ := m.in.Shutdown(ctx)
		return rest
	}
}

// check compares what became of every item with what its ticket says.
func (m *model) check(t *rapid.T, rest []int) {
	slices.SortFunc(m.took, func(a, b acceptance) int { return int(a.ticket.from) - int(b.ticket.from) })
	var accepted []int
	for _, a := range m.took {
		accepted = append(accepted, a.items...)
	}
	fates := map[int]error{}
	var flushed []int
	for _, told := range m.s.told {
		fates[told.item] = told.err
		flushed = append(flushed, told.item)
	}
	require.Equal(t, accepted, flushed, "each accepted item is settled once, in order")
	var want []int // the calls that had an outcome, then what was handed back
	for i, c := range m.s.calls {
		var part *PartialError
		if m.lost > 0 && i+1 >= m.lost {
			break
		}
		if c.err == nil || errors.As(c.err, &part) {
			want = append(want, c.items...)
		}
	}
	require.Equal(t, accepted, append(want, rest...), "written or refused, or handed back")
	for _, x := range rest {
		require.Error(t, fates[x])
	}
	for _, a := range m.took {
		err := a.ticket.Wait(context.Background())
		i := slices.IndexFunc(a.items, func(x int) bool { return fates[x] != nil })
		if i < 0 {
			require.NoError(t, err)
		} else {
			require.Equal(t, fates[a.items[i]], err)
		}
	}
	stats := m.in.Stats()
	requireSum(t, stats)
	require.Zero(t, stats.Queued)
	require.EqualValues(t, len(accepted), stats.Accepted)
	require.EqualValues(t, m.sent-len(accepted), stats.Rejected)
}

// checkGroups requires that each group was flushed by itself (I5).
func (m *model) checkGroups(t *rapid.T) {
	group := map[int][]int{}
	for _, a := range m.took {
		for _, x := range a.items {
			if a.group {
				group[x] = a.items
			}
		}
	}
	for _, c := range m.s.calls {
		for _, x := range c.items {
			if g := group[x]; g != nil {
				require.Equal(t, g, c.items)
			}
		}
	}
}

func TestI1_WhatIsAcceptedIsWrittenOrHandedBackExactlyInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(struct{ testing.TB }{t}, func(t *rapid.T) { // not a *testing.T: a bubble has no deadline
			m := &model{s: newSink(), cfg: Config{
				BufferSize: rapid.IntRange(1, 40).Draw(t, "buffer"),
				BatchSize:  rapid.IntRange(1, 20).Draw(t, "batch"),
				MaxBytes:   int64(rapid.IntRange(8, 400).Draw(t, "bytes")),
			}}
			kinds := rapid.SliceOfN(rapid.IntRange(0, 12), 1, 20).Draw(t, "fates")
			waits := rapid.SliceOfN(rapid.IntRange(0, 30), 1, 20).Draw(t, "waits")
			i := 0
			m.s.then(func(ctx context.Context, items []int) error {
				i++
				return fate(kinds[i%len(kinds)], i%7)(ctx, items)
			})
			in, err := New(Options[int]{
				Config:    m.cfg,
				Flush:     m.s.flush,
				Durable:   func() func() error { return m.wait(waits[i%len(waits)]) },
				Settled:   m.s.settled,
				Transient: func(err error) bool { return errors.Is(err, errFull) },
				Size:      func(int) int { return 8 },
			})
			require.NoError(t, err)
			m.in = in
			for range rapid.IntRange(1, 60).Draw(t, "steps") {
				m.step(t)
			}
			rest := m.finish(t)
			m.in.Abort()
			m.waiting.Wait()
			m.check(t, rest)
			m.checkGroups(t)
		})
	})
}
