package streaming

const (
	mostOut      = 64 // batches that wait until they are durable, at most
	spareBuffers = 4  // for items of batches, kept for the next ones
)

// out sums up batches that were flushed and are not settled yet.
type out struct {
	items, groups int
	cost          batchCost
}

func (o *out) add(items, groups int, c batchCost) {
	o.items, o.groups = o.items+items, o.groups+groups
	o.cost.points, o.cost.bytes = o.cost.points+c.points, o.cost.bytes+c.bytes
}

// groups returns how many groups b is.
func (b *batch[T]) groups() int {
	if b.group {
		return 1
	}
	return 0
}

// flushed settles a batch that was flushed, at once if there is nothing else to do; else
// another goroutine does, so that the next batches are flushed while it waits:
//
//	run:       flush 1 ── flush 2 ── flush 3 ── flush 4 ...
//	              └──────┐   └────┐     │          │
//	settleOut:         wait 1 ── wait 2, 3 ───── wait 4 ...
func (in *Ingester[T]) flushed(b batch[T]) {
	in.mu.Lock()
	alone := in.out.items == 0
	in.out.add(len(b.items), b.groups(), b.cost)
	alone = alone && (b.durable == nil || !in.due())
	in.mu.Unlock()
	if alone {
		in.settleBatch(&b)
		return
	}
	d := &in.drain
	if d.settling == nil {
		d.settling, d.settled = make(chan batch[T], mostOut), make(chan struct{})
		go in.settleOut()
	}
	select {
	case d.settling <- b:
	case <-d.settled: // the stream is dead, of what it waited for
		in.forgo(&b)
	}
}

// settleOut settles batches in the order in which they were flushed, until run, which
// started it, has no more, or one is lost.
func (in *Ingester[T]) settleOut() {
	defer close(in.drain.settled)
	defer in.cancel() // run may sleep, or flush what is lost too
	for b := range in.drain.settling {
		if !in.settleBatch(&b) {
			return
		}
	}
}

// settleAll waits until what was flushed is settled, or lost with the stream.
func (in *Ingester[T]) settleAll() {
	d := &in.drain
	if d.settling == nil {
		return
	}
	close(d.settling)
	<-d.settled
	for b := range d.settling {
		in.forgo(&b)
	}
}

// forgo waits for what a batch waits for, though a batch before it is lost and so is
// this one: what it has begun ends before the stream does.
func (in *Ingester[T]) forgo(b *batch[T]) {
	if b.durable != nil {
		_ = in.guard(b.durable) // the stream is dead of the first that was lost
	}
}

// settleBatch waits until a batch is durable, and settles it: all but the parts that
// were refused is written. False: it is not durable, and the stream is dead.
func (in *Ingester[T]) settleBatch(b *batch[T]) bool {
	if b.durable != nil {
		if err := in.guard(b.durable); err != nil {
			in.die(err)
			return false
		}
	}
	var failed []FailedRange
	if b.part != nil {
		failed = b.part.Failed
	}
	in.tell(b.items, failed)
	lost := b.lost(failed)
	b.at.wipe(len(b.items))
	clear(b.items)

	in.mu.Lock()
	for _, f := range failed {
		in.failures.add(b.from+uint64(f.From), b.from+uint64(f.To)-1, f.Err)
	}
	if b.part != nil {
		in.stats.LastError = b.part
	}
	in.stats.Batches++
	in.stats.Written += uint64(b.cost.points - lost)
	in.stats.Failed += uint64(lost)
	in.stats.Queued -= b.cost.points
	in.bytes -= b.cost.bytes
	in.queue.drop(len(b.items))
	in.groups = in.groups[b.groups():]
	in.out.add(-len(b.items), -b.groups(), batchCost{-b.cost.points, -b.cost.bytes})
	if len(in.free) < spareBuffers {
		in.free = append(in.free, b.items[:0])
	}
	woken := in.settle(b.to)
	in.admit()
	in.mu.Unlock()
	release(woken)
	return true
}

// tell reports the fates of a batch's items in order.
func (in *Ingester[T]) tell(items []T, failed []FailedRange) {
	at := 0
	for _, f := range failed {
		if f.From > at {
			in.opts.Settled(items[at:f.From], nil)
		}
		in.opts.Settled(items[f.From:f.To], f.Err)
		at = f.To
	}
	if at < len(items) {
		in.opts.Settled(items[at:], nil)
	}
}

// lost returns the points of the items that failed.
func (b *batch[T]) lost(failed []FailedRange) (points int) {
	k, at := b.at, 0
	for _, f := range failed {
		for ; at < f.To; at++ {
			c, j := k.next()
			if at >= f.From {
				points += int(c.costs[j].points)
			}
		}
	}
	return points
}
