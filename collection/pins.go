package collection

import (
	"math"
	"sync"
	"sync/atomic"
)

// pin holds slots back from reuse: none that was live when it was taken is written
// again before it is released. The zero pin is not held.
type pin struct {
	at atomic.Uint64 // 0: not held; else the clock when it was taken, plus 1
}

// pins knows every pin of a collection, held or not.
type pins struct {
	mu  sync.Mutex
	all []*pin
}

// register adds a pin that may be held and released any number of times.
func (p *pins) register(x *pin) {
	p.mu.Lock()
	p.all = append(p.all, x)
	p.mu.Unlock()
}

// unregister forgets a pin.
func (p *pins) unregister(x *pin) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, y := range p.all {
		if x == y {
			p.all[i] = p.all[len(p.all)-1]
			p.all = p.all[:len(p.all)-1]
			return
		}
	}
}

// hold takes the pin. What the holder loads afterwards (view, live, slots) is at
// least as new as the clock was: a reclaim that did not see the pin came before.
func (x *pin) hold(clock *atomic.Uint64) { x.at.Store(clock.Load() + 1) }

func (x *pin) release() { x.at.Store(0) }

// oldest returns the earliest time at which a held pin was taken, MaxUint64 without
// one. A slot that died at or before it is out of every holder's sight.
func (p *pins) oldest() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	low := uint64(math.MaxUint64)
	for _, x := range p.all {
		if at := x.at.Load(); at != 0 {
			low = min(low, at-1)
		}
	}
	return low
}
