// Dedup passes on the lines of a feed that say something new. A line that says
// nearly the same as an earlier one, of this run or of one before, is left out, and
// named on standard error with what it repeats; one without letters is passed over.
//
//	go run ./examples/dedup -dir /tmp/seen < examples/dedup/testdata/feed.txt
//
//	line ──> vector of its letter groups ──> Search, k = 1 ──near──> left out
//	                                              │ far
//	                                              └──> Upsert, passed on
//
// Invariants:
//
//	I1  A line is compared with every line passed on before it, the one just before
//	    included: a point is searchable when its write was acknowledged.
//	I2  What was passed on is remembered by the next run.
//
// Concurrency: one line after the other.
//
// What it does not do: understand. Two lines are near when they share most of their
// letter groups; where meaning counts, put an embedding model in the place of
// vectorOf (examples/notes shows one).
package main
