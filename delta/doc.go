// Package delta holds the slots that a graph does not hold yet and searches
// them, and any other set of slots, by an exact scan.
//
//	Add (published, in order)                       Remove (the graph holds it)
//	        │                                              │ leaves a gap
//	        v                                              v
//	view ─> [s s s . s s s s] [. . s s s s s s] [s s s _ _ _ _ _]
//	          chunk: full       full              last: grows at n
//	            ^ Claim: oldest first         ^ ClaimAny: from a random place on
//
//	scan:  slots ── live, filter ──> codes, 256 at a time ──> approx ± slack
//	          keep what may be among the k nearest:  approx - slack <= k-th (approx + slack)
//	          nearest first: float32 distances, until approx - slack > k-th distance
//
// Invariants:
//
//	I1  A scan that begins after Add returned sees the slot unless Remove was
//	    called. Callers remove a slot only after the graph holds it, and search
//	    the delta before the graph, so a live slot is in one of the two at
//	    every instant.
//	I2  An entry never moves in a chunk and a chunk that a reader may hold is
//	    never reused. Compaction copies and publishes another view.
//	I3  A scan sees a slot at most once.
//	I4  A slot is handed to one claimer at a time; by Claim the oldest first.
//	I5  A scan's results are those of float32 distances to every slot it saw:
//	    the k smallest by distance, then slot.
//	I6  A scan allocates nothing once its Top has grown to k and to the dimension.
//
// Concurrency: Scan, Has and Len take no lock and run beside everything. Add,
// Remove, Claim and Release may be called from any goroutine; a mutex of the
// Buffer, under which nothing is called, orders them. One goroutine at a time
// uses a Top and a Query.
//
// What it does not do: know ids, limits, or the graph; keep rows. Whether a slot
// is live is asked of the bitmap that the caller passes.
package delta
