package hnsw

import "math"

// A key is a candidate in 64 bits that sort by distance, then by slot:
//
//	 63                32 31              2   1      0
//	┌────────────────────┬─────────────────┬──────┬────────┐
//	│ distance, ordered  │ slot            │ dead │ walked │
//	└────────────────────┴─────────────────┴──────┴────────┘
const (
	walked = 1 << 0 // its neighbours have been looked at
	dead   = 1 << 1 // not wanted in the result, walked through only
)

func pack(dist float32, slot uint32) uint64 {
	b := math.Float32bits(dist)
	b ^= uint32(int32(b)>>31) | 1<<31 // unsigned order is float order
	return uint64(b)<<32 | uint64(slot)<<2
}

func keySlot(key uint64) uint32 { return uint32(key) >> 2 }

func keyDist(key uint64) float32 {
	b := uint32(key >> 32)
	return math.Float32frombits(b ^ (uint32(int32(^b)>>31) | 1<<31))
}

// pool holds the nearest candidates that a walk has met, sorted. At most limit
// of them are wanted ones; the dead ones nearer than the last wanted one are
// held as well, so that they cost no place (P1), and none behind it once the
// limit is reached (P2). Where most is set, it holds no more than that in all (P3).
type pool struct {
	keys   []uint64
	bound  uint64 // keys at or above it are not taken
	limit  int
	most   int // dead ones included
	wanted int
	cursor int // all keys before it are walked
}

func (p *pool) reset(limit int) {
	p.keys = p.keys[:0]
	p.bound = math.MaxUint64
	p.limit, p.most, p.wanted, p.cursor = limit, math.MaxInt, 0, 0
}

// insert puts in a key that is below bound.
func (p *pool) insert(key uint64) {
	k := p.keys
	lo, hi := 0, len(k)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if k[mid] < key {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	p.cursor = min(p.cursor, lo)
	if key&dead == 0 && p.wanted == p.limit {
		copy(k[lo+1:], k[lo:]) // the last one, which is wanted by P2, falls off
		k[lo] = key
		p.trim()
		return
	}
	k = append(k, 0)
	copy(k[lo+1:], k[lo:])
	k[lo] = key
	p.keys = k
	if key&dead == 0 {
		if p.wanted++; p.wanted == p.limit {
			p.trim()
		}
	}
	if len(p.keys) > p.most {
		p.drop()
	}
}

// drop takes the last one off a pool that holds too many, by P3.
func (p *pool) drop() {
	n := len(p.keys) - 1
	if p.keys[n]&dead == 0 {
		p.wanted--
	}
	p.keys = p.keys[:n]
	p.bound = p.keys[n-1] &^ (walked | dead)
}

// trim takes the dead ones off the end, by P2.
func (p *pool) trim() {
	n := len(p.keys)
	for p.keys[n-1]&dead != 0 {
		n--
	}
	p.keys = p.keys[:n]
	p.bound = p.keys[n-1] &^ (walked | dead)
}

// next returns the nearest candidate that is not walked yet and marks it.
func (p *pool) next() (slot uint32, ok bool) {
	k := p.keys
	for i := p.cursor; i < len(k); i++ {
		if k[i]&walked == 0 {
			k[i] |= walked
			p.cursor = i + 1
			return keySlot(k[i]), true
		}
	}
	p.cursor = len(k)
	return 0, false
}
