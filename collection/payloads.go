package collection

import (
	"fmt"
	"iter"
	"sync"

	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/meta"
)

// payloads keeps those that are newer than the checkpoint, by slot. Readers look
// here first and then in meta.db; an entry leaves only after it was committed
// there, so one of the two has it.
type payloads struct {
	mu     sync.RWMutex
	fresh  slotBlobs
	frozen slotBlobs // what the checkpoint that is being written takes
}

// putAll takes those of a batch, before any of its slots is live.
func (p *payloads) putAll(ops []op) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range ops {
		if data := ops[i].blob(); data != nil && !ops[i].isDelete() {
			p.fresh.put(ops[i].slot, data)
		}
	}
}

// drop forgets the payload of a slot that may be written again.
func (p *payloads) drop(slot uint32) {
	p.mu.Lock()
	p.fresh.drop(slot)
	p.mu.Unlock()
}

func (p *payloads) get(slot uint32) ([]byte, bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	data, ok := p.fresh.get(slot)
	if !ok {
		data, ok = p.frozen.get(slot)
	}
	return data, ok
}

// freeze returns all entries by slot, which stay as they are until thaw, which must
// follow.
func (p *payloads) freeze() iter.Seq2[uint32, []byte] {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frozen, p.fresh = p.fresh, slotBlobs{}
	frozen := p.frozen
	return frozen.all()
}

// thaw drops the frozen entries once they are committed, or takes them back.
func (p *payloads) thaw(committed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !committed {
		back := p.frozen
		for slot, data := range p.fresh.all() {
			back.put(slot, data)
		}
		p.fresh = back
	}
	p.frozen = slotBlobs{}
}

// read fills out[i] with the payload of slots[i], nil where has says none.
func (p *payloads) read(m *meta.Store, slots []uint32, has func(uint32) bool, out [][]byte) error {
	var missing []uint32
	var places []int
	for i, slot := range slots {
		if out[i] = nil; !has(slot) {
			continue
		}
		data, ok := p.get(slot)
		if !ok {
			missing, places = append(missing, slot), append(places, i)
			continue
		}
		out[i] = data
	}
	if len(missing) == 0 {
		return nil
	}
	found := make([][]byte, len(missing))
	if err := m.Payloads(missing, found); err != nil {
		return err
	}
	for i, place := range places {
		if found[i] == nil { // the slot's entry says that it has one
			return fmt.Errorf("%s: %w: the payload of slot %d is missing", metaName, codec.ErrCorrupt, missing[i])
		}
		out[place] = found[i]
	}
	return nil
}
