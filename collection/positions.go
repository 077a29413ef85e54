package collection

import (
	"maps"
	"sync"
)

// positions keeps, per source, the highest offset that is durable. Offsets that
// are logged and not yet durable wait in order of their LSN.
type positions struct {
	mu      sync.Mutex
	durable map[string]uint64
	waiting []waitingPosition
}

type waitingPosition struct {
	position
	lsn uint64
}

func (p *positions) init(durable map[string]uint64) {
	p.durable = maps.Clone(durable)
	if p.durable == nil {
		p.durable = map[string]uint64{}
	}
}

// add notes that pos was logged at lsn.
func (p *positions) add(pos position, lsn uint64) {
	p.mu.Lock()
	p.waiting = append(p.waiting, waitingPosition{pos, lsn})
	p.mu.Unlock()
}

// get returns the highest offset of source in records up to durableLSN.
func (p *positions) get(source string, durableLSN uint64) (uint64, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settle(durableLSN)
	offset, ok := p.durable[source]
	return offset, ok
}

// at returns the offsets of all sources in records up to lsn, which is durable.
func (p *positions) at(lsn uint64) map[string]uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settle(lsn)
	return maps.Clone(p.durable)
}

func (p *positions) settle(lsn uint64) {
	n := 0
	for ; n < len(p.waiting) && p.waiting[n].lsn <= lsn; n++ {
		p.durable[p.waiting[n].source] = p.waiting[n].offset
	}
	p.waiting = p.waiting[n:]
}
