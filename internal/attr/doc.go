// Package attr is the index of one field of the payloads: from values to the slots
// whose payload has them.
//
//	               ┌ numbers   1 ─> {3, 9}   1.5 ─> {4}  ...    sorted, in blocks
//	Add(slot, fact)├ strings   "go" ─> {1, 3, 4, ...}           sorted, in blocks
//	  ──────────>  ├ true, false, null ─> {...}
//	               ├ elements  the same three for the elements of arrays
//	               ├ there     every slot that has the field
//	               └ long      slots with a string that is too long to be kept
//
//	Lookup(condition) ──> must ⊆ the slots for which it holds ⊆ must ∪ may
//
// A set of slots is one number, a short list, or a roaring bitmap, as it grows.
//
// Invariants:
//
//	I1  For every slot that was added and not removed, Lookup is right: a slot in
//	    must fulfils the condition, one that is in neither does not.
//	I2  may has nothing unless a string above maxString is in question.
//	I3  Adding twice is adding once.
//	I4  What Decode accepts was encoded: a checksum covers all of it. Whatever it is
//	    given it ends, allocates no more than a few times what there is to read, and
//	    does not panic.
//
// Concurrency: the caller's lock; Lookup and Encode only read.
//
// What it does not do: read payloads, files, or know which slots are live.
package attr
