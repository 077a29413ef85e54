package streaming

import "time"

// maxReach is how many BatchSizes one flush may hold under a backlog.
const maxReach = 16

// wakeOn is what the drain goroutine sleeps for, beside its timer and prompts.
type wakeOn uint8

const (
	wakeOnAny  wakeOn = iota // the first item of a partial batch: the timer starts
	wakeOnFull               // a full batch
	wakeOnNone               // it is awake
)

// drainer is what only the drain goroutine touches.
type drainer[T any] struct {
	timer    *time.Timer
	armed    bool // the timer runs or its tick was not looked at
	reach    int  // BatchSizes that the next flush may hold
	soloLate bool // the last flush of a single BatchSize outlasted FlushInterval
	crowded  bool // what Crowded was told last

	settling chan batch[T] // to settleOut; nil: it was not needed yet
	settled  chan struct{} // closed when settleOut has ended
}

// batch is the oldest items, about to be flushed.
type batch[T any] struct {
	at       cursor[T]
	items    []T
	from, to uint64
	cost     batchCost
	reach    int
	group    bool
	part     *PartialError // what of it was refused
	durable  func() error  // once it is flushed: waits until it is durable; nil: it is
}

type batchCost struct {
	points int
	bytes  int64
}

// run is the drain goroutine.
func (in *Ingester[T]) run() {
	defer close(in.done)
	defer in.end()
	d := &in.drain
	d.timer = time.NewTimer(in.opts.FlushInterval)
	d.timer.Stop()
	defer d.timer.Stop()
	defer in.settleAll()
	defer in.crowd(false)
	for in.awaitTrigger() {
		b := in.cut()
		// A size flush restarts the timer; what comes in meanwhile counts from here.
		d.timer.Reset(in.opts.FlushInterval)
		d.armed = true
		if !in.write(&b) {
			return
		}
		in.flushed(b)
		in.adapt(b.reach, in.tick())
	}
}

// awaitTrigger sleeps until items have to leave. False: none will.
func (in *Ingester[T]) awaitTrigger() bool {
	d := &in.drain
	for {
		in.mu.Lock()
		if in.abort || in.dead != nil || in.closed && in.waiting() == 0 {
			in.mu.Unlock()
			return false
		}
		if in.due() {
			in.wake = wakeOnNone
			in.mu.Unlock()
			return true
		}
		in.sleep()
		in.mu.Unlock()
		select {
		case <-in.alarm:
		case <-in.ctx.Done():
		case <-d.timer.C:
			d.armed = false
			in.mu.Lock()
			in.prompt(in.accepted.Load())
			in.mu.Unlock()
		}
	}
}

// sleep says what to be woken for: the timer runs exactly while a partial batch
// waits. The lock is held.
func (in *Ingester[T]) sleep() {
	d := &in.drain
	if in.waiting() == 0 {
		in.wake = wakeOnAny
		d.timer.Stop()
		d.armed = false
		return
	}
	in.wake = wakeOnFull
	if !d.armed {
		d.timer.Reset(in.opts.FlushInterval)
		d.armed = true
	}
}

// tick reports whether the timer has run out, and lets go what waits if so.
func (in *Ingester[T]) tick() bool {
	select {
	case <-in.drain.timer.C:
	default:
		return false
	}
	in.drain.armed = false
	in.mu.Lock()
	in.prompt(in.accepted.Load())
	in.mu.Unlock()
	return true
}

// waiting returns how many items were not flushed yet. The lock is held.
func (in *Ingester[T]) waiting() int { return in.queue.n - in.out.items }

// due reports whether items have to leave. The lock is held.
func (in *Ingester[T]) due() bool {
	return in.waiting() > 0 && (in.closed || in.batchFull() || in.promptTo > in.settled.Load()+uint64(in.out.items))
}

// batchFull reports whether what waits makes a batch. The lock is held.
func (in *Ingester[T]) batchFull() bool {
	return in.stats.Queued-in.out.cost.points >= in.opts.BatchSize || in.bytes-in.out.cost.bytes >= in.batchBytes()
}

// batchBytes is how many bytes make a batch full, however few points they are.
func (in *Ingester[T]) batchBytes() int64 {
	return max(1, in.opts.MaxBytes/4)
}

// wakeIfDue wakes the drain goroutine if what is queued now concerns it. The
// lock is held.
func (in *Ingester[T]) wakeIfDue() {
	if in.wake == wakeOnAny || in.wake == wakeOnFull && in.batchFull() {
		in.wake = wakeOnNone
		in.signal()
	}
}

// cut takes the next batch: a group, or single items as far as the next group. Up
// to reach BatchSizes, under a backlog with what is less than one at its end, which
// need not wait for an interval of its own; one BatchSize at a time during shutdown.
func (in *Ingester[T]) cut() batch[T] {
	in.mu.Lock()
	from := in.settled.Load() + uint64(in.out.items) + 1
	n, reach := in.waiting(), in.drain.reach
	b := batch[T]{at: in.queue.from(in.out.items), from: from}
	if len(in.groups) > in.out.groups {
		g := in.groups[in.out.groups]
		if b.group = g.from == from; b.group {
			n = int(g.to - g.from + 1)
		} else {
			n = int(g.from - from)
		}
	}
	prompted := in.promptTo >= from
	if in.closed {
		reach = 1
	}
	if last := len(in.free) - 1; last >= 0 {
		b.items, in.free = in.free[last], in.free[:last]
	}
	in.mu.Unlock()

	n = b.measure(n, reach*in.opts.BatchSize, in.batchBytes())
	b.reach = (b.cost.points + in.opts.BatchSize - 1) / in.opts.BatchSize
	b.to = from + uint64(n) - 1
	b.items = b.at.copyTo(b.items, n)
	if !prompted && b.cost.points < in.opts.BatchSize {
		in.mu.Lock() // a group or the bytes cut it short: the rest of BatchSize points follows
		in.prompt(min(in.accepted.Load(), from+uint64(in.opts.BatchSize)-1))
		in.mu.Unlock()
	}
	return b
}

// measure adds up items until one of the bounds is reached and returns their
// number. A group has no bounds.
func (b *batch[T]) measure(n, points int, bytes int64) int {
	k := b.at
	for i := range n {
		c, j := k.next()
		p, size := int(c.costs[j].points), int64(c.costs[j].bytes)
		if !b.group && i > 0 && (b.cost.points+p > points || b.cost.bytes+size > bytes) {
			return i
		}
		b.cost.points += p
		b.cost.bytes += size
	}
	return n
}

// adapt sets how many BatchSizes the next flush may hold: under a backlog twice
// as many each time, as long as a flush takes no longer than FlushInterval. One
// that is late is halved, unless a single BatchSize would be late as well: then
// it is the disk that is slow, and larger batches are what helps.
func (in *Ingester[T]) adapt(reach int, late bool) {
	d := &in.drain
	if reach <= 1 {
		d.soloLate = late
	}
	in.mu.Lock()
	batches := (in.stats.Queued - in.out.cost.points) / in.opts.BatchSize
	in.mu.Unlock()
	switch {
	case batches == 0:
		d.reach = 1
	case late && reach > 1 && !d.soloLate:
		d.reach = max(1, reach/2)
	case batches >= d.reach:
		d.reach = min(2*d.reach, maxReach)
	}
	in.crowd((batches >= maxReach || d.reach == maxReach && batches > 0) && !late)
}

// crowd tells Crowded, if it is news.
func (in *Ingester[T]) crowd(crowded bool) {
	if d := &in.drain; d.crowded != crowded {
		d.crowded = crowded
		in.opts.Crowded(crowded)
	}
}
