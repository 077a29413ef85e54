package crashtest

import (
	"context"
	"fmt"
	"strconv"

	"github.com/tarndb/tarn"
)

// key is the key of the point that the workload knows by id.
func key(id uint64) string { return "point " + strconv.FormatUint(id, 10) }

// named returns p as it is written: with a key in place of its id, if points have
// keys.
func (c Config) named(p tarn.Point) tarn.Point {
	if c.Named {
		p.ID, p.Key = 0, key(p.ID)
	}
	return p
}

// idOf returns the id by which the workload knows what the store calls id and name.
func (c Config) idOf(id uint64, name string) (uint64, error) {
	if !c.Named {
		return id, nil
	}
	var n uint64
	if _, err := fmt.Sscanf(name, "point %d", &n); err != nil || key(n) != name {
		return 0, fmt.Errorf("a point has the key %.40q", name)
	}
	return n, nil
}

// get returns the point that the workload knows by id.
func (c Config) get(ctx context.Context, col *tarn.Collection, id uint64) (tarn.Point, error) {
	if c.Named {
		return col.GetKey(ctx, key(id))
	}
	return col.Get(ctx, id)
}

// remove deletes the points that the workload knows by ids.
func (c Config) remove(ctx context.Context, col *tarn.Collection, ids []uint64) error {
	if !c.Named {
		_, err := col.Delete(ctx, ids...)
		return err
	}
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = key(id)
	}
	_, err := col.DeleteKeys(ctx, keys...)
	return err
}

// send deletes in a stream the point that the workload knows by id.
func (c Config) send(ctx context.Context, s *tarn.Stream, id uint64) (tarn.Ticket, error) {
	if c.Named {
		return s.DeleteKey(ctx, key(id))
	}
	return s.Delete(ctx, id)
}
