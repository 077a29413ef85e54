package collection

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"time"
)

// start begins the background work. What a large store puts off until it is open is done
// one after another: the first search is to find a processor.
func (c *Collection) start() {
	var first []func()
	if c.ids.all == nil {
		hold := new(pin) // what the checkpoint calls live is not written again meanwhile
		hold.at.Store(1) // as old as can be: also what died in the replay
		c.pins.register(hold)
		first = append(first, func() {
			defer c.pins.unregister(hold)
			c.buildIndex()
		})
	}
	if file := c.check.named; file.large() {
		first = append(first, func() { c.checkLoaded(file) })
	}
	c.workers.Go(func() {
		for _, do := range first {
			do()
		}
		c.warmLoop()
	})
	c.fields.declare(c.config.Fields)
	c.workers.Go(c.buildLoop)
	c.startIndexers()
	if !c.opts.Knobs.NoBackground {
		c.maintain.kick()
		c.workers.Go(c.maintainLoop)
	}
	if c.opts.ReadOnly {
		return
	}
	if !c.opts.Knobs.NoBackground {
		c.workers.Go(c.checkpointLoop)
	}
	c.workers.Go(c.syncLoop)
}

func (c *Collection) startStream() error {
	cfg := c.config.Streaming
	if cfg == nil || c.opts.ReadOnly {
		return nil
	}
	s, err := c.newStream(*cfg)
	if err != nil {
		return err
	}
	c.stream.current.Store(s)
	return nil
}

// buildIndex makes the map of ids, and compares the sidecar of a large store with
// the checkpoint. The caller pins what was live at Open.
func (c *Collection) buildIndex() {
	c.hook("open: before the sum")
	if c.ck.Live.Len() > smallStore {
		if err := c.checkDigest(math.MaxInt); err != nil {
			c.ids.fault.Store(&err) // what was read may be of another moment
			c.fail(err)
			return
		}
	}
	all := c.ids.build(func() bool { return c.bg.Err() != nil })
	if all == nil {
		if err := c.ids.err(); err != nil {
			c.fail(err)
		}
		return
	}
	c.writer <- struct{}{}
	c.publish.Lock()
	c.ids.adopt(all)
	c.publish.Unlock()
	c.unlockWriter()
}

// warmSoon asks for the codes of new slots to be copied to huge pages.
func (c *Collection) warmSoon() {
	select {
	case c.warm <- struct{}{}:
	default:
	}
}

// warmLoop copies codes to huge pages, at the start, after each checkpoint, and when all
// that was written is in the graph: not before, since it would take time from a burst.
func (c *Collection) warmLoop() {
	for {
		if err := c.store.Warm(c.bg); err != nil {
			if c.bg.Err() == nil {
				c.background("warming of the codes", err)
			}
			return
		}
		select {
		case <-c.warm:
		case <-c.bg.Done():
			return
		}
	}
}

// syncer fsyncs what WriteStreaming acknowledged.
type syncer struct {
	kicked  chan struct{}
	changed signal // the interval is another one
}

func (s *syncer) init() { s.kicked = make(chan struct{}, 1) }

func (s *syncer) kick() {
	select {
	case s.kicked <- struct{}{}:
	default:
	}
}

func (c *Collection) syncLoop() {
	for {
		select {
		case <-c.bg.Done():
			return
		case <-c.sync.kicked:
		}
		changed := c.sync.changed.wait()
		if !c.pause(c.flushInterval()/2, changed) { // the fsync has the other half
			return
		}
		if err := c.syncLog(c.applied.Load()); err != nil {
			c.background("fsync of the log", err)
			return
		}
	}
}

func (c *Collection) flushInterval() time.Duration {
	if cfg := c.Config().Streaming; cfg != nil {
		return cfg.FlushInterval
	}
	return DefaultStreamingConfig().FlushInterval
}

// pause sleeps until d is over or early is closed; false: background work shall stop.
func (c *Collection) pause(d time.Duration, early <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-early:
		return true
	case <-c.bg.Done():
		return false
	}
}

// checkpointPause is how long after a checkpoint that failed the next is tried.
const checkpointPause = time.Second

// retryCheckpoint waits a little and asks again, unless it would be in vain.
func (c *Collection) retryCheckpoint() {
	if c.failed() == nil && c.pause(checkpointPause, nil) {
		c.check.kick()
	}
}

// Close refuses new calls, drains the stream, ends background work, waits for
// calls under way, writes a checkpoint and a graph snapshot if anything has
// changed, and releases the files. The first background error that nobody was
// told of is returned. A second call waits for the first and returns nil. DB.Close
// closes every collection, so few programs need this call: the database gives a closed
// collection out as it is, until it is opened again itself.
func (c *Collection) Close() error { return c.end(true) }

// Drop closes without writing what waits: the folder is about to be removed.
func (c *Collection) Drop() { c.end(false) }

func (c *Collection) end(keep bool) error {
	c.ending.Lock() // who takes the folder away afterwards, or the lock on it, takes it from nobody
	defer c.ending.Unlock()
	if !c.gate.shut() {
		return nil
	}
	var errs []error
	if keep {
		errs = append(errs, c.drainStream())
	} else if s := c.stream.end(); s != nil {
		s.Abort()
	}
	c.workersEnd()
	<-c.gate.idle
	if keep && !c.opts.ReadOnly && c.failed() == nil {
		errs = append(errs, c.checkpoint(context.Background(), true))
	}
	if p := c.untold.Load(); p != nil {
		errs = append(errs, *p)
	} else if err := c.failed(); err != nil && keep {
		errs = append(errs, err)
	}
	errs = append(errs, c.release())
	return c.wrap(errors.Join(errs...))
}

// workersEnd stops background work and waits for it.
func (c *Collection) workersEnd() {
	c.stop()
	c.workers.Wait()
}

// release gives back all files, whatever state the collection is in.
func (c *Collection) release() error {
	var errs []error
	if c.wal != nil {
		if err := c.wal.Close(); err != nil && c.failed() == nil {
			errs = append(errs, err)
		}
	}
	if c.store != nil {
		errs = append(errs, c.store.Close())
	}
	for _, m := range c.maps {
		errs = append(errs, m.Close())
	}
	if c.meta != nil {
		errs = append(errs, c.meta.Close())
	}
	for _, d := range c.dirs {
		errs = append(errs, d.Close())
	}
	errs = append(errs, c.fs.Close())
	return errors.Join(errs...)
}

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// diskBytes adds up the files of the collection.
func (c *Collection) diskBytes() int64 {
	var sum int64
	for _, dir := range []string{".", walName, slotName} {
		entries, err := c.fs.List(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if e.Regular {
				sum += e.Size
			}
		}
	}
	return sum
}
