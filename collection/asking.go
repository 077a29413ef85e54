package collection

import (
	"context"
	"sync/atomic"

	"github.com/tarndb/tarn/internal/bitmap"
)

// asking asks a new graph for what it holds.
type asking struct {
	c     *Collection
	g     engine
	ef    int
	lost  bitmap.Set  // not found, however they were linked
	loose *bitmap.Set // to be asked for again
}

// askRounds bounds how often all are asked for: what is linked anew may push out
// others. After that nothing is linked any more, and what is lost stays in the delta.
const askRounds = 4

// all asks for slots, until nothing had to be linked.
func (a *asking) all(ctx context.Context, slots []uint32) error {
	if _, ok := a.g.(linker); !ok {
		return nil
	}
	for range askRounds {
		var linked atomic.Int64
		a.loose = new(bitmap.Set) // all are asked for, those too
		err := a.c.crewDo(ctx, "asking for every point", slots, func(slot uint32) error {
			if a.g.Finds(slot, a.ef) {
				a.found(slot, true)
				return nil
			}
			linked.Add(1)
			return a.each(ctx, slot, a.c.linked)
		})
		if err != nil || linked.Load() == 0 {
			return err
		}
	}
	a.loose = new(bitmap.Set)
	return a.only(ctx, slots)
}

// only asks for slots and links nothing.
func (a *asking) only(ctx context.Context, slots []uint32) error {
	if len(slots) == 0 {
		return ctx.Err()
	}
	return a.c.crewDo(ctx, "asking for every point", slots, func(slot uint32) error {
		a.found(slot, a.g.Finds(slot, a.ef))
		return nil
	})
}

// settle asks for what was pushed out since it was asked for.
func (a *asking) settle(ctx context.Context) error {
	a.c.hook("rebuild: before asking again")
	var slots []uint32
	for slot := range a.loose.All() {
		if a.g.Contains(slot) {
			slots = append(slots, slot)
		}
	}
	a.loose = new(bitmap.Set)
	return a.only(ctx, slots)
}

func (a *asking) found(slot uint32, yes bool) {
	if yes {
		a.lost.Remove(slot)
	} else {
		a.lost.Add(slot)
	}
}

// each does something with a slot and notes what comes of it.
func (a *asking) each(ctx context.Context, slot uint32, do func(ctx context.Context, g engine, slot uint32, ef int, loose []uint32) (bool, []uint32, error)) error {
	found, loose, err := do(ctx, a.g, slot, a.ef, nil)
	if err != nil {
		return err
	}
	for _, s := range loose {
		a.loose.Add(s)
	}
	a.found(slot, found)
	return nil
}
