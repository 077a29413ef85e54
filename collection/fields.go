package collection

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/tarndb/tarn/internal/attr"
	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/filter"
)

// maxFields is how many fields may have an index.
const maxFields = 64

// fields are the indexes of the declared fields. The publication lock guards them:
// what is published is added under it, and what a filter asks is asked under it.
//
//	declared ──> every slot that is published from now on is added
//	         ──> builder: fields.idx, then the payloads of what it does not hold
//	         ──> ready: asked. Until then a filter looks at the payloads
//
// A dead slot stays in an index until it may be written again.
type fields struct {
	list  []*field
	paths *filter.Paths // of list
	facts []filter.Fact
	match filter.Scratch

	kicked  chan struct{}
	loaded  bool                  // by the builder: fields.idx was looked at
	changes atomic.Int64          // slots added since fields.idx was written, and fields
	ready   atomic.Int64          // fields that are
	fault   atomic.Pointer[error] // of a payload that could not be read: no index is asked any more
}

type field struct {
	path  string
	index *attr.Index
	ready bool
}

func (x *fields) init() { x.kicked = make(chan struct{}, 1) }

func (x *fields) kick() {
	select {
	case x.kicked <- struct{}{}:
	default:
	}
}

// declare makes paths the fields that have an index; those that had one keep it.
// The publication lock is held, or nobody else is there.
func (x *fields) declare(paths []string) {
	var list []*field
	for _, path := range paths {
		i := slices.IndexFunc(x.list, func(f *field) bool { return f.path == path })
		if i < 0 {
			list = append(list, &field{path: path, index: attr.New()})
			continue
		}
		list = append(list, x.list[i])
	}
	x.list, x.paths = list, nil
	if len(list) > 0 {
		x.paths = filter.NewPaths(paths)
	}
	x.count()
	x.changes.Add(1)
}

func (x *fields) count() {
	n := 0
	for _, f := range x.list {
		if f.ready {
			n++
		}
	}
	x.ready.Store(int64(n))
}

// find returns the index of a field that is ready, nil if there is none.
func (x *fields) find(path string) *attr.Index {
	if x.fault.Load() != nil {
		return nil // a filter that looks at the payload says what is wrong with it
	}
	for _, f := range x.list {
		if f.path == path && f.ready {
			return f.index
		}
	}
	return nil
}

// add notes the payload of a slot that is published. The publication lock is held.
func (x *fields) add(slot uint32, payload []byte) {
	if x.paths == nil || payload == nil {
		return
	}
	facts, err := x.paths.Facts(payload, &x.match, x.facts)
	if err != nil {
		x.fault.CompareAndSwap(nil, &err) // of no payload that we encoded
		return
	}
	x.facts = facts
	for i, f := range x.list {
		f.index.Add(slot, &facts[i])
	}
	x.changes.Add(1)
}

// forgetPiece is about how many values of an index are looked at under one hold of the
// publication lock, some 30 µs.
const forgetPiece = 4096

// forget takes slots out that may be written again soon: that goes over all values.
// Writes and searches go on, and none of them is concerned with slots that died long ago.
func (c *Collection) forget(slots []uint32) {
	c.publish.RLock()
	list := slices.Clone(c.fields.list)
	c.publish.RUnlock()
	if len(list) == 0 || len(slots) == 0 {
		return
	}
	gone := bitmap.WordsOf(slots)
	for _, f := range list {
		for r, more := attr.NewRemoval(gone), true; more; {
			c.publish.Lock()
			more = f.index.Remove(r, forgetPiece) // one that comes into its place has no more of them
			c.publish.Unlock()
			c.hook("fields: between pieces")
		}
	}
}

// SetFields says which fields of the payloads have a filter index. It returns when
// that is durable; indexes that are new are built in the background, and filters
// over them look at the payloads meanwhile. Fields that had one keep it.
func (c *Collection) SetFields(ctx context.Context, fields ...string) error {
	if err := c.enterWrite(); err != nil {
		return err
	}
	defer c.gate.leave()
	if err := invalidConfig(fieldProblems(fields)...); err != nil {
		return c.wrap(err)
	}
	if err := c.lockAdmin(ctx); err != nil {
		return c.wrap(err)
	}
	defer c.unlockAdmin()
	if err := c.failed(); err != nil {
		return err
	}
	return c.wrap(c.persistFields(ctx, uniqueFields(fields)))
}

// persistFields makes the list durable and puts it into force.
func (c *Collection) persistFields(ctx context.Context, paths []string) error {
	err := c.persistConfig(ctx, func(config *Config) { config.Fields = slices.Clone(paths) }, func() { c.fields.declare(paths) })
	if err == nil {
		c.fields.kick()
	}
	return err
}

// uniqueFields drops what is there twice, and keeps the order.
func uniqueFields(paths []string) []string {
	var list []string
	for _, path := range paths {
		if !slices.Contains(list, path) {
			list = append(list, path)
		}
	}
	return list
}

func fieldProblems(paths []string) []error {
	var errs []error
	for i, path := range paths {
		if err := filter.CheckPath(path); err != nil {
			errs = append(errs, fmt.Errorf("in Fields[%d]: %w", i, err))
		}
	}
	if n := len(uniqueFields(paths)); n > maxFields {
		errs = append(errs, fmt.Errorf("of Fields there are %d: at most %d have an index", n, maxFields))
	}
	return errs
}

// buildLoop builds the indexes of fields that are declared and not ready.
func (c *Collection) buildLoop() {
	var hold pin
	c.pins.register(&hold)
	defer c.pins.unregister(&hold)
	for {
		err := guard(func() error { return c.buildFields(&hold) })
		hold.release()
		if err != nil && c.bg.Err() == nil {
			c.background("field indexes", err)
		}
		if err != nil {
			return // filters go on to look at payloads
		}
		select {
		case <-c.fields.kicked:
		case <-c.bg.Done():
			return
		}
	}
}

// buildFields makes all declared fields ready. What is published meanwhile is added
// by who publishes it; what was live before is pinned and added here.
func (c *Collection) buildFields(hold *pin) error {
	hold.hold(&c.clock)
	c.publish.RLock()
	var todo []*field
	for _, f := range c.fields.list {
		if !f.ready {
			todo = append(todo, f)
		}
	}
	rest := c.live.Words(nil)
	c.publish.RUnlock()
	if len(todo) == 0 {
		return nil
	}
	if !c.fields.loaded {
		c.fields.loaded = true
		if err := c.loadFields(todo, rest); err != nil && !isNotExist(err) {
			c.log.Warn("the field indexes are built anew: their file cannot be used", "collection", c.name, "error", err)
		}
	}
	if err := c.indexPayloads(todo, rest); err != nil {
		return err
	}
	c.hook("fields: before ready")
	c.publish.Lock()
	defer c.publish.Unlock()
	for _, f := range todo {
		f.ready = true
	}
	c.fields.count()
	return nil
}

// indexPayloads adds the payloads of slots to the indexes of some fields.
func (c *Collection) indexPayloads(todo []*field, slots bitmap.Words) error {
	paths := make([]string, len(todo))
	for i, f := range todo {
		paths[i] = f.path
	}
	var (
		names = filter.NewPaths(paths)
		match filter.Scratch
		facts []filter.Fact
		batch []uint32
	)
	add := func() error {
		return c.eachPayload(batch, func(slot uint32, payload []byte) (err error) {
			if payload == nil {
				return nil
			}
			if facts, err = names.Facts(payload, &match, facts); err != nil {
				return err
			}
			c.publish.Lock()
			for i, f := range todo {
				f.index.Add(slot, &facts[i])
			}
			c.publish.Unlock()
			c.fields.changes.Add(1)
			return nil
		})
	}
	for slot := range slots.All() {
		if batch = append(batch, slot); len(batch) < matchBatch {
			continue
		}
		if err := errors.Join(c.bg.Err(), add()); err != nil {
			return err
		}
		batch = batch[:0]
	}
	return add()
}
