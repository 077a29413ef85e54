// Package crashtest kills a process in the middle of its writes and checks what
// the store holds afterwards.
//
//	parent                               child (the same test binary again)
//	  │  TARN_CRASHTEST={config} ────────> prints B, opens the store, prints O
//	  │                                    producer 0 ─┐
//	  │ <── S producer ops ──────────────  producer 1 ─┼─> store   (ids of their own)
//	  │ <── A producer seq id crc ───────  producer 2 ─┘
//	  │ <── D producer seq id ───────────  Rebuild, Checkpoint over and over
//	  │  SIGKILL at a seeded moment ─────> (gone)
//	  └─ opens the store, asks for every id, compares: the oracle
//
// A workload is a function of its seed: the parent computes again what the
// child did and needs only to hear how far it came. S is printed before
// operations are sent, A and D after they were acknowledged as durable, each
// with one unbuffered write to a pipe, which outlives the child.
//
// Invariants:
//
//	I1  Producers own disjoint ids and send in order. So what is found of each
//	    producer's ids must be what one prefix of its operations leaves: at least
//	    all that was acknowledged, at most all that was sent, ending between two
//	    batches where batches are atomic. That is O1 to O3 of FAULTS.md at once.
//	I2  No two operations write the same vector: what is found names the one
//	    operation that wrote it.
//	I3  Other collections that a child creates and drops (Churn) are there whole or not
//	    at all, and there when that was acknowledged.
//
// Each kill is followed by the checks O1 to O3, by agreement between Get, All,
// Len and both kinds of search, by Verify (O4), and by O5: once the delta is empty,
// open and close write no file. A kill may be followed by others while its recovery
// runs (Nested), may come before the store is there (Fresh), and may be the child's own
// deed at a named step (Step).
//
// Concurrency: one Run at a time per folder.
//
// What it does not do: lose power. A killed process keeps what it wrote, the
// operating system has it; internal/vfs loses, tears and reorders.
package crashtest
