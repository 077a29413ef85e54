package collection

import (
	"math/bits"
	"math/rand/v2"
	"sync"
	"sync/atomic"
)

// idCounts knows which ids wait in a stream, and how often each.
type idCounts struct {
	total  atomic.Int64
	seed   uint64 // so that nobody who chooses ids knows which of them meet
	shards [1 << shardBits]idShard
}

// idShard counts the ids whose hash begins with its number.
type idShard struct {
	mu    sync.Mutex
	table idTable
	_     [24]byte // a cache line each
}

const (
	shardBits  = 4
	leastTable = 64      // places
	keptTable  = 1 << 12 // places that a table without ids keeps at most
)

func (x *idCounts) init() { x.seed = rand.Uint64() }

// shard returns the shard of an id and the hash that its table knows it by.
func (x *idCounts) shard(id uint64) (*idShard, uint32) {
	hi, lo := bits.Mul64(id^x.seed, 0x9e3779b97f4a7c15)
	h := hi ^ lo
	return &x.shards[h>>(64-shardBits)], uint32(h >> (32 - shardBits))
}

func (x *idCounts) add(id uint64) {
	x.total.Add(1)
	s, hash := x.shard(id)
	s.mu.Lock()
	s.table.add(id, hash)
	s.mu.Unlock()
}

// drop takes one add back.
func (x *idCounts) drop(id uint64) {
	s, hash := x.shard(id)
	s.mu.Lock()
	s.table.drop(id, hash)
	s.mu.Unlock()
	x.total.Add(-1)
}

func (x *idCounts) has(id uint64) bool {
	s, hash := x.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.table.has(id, hash)
}

// idTable counts ids in a hash table with linear probing (Knuth, The Art of Computer
// Programming 3, section 6.4, algorithms L and R): every send goes through it twice, in
// half of the time that a map takes. The places are a power of two, at least a quarter of
// them free.
type idTable struct {
	places []idPlace
	used   int
}

type idPlace struct {
	id   uint64
	hash uint32
	n    int32 // 0: the place is free
}

// find returns the place of an id, or the free one where it would be. There is one.
func (t *idTable) find(id uint64, hash uint32) int {
	i := t.home(hash)
	for t.places[i].n > 0 && t.places[i].id != id {
		i = t.next(i)
	}
	return i
}

// home returns where an id is if no other was in its way.
func (t *idTable) home(hash uint32) int { return int(uint64(hash) * uint64(len(t.places)) >> 32) }

func (t *idTable) next(i int) int { return (i + 1) & (len(t.places) - 1) }

func (t *idTable) has(id uint64, hash uint32) bool {
	return t.used > 0 && t.places[t.find(id, hash)].n > 0
}

func (t *idTable) add(id uint64, hash uint32) {
	if 4*(t.used+1) > 3*len(t.places) {
		t.grow()
	}
	p := &t.places[t.find(id, hash)]
	if p.n == 0 {
		p.id, p.hash = id, hash
		t.used++
	}
	p.n++
}

func (t *idTable) grow() {
	old := t.places
	t.places = make([]idPlace, max(2*len(old), leastTable))
	for _, p := range old {
		if p.n > 0 {
			t.places[t.find(p.id, p.hash)] = p
		}
	}
}

func (t *idTable) drop(id uint64, hash uint32) {
	i := t.find(id, hash)
	if t.places[i].n--; t.places[i].n > 0 {
		return
	}
	if t.used--; t.used == 0 && len(t.places) > keptTable {
		t.places = nil
		return
	}
	t.fill(i)
}

// fill moves into the free place i what would not be found behind it, and so on.
func (t *idTable) fill(i int) {
	mask := len(t.places) - 1
	for j := t.next(i); t.places[j].n > 0; j = t.next(j) {
		if home := t.home(t.places[j].hash); (j-home)&mask >= (j-i)&mask {
			t.places[i] = t.places[j]
			t.places[j].n = 0
			i = j
		}
	}
}
