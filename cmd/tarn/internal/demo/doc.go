// Package demo puts a store through its life in front of a newcomer's eyes, on
// real data, and keeps count of every promise.
//
//	                      ┌────────── searcher: asks for what was just
//	                      │           acknowledged, all the time
//	symbols ──> feed ──> store ──> report
//	             │        │
//	           ledger     rebuild, deletes and moves in the middle;
//	  (what must be true)  close, open, the last tenth; checks; recall
//
// The ledger is the demo's own idea of what the store must hold. Nothing in it
// comes from the store: what a search should find is known before it is asked.
//
// Invariants:
//
//	I1  A search is judged only if the point it asks for had no write under way
//	    from before the search began until after it returned. So a moved or
//	    deleted point is never called a miss falsely, and a miss is never excused.
//	I2  A deleted symbol never comes back in the demo, so one that was gone
//	    before a search began must not be in its answer, whoever was asked for.
//	I3  When the stream has ended every live symbol is at its own vector: exact
//	    answers are computed on the data alone.
//
// Concurrency: Run starts three goroutines at most beside its own (searcher,
// feed, rebuild) and waits for all of them. Ledger, tally and Progress are safe
// for concurrent use.
//
// What it does not do: measure the store's limits. One producer keeps a few
// hundred points unacknowledged, one searcher asks: bench/ goes further.
package demo
