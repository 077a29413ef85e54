package crashtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tarndb/tarn"
)

// seen is everything the public API says about a store.
type seen struct {
	contents
	positions []uint64
	problems  []string // where its parts disagree
}

// look asks col for every id of the workload in every way there is.
func (c Config) look(ctx context.Context, col *tarn.Collection) (seen, error) {
	s := seen{contents: contents{}}
	for p, err := range col.All(ctx) {
		if err != nil {
			return s, fmt.Errorf("all: %w", err)
		}
		if p.ID, err = c.idOf(p.ID, p.Key); err != nil {
			return s, err
		}
		if _, twice := s.contents[p.ID]; twice {
			s.problem("O4: id %d: listed twice", p.ID)
		}
		s.contents[p.ID] = checksum(p)
		if err := c.lookup(ctx, col, p, &s); err != nil {
			return s, err
		}
	}
	for p := range c.Producers {
		for i := range c.IDs {
			id := c.id(p, i)
			if _, ok := s.contents[id]; ok {
				continue
			}
			if _, err := c.get(ctx, col, id); err == nil {
				s.problem("O4: id %d: Get has it, All does not", id)
			} else if !errors.Is(err, tarn.ErrNotFound) {
				return s, fmt.Errorf("get %d: %w", id, err)
			}
		}
		position, _ := col.Position(c.source(p))
		s.positions = append(s.positions, position)
	}
	if n := col.Len(); n != len(s.contents) {
		s.problem("O4: Len is %d, All lists %d", n, len(s.contents))
	}
	return s, nil
}

// lookup compares p, as All listed it, with Get and with searches for its vector.
func (c Config) lookup(ctx context.Context, col *tarn.Collection, p tarn.Point, s *seen) error {
	got, err := c.get(ctx, col, p.ID)
	if err != nil && !errors.Is(err, tarn.ErrNotFound) {
		return fmt.Errorf("get %d: %w", p.ID, err)
	}
	if err != nil || checksum(got) != checksum(p) {
		s.problem("O4: id %d: All lists it, Get says %v or has another", p.ID, err)
	}
	for name, opts := range map[string][]tarn.SearchOption{"a search": nil, "an exact search": {tarn.WithExact()}} {
		if !c.searched(p.ID, name) {
			continue
		}
		found, err := col.Search(ctx, p.Vector, 1, opts...)
		if err != nil {
			return fmt.Errorf("search for %d: %w", p.ID, err)
		}
		id := uint64(0)
		if len(found) == 1 {
			if id, err = c.idOf(found[0].ID, found[0].Key); err != nil {
				return err
			}
		}
		if len(found) != 1 || id != p.ID { // by I2 no two points are at one place
			s.problem("O1: id %d: %s for its vector does not find it", p.ID, name)
		}
	}
	return nil
}

// searched says which points are asked for by which search: each one that a
// producer may have written, and some of those that stay.
func (c Config) searched(id uint64, name string) bool {
	if id < preloaded {
		return true
	}
	every := uint64(16)
	if name != "a search" {
		every = 256
	}
	return id%every == uint64(c.Cycle)%every
}

func (s *seen) problem(format string, args ...any) {
	s.problems = append(s.problems, fmt.Sprintf(format, args...))
}

// settle waits until the delta is empty, and returns what it saw then.
func settle(ctx context.Context, col *tarn.Collection) (tarn.Stats, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		st := col.Stats()
		if st.InDelta == 0 {
			return st, nil
		}
		select {
		case <-ctx.Done():
			return st, fmt.Errorf("%d points are still in the delta: %w", st.InDelta, ctx.Err())
		case <-time.After(time.Millisecond):
		}
	}
}

// unique drops what was seen both times, and puts the rest in order.
func unique(problems []string) []string {
	slices.Sort(problems)
	return slices.Compact(problems)
}
