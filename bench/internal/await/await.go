package await

import (
	"context"
	"fmt"
	"time"

	"github.com/tarndb/tarn"
)

// A store stands still when so many looks in a row show the same. Looks are counted,
// not time: a process that got no processor for a while was not idle.
const (
	pause    = time.Millisecond // between two looks
	parked   = 1_000            // looks at a delta beside which others search
	idle     = 100              // looks at everything
	patience = 10 * time.Minute // I2
)

// Store is a collection.
type Store interface{ Stats() tarn.Stats }

// Indexed waits until the delta is empty, or holds only what stays there for good, and
// returns when that came to be (I3).
func Indexed(ctx context.Context, s Store) (time.Time, error) {
	w, err := until(ctx, s, func(w *watch) bool {
		return w.st.InDelta == 0 || w.few() && !w.st.Rebuilding && w.sameDelta >= parked
	})
	return w.changed, err
}

// Idle waits until a store that nobody asks does nothing: what can be indexed is, the
// audit that follows is done, which is when the graph computes no more distances of
// its own, and no graph or index of a field is being built.
func Idle(ctx context.Context, s Store) error {
	_, err := until(ctx, s, func(w *watch) bool {
		return w.few() && !w.st.Rebuilding && w.st.FieldsBuilding == 0 && w.same >= idle
	})
	return err
}

// watch is what the looks at a store have shown.
type watch struct {
	st        tarn.Stats
	changed   time.Time // when the delta was seen to change
	least     int       // points in the delta, ever
	leastAt   time.Time
	sameDelta int // looks since the delta changed
	same      int // looks since it changed or a distance was computed
}

// until looks at a store until done says so.
func until(ctx context.Context, s Store, done func(*watch) bool) (*watch, error) {
	w, now := &watch{st: s.Stats()}, time.Now()
	w.changed, w.least, w.leastAt = now, w.st.InDelta, now
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for !done(w) {
		if now.Sub(w.leastAt) > patience {
			return w, w.stuck()
		}
		select {
		case <-ctx.Done():
			return w, ctx.Err()
		case <-tick.C:
		}
		now = time.Now()
		w.look(s.Stats(), now)
	}
	return w, nil
}

func (w *watch) look(st tarn.Stats, now time.Time) {
	w.same++
	w.sameDelta++
	if st.InDelta != w.st.InDelta {
		w.same, w.sameDelta, w.changed = 0, 0, now
	}
	if st.GraphDistances != w.st.GraphDistances {
		w.same = 0
	}
	if st.InDelta < w.least {
		w.least, w.leastAt = st.InDelta, now
	}
	w.st = st
}

// few reports whether what is in the delta may stay there (I1).
func (w *watch) few() bool { return w.st.InDelta <= w.st.Points/1_000 }

func (w *watch) stuck() error {
	return fmt.Errorf("the store does not come to rest: %d of %d points are in the delta, which has not been smaller for %v; rebuilding: %t, field indexes building: %d",
		w.st.InDelta, w.st.Points, patience, w.st.Rebuilding, w.st.FieldsBuilding)
}
