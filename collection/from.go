package collection

import (
	"fmt"
	"sync"
	"sync/atomic"
	"unicode/utf8"
)

// SendOption changes one SendBatch or SendOps.
type SendOption func(*sendOptions) error

type sendOptions struct{ pos *position }

// From makes a SendBatch or SendOps carry its place in a source: the batch and the
// offset become durable in one record, Position returns the highest one after any
// crash, and a batch whose offset is not above it is skipped (its ticket is nil
// once that offset is durable), so that replaying a source writes nothing twice.
// Such a batch is accepted whole or not at all (ErrTooLarge above BufferSize); an
// empty one moves the offset. One producer per source. The source's name is 1 to
// 1024 bytes of UTF-8.
func From(source string, offset uint64) SendOption {
	return func(o *sendOptions) error {
		if source == "" || len(source) > maxSource || !utf8.ValidString(source) {
			return fmt.Errorf("%w: the source's name has %d bytes: it must have 1 to %d, of UTF-8", ErrInvalidArgument, len(source), maxSource)
		}
		o.pos = &position{source, offset}
		return nil
	}
}

func newPosition(opts []SendOption) (*position, error) {
	var o sendOptions
	for _, set := range opts {
		if set == nil {
			continue
		}
		if err := set(&o); err != nil {
			return nil, err
		}
	}
	return o.pos, nil
}

// idCounts knows which ids wait in a stream.
type idCounts struct {
	total  atomic.Int64
	shards [16]idShard
}

type idShard struct {
	mu sync.Mutex
	n  map[uint64]int32
	_  [48]byte // a cache line each
}

func (x *idCounts) init() {
	for i := range x.shards {
		x.shards[i].n = map[uint64]int32{}
	}
}

func (x *idCounts) shard(id uint64) *idShard {
	return &x.shards[id*0x9e3779b97f4a7c15>>60]
}

func (x *idCounts) add(id uint64) {
	x.total.Add(1)
	s := x.shard(id)
	s.mu.Lock()
	s.n[id]++
	s.mu.Unlock()
}

func (x *idCounts) drop(id uint64) {
	s := x.shard(id)
	s.mu.Lock()
	if s.n[id]--; s.n[id] == 0 {
		delete(s.n, id)
	}
	s.mu.Unlock()
	x.total.Add(-1)
}

func (x *idCounts) has(id uint64) bool {
	s := x.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n[id] > 0
}
