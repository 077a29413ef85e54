package hnsw

import "sync/atomic"

// Words of a slot's node row.
const (
	nodeAnchor   = 0 // 1 + the slot whose link to this one is never pruned
	nodeUpper    = 1 // 1 + the number of its first row in the upper table; 0: none
	nodeChildren = 2 // how many slots have this one as their anchor; closed: see bury.go
	nodeWords    = 4
)

// entry is the entry point: 1 + its slot, its layer above bit 32. Zero: none.
type entry struct{ word atomic.Uint64 }

func (e *entry) load() (slot uint32, level int, ok bool) {
	w := e.word.Load()
	return uint32(w) - 1, int(w >> 32), w != 0
}

func (e *entry) store(slot uint32, level int) {
	e.word.Store(uint64(level)<<32 | uint64(slot+1))
}
