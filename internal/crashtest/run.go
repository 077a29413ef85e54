package crashtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tarndb/tarn"
)

// patience is how long a child may stay silent.
const patience = 2 * time.Minute

// Summary adds up what many kills showed.
type Summary struct {
	Kills      int
	Opening    int           // of them, before the child had opened the store
	Acked      int           // operations acknowledged
	Unacked    int           // operations sent, not acknowledged and not there: allowed, counted
	Longest    time.Duration // from Open to its return after a kill
	Violations []string      // each with the kill that showed it
}

// violated keeps the first few problems of a kill and counts the rest: one
// cause often shows in every id.
func (s *Summary) violated(c Config, problems []string) {
	const few = 8
	for i, p := range problems {
		if i == few {
			p = fmt.Sprintf("and %d more", len(problems)-few)
		}
		s.Violations = append(s.Violations, fmt.Sprintf("seed %d, kill %d: %s", c.Seed, c.Cycle, p))
		if i == few {
			return
		}
	}
}

// Run kills a child kills times in the middle of c's workload and checks after
// each what is there. The error is of the harness; violations are in the Summary.
func Run(ctx context.Context, c Config, kills int) (Summary, error) {
	o, err := c.prepare(ctx)
	if err != nil {
		return Summary{}, fmt.Errorf("prepare: %w", err)
	}
	var s Summary
	for range kills {
		if err := o.cycle(ctx, &s); err != nil {
			return s, fmt.Errorf("kill %d of seed %d: %w", o.Cycle, c.Seed, err)
		}
		if len(s.Violations) > 0 {
			return s, nil // what follows would only repeat it
		}
		o.Cycle++
	}
	return s, nil
}

// prepare makes the store and what is there from the start.
func (c Config) prepare(ctx context.Context) (o oracle, err error) {
	o = oracle{Config: c, before: contents{}, positions: make([]uint64, len(c.Producers))}
	if c.Fresh {
		return o, nil
	}
	db, err := tarn.Open(c.Dir, nil)
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	col, err := db.EnsureCollection(ctx, collection, c.collection())
	if err != nil {
		return o, err
	}
	const atOnce = 500
	for i := 0; i < c.Preload; i += atOnce {
		var points []tarn.Point
		for j := i; j < min(i+atOnce, c.Preload); j++ {
			p := c.preloadedPoint(j)
			o.before[preloaded+uint64(j)] = checksum(p)
			points = append(points, p)
		}
		if err := col.Upsert(ctx, points...); err != nil {
			return o, err
		}
	}
	return o, nil
}

// cycle is one kill and its checks.
func (o *oracle) cycle(ctx context.Context, s *Summary) error {
	h, err := o.kill(ctx)
	if err != nil {
		return err
	}
	s.Kills++
	s.Acked += h.acks
	if !h.opened {
		s.Opening++
	}
	for depth := range o.Nested {
		nested, err := o.killNested(ctx, depth)
		if err != nil {
			return err
		}
		s.Kills++
		if !nested.opened {
			s.Opening++
		}
	}
	violation := func(problems ...string) { s.violated(o.Config, problems) }
	start := time.Now()
	db, err := tarn.Open(o.Dir, nil)
	if err != nil {
		violation(fmt.Sprintf("open after the kill: %v", err))
		return nil
	}
	s.Longest = max(s.Longest, time.Since(start))
	found, err := o.inspect(ctx, db)
	if err = errors.Join(err, db.Close()); err != nil {
		violation(fmt.Sprintf("after the kill: %v", err))
		return nil
	}
	out := o.judge(h, found.contents, found.positions)
	violation(out.violations...)
	violation(unique(found.problems)...)
	s.Unacked += out.unacked
	if bound := o.bound(); out.unacked > bound {
		violation(fmt.Sprintf("A02: %d operations that were sent are not there, more than the %d that may wait", out.unacked, bound))
	}
	o.before, o.positions = found.contents, found.positions
	if o.Churn {
		problems, err := o.churned(ctx, h.churn)
		if err != nil {
			violation(fmt.Sprintf("other collections: %v", err))
		}
		violation(problems...)
	}

	problems, err := o.idle()
	if err != nil {
		violation(fmt.Sprintf("open and close without writes: %v", err))
	}
	violation(problems...)
	return nil
}

// bound is how many operations may be sent and not written: what the stream's
// queue holds, and one call of each producer.
func (o *oracle) bound() int {
	return o.collection().Streaming.BufferSize + largest*len(o.Producers)
}

// inspect looks at everything while recovery still works in the background, and
// again when the delta is empty: nothing may have changed.
func (o *oracle) inspect(ctx context.Context, db *tarn.DB) (seen, error) {
	col, err := db.Collection(collection)
	if errors.Is(err, tarn.ErrNotFound) && o.Fresh && len(o.before) == 0 {
		return seen{positions: make([]uint64, len(o.Producers))}, nil // judge says whether that is right
	}
	if err != nil {
		return seen{}, err
	}
	if _, err := col.Stream(); err != nil {
		return seen{}, fmt.Errorf("the stream after Open: %w", err)
	}
	found, err := o.look(ctx, col)
	if err != nil {
		return found, err
	}
	if _, err := settle(ctx, col); err != nil {
		return found, err
	}
	report, err := db.Verify(ctx)
	if err != nil {
		return found, fmt.Errorf("verify: %w", err)
	}
	for _, f := range report.Findings {
		found.problem("O4: Verify: %+v", f)
	}
	again, err := o.look(ctx, col)
	found.problems = append(found.problems, again.problems...)
	if !maps.Equal(found.contents, again.contents) || !slices.Equal(found.positions, again.positions) {
		found.problem("O4: what is there changed while nothing was written")
	}
	st, failed := settle(ctx, col) // an audit may have put points back into the delta meanwhile
	if err == nil {
		err = failed
	}
	if st.InGraph != st.Points || st.Points != len(again.contents) {
		found.problem("O4: %d points, the graph has %d of %d", len(again.contents), st.InGraph, st.Points)
	}
	return found, err
}

// idle is O5: open and close without writes write no file.
func (o *oracle) idle() ([]string, error) {
	before, err := tree(o.Dir)
	if err != nil {
		return nil, err
	}
	db, err := tarn.Open(o.Dir, nil)
	if err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	after, err := tree(o.Dir)
	if err != nil {
		return nil, err
	}
	var problems []string
	for _, change := range written(before, after) {
		problems = append(problems, "O5: open and close without writes: "+change)
	}
	return problems, nil
}
