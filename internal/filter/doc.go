// Package filter is the language of conditions on payloads: how they are built,
// parsed from JSON, and decided on the bytes of a stored payload.
//
//	Eq, And, ... ─┐                     ┌─> Program.Match(payload)     true or false
//	              ├─> Filter ─Compile─> │
//	ParseFilter ──┘                     └─> Tree: for indexes to answer parts of it
//
//	{"a":{"b":7},"c":[1,2]}      paths a.b and c, as a tree of names
//	      └──┴── spans of the bytes are noted in one pass; what no path names is
//	             stepped over, and only a span that a condition asks for is decoded
//
// Invariants:
//
//	I1  A comparison with a field that is missing or of another type is false, and
//	    nothing else: Not of it is true.
//	I2  Numbers compare by value, exactly, whether they are int64, uint64 or
//	    float64. A value in a condition means what it would be in a payload: it
//	    equals the field that it is written to.
//	I3  Whatever Match is given it ends, allocates little and does not panic; bytes
//	    that are no JSON object are ErrCorrupt.
//	I4  A Filter that was built with a mistake is harmless: Compile says which.
//
// Concurrency: Filters and Programs are immutable and may be shared; a Scratch is
// one goroutine's.
//
// What it does not do: know points, slots, or where payloads are kept.
package filter
