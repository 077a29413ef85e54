package collection

import "sync/atomic"

// gate counts the calls that are under way and lets none in once it is shut.
type gate struct {
	state atomic.Int64  // calls inside, and shutBit
	idle  chan struct{} // closed when it is shut and empty
	done  chan struct{} // closed when it is shut
}

const shutBit = 1 << 62

func (g *gate) init() {
	g.idle = make(chan struct{})
	g.done = make(chan struct{})
}

// enter lets a call in, which must leave again, or returns ErrClosed.
func (g *gate) enter() error {
	if g.state.Add(1)&shutBit != 0 {
		g.leave()
		return ErrClosed
	}
	return nil
}

func (g *gate) leave() {
	if g.state.Add(-1) == shutBit {
		g.empty()
	}
}

// shut lets no more calls in and reports whether this call shut it.
func (g *gate) shut() bool {
	if g.state.Or(shutBit)&shutBit != 0 {
		return false
	}
	close(g.done)
	if g.state.Load() == shutBit {
		g.empty()
	}
	return true
}

// empty closes idle once; leave and shut may both find the gate empty.
func (g *gate) empty() {
	if g.state.CompareAndSwap(shutBit, shutBit|1<<61) {
		close(g.idle)
	}
}

// closing is closed when the gate is shut: waiting calls give up.
func (g *gate) closing() <-chan struct{} { return g.done }

// closed reports whether the gate is shut.
func (g *gate) closed() bool { return g.state.Load()&shutBit != 0 }
