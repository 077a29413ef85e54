// Package bitmap holds sets of slots that one goroutine at a time grows while
// any number of others read.
//
//	Set ──> directory (copied to grow) ──> piece: 1024 words = 65 536 slots
//	                                   └─> piece ...            never moves
//
//	Words ─> []uint64, one goroutine's own: what a filter comes to, and/or/not by word
//
// Two sets decide where a point is searched: live, owned by a collection, and
// in-graph, owned by each graph. Their difference is the delta.
//
// Invariants:
//
//	I1  A piece never moves and is never freed while its Set is reachable, so a
//	    reader holds no lock and sees each bit as it was at some instant.
//	I2  Len is the number of bits set; it is exact whenever no writer is running.
//
// Concurrency: Has, Len, Next, All, Word and Clone may run beside writers.
// Add and Remove are atomic per bit and may run beside each other.
//
// Words belong to one goroutine.
//
// What it does not do: compress. Field indexes, which are sparse and long-lived,
// are another structure.
package bitmap
