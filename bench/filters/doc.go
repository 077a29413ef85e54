// Filters measures the ways of a search under a filter, and holds the one that the
// store takes to its bound.
//
//	go run ./bench/filters -dir FOLDER -build    make the stores that are not there yet
//	go run ./bench/filters -dir FOLDER           measure, and write bench/results/filter-ways.md
//
//	TARN_DATA ──> a store per set, with indexed fields ──┬─ as it comes     ┐
//	                                                     ├─ walk only       ├─ the same query, in turn
//	              opened read-only, three times over     ├─ two hops only   │
//	                                                     └─ scan, no filter ┘
//
// A filter leaves a share s of the points: at random, by the set's own attributes, by
// a ball around one point (the matches lie together), or by all but a ball around the
// query (what lies next to it does not match).
//
// Invariants:
//
//	I1  All ways answer over one graph and one set of indexes, one thread, in turn;
//	    of five takes of one query the shortest counts.
//	    A search that seems to be above the bound is asked again, ten times
//	    each way, each time after the other searches of its row: exact scans one after
//	    another read from the caches what a scan among walks reads from memory.
//	I2  Recall is against the exact scan, ties by distance.
//	I3  The bound is of single queries: time under the filter in parts of the exact
//	    scan over what matches plus the search without a filter, by the same beam.
//
// Concurrency: one goroutine searches.
//
// What it does not do: compare with other stores; bench/peers does.
package main
