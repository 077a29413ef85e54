// Package streaming turns a stream of items from many producers into few
// durable writes: a bounded queue, one goroutine that drains it in
// micro-batches, and a ticket per item that says how it ended.
//
//	producers                      one drain goroutine
//	TrySend ─┐                 ┌── batch full: BatchSize points wait
//	Send    ─┼─> queue ────────┼── FlushInterval since the partial batch began
//	Group   ─┘   bounded by    ├── Flush, WaitMark, Drain
//	             points, bytes └── shutdown: slices of BatchSize
//	                │                   │
//	                │ seq               v  Flush(ctx, items): written, or an error
//	                │            written ──> next batch, if one is due
//	                │                   v  Durable: several batches may wait for one fsync
//	                v            settled ──> tickets, marks, room for who waits
//	             Ticket               transient: the batch stays, retry with backoff
//	                                  permanent: dead, what is left waits for Abort
//
// Items are numbered as they are accepted and settled in that order, so a
// ticket is two numbers compared with one watermark. What failed is kept as
// ranges of numbers, the newest few thousand.
//
// Invariants:
//
//	I1  What is accepted is written, or fails with its ticket told so and is
//	    handed back by Shutdown or Abort unless Flush itself refused it with a
//	    PartialError. Never both, never neither.
//	I2  Items settle in the order in which they were accepted; Settled is called
//	    in that order, before the tickets of those items return.
//	I3  Accepted == Written + Failed + Queued in every snapshot of Stats.
//	I4  Queued, the partial batch and the one in flight included, never exceeds
//	    BufferSize, nor the bytes of what is queued MaxBytes.
//	I5  A group is one call of Flush with exactly its items.
//	I6  While somebody waits for room nobody overtakes him, so the items of one
//	    SendBatch have consecutive numbers.
//	I7  A ticket that cannot be decided any more is an error, never nil.
//
// Concurrency: every method may be called from any goroutine, but Shutdown,
// Abort and Drain not from inside Flush or Settled: they wait for it. One
// goroutine, started by New, calls Flush; it settles a batch too if nothing else is
// due, else a second one does, which it starts when that is first so and whose end it
// waits for. Shutdown and Abort wait for the end of both. One mutex guards queue,
// counters and outcomes; it is held for the copy of what is sent, never during a call
// of Flush, what Durable returned, Settled, Size or Points.
//
// Batches in flight are always awaited: Shutdown at its context's end and Abort
// cancel the context that Flush was given and then wait for what it returns, and for
// what was flushed to be durable, so that the outcome of each item is known. What does
// not become durable is handed back, with all that was flushed after it.
//
// What it does not do: know what an item is, touch a disk, number records,
// look at a clock (it has timers only), or remember anything over a restart.
package streaming
