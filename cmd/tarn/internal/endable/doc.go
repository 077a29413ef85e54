// Package endable makes reads and writes that may block for ever, as those of pipes
// and terminals do, end with a context.
//
//	Read ──> a goroutine reads ──┬─> bytes
//	              ctx ends ──────┴─> its error, now and from then on
//
// Invariants:
//
//	I1  A call returns soon after its context has ended, whatever the other end of the
//	    pipe does.
//	I2  What a call returned was read or written, in order and once.
//
// Concurrency: a Reader or Writer belongs to one goroutine at a time.
//
// What it does not do: stop the system call. Its goroutine stays until the other end
// moves or the process ends, so this is for commands, not for libraries.
package endable
