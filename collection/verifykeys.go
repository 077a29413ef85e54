package collection

import (
	"context"

	"github.com/tarndb/tarn/internal/codec"
)

// keys checks of each live point that its key leads to its id. That there are as many
// keys as points is part of what the tables say of themselves.
func (v *verifier) keys(ctx context.Context) error {
	if !v.c.byKey() {
		return nil
	}
	batch := make([]uint32, 0, matchBatch)
	var wrong []uint32
	check := func() error {
		bad, err := v.wrongKeys(batch)
		wrong, batch = append(wrong, bad...), batch[:0]
		return err
	}
	err := v.guarded(metaName, func() error {
		for slot := range v.live.All() {
			if batch = append(batch, slot); len(batch) < matchBatch {
				continue
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := check(); err != nil {
				return err
			}
		}
		return check()
	})
	if err != nil || len(wrong) == 0 {
		return err
	}
	return v.stillWrong(ctx, wrong)
}

// wrongKeys returns those of slots whose key leads elsewhere.
func (v *verifier) wrongKeys(slots []uint32) (wrong []uint32, err error) {
	names, err := v.c.keysOf(slots)
	if err != nil {
		return nil, err
	}
	ids, err := v.c.keyIDs(names)
	if err != nil {
		return nil, err
	}
	for i, slot := range slots {
		if names[i] == "" || ids[i] != v.c.store.ID(slot) {
			wrong = append(wrong, slot)
		}
	}
	return wrong, nil
}

// stillWrong looks again at points that may have gone meanwhile, without writes.
func (v *verifier) stillWrong(ctx context.Context, slots []uint32) error {
	c := v.c
	if err := c.lockWriter(ctx, c.gate.closing()); err != nil {
		return err
	}
	defer c.unlockWriter()
	return v.guarded(metaName, func() error {
		wrong, err := v.wrongKeys(slots)
		for _, slot := range wrong {
			if c.live.Has(slot) {
				v.found(metaName, -1, "%v: the key of slot %d does not lead to its id %d", codec.ErrCorrupt, slot, c.store.ID(slot))
			}
		}
		return err
	})
}
