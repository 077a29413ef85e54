// Command grid measures what M and efConstruction cost and give, by set, for the
// tables of docs/tuning.md.
//
//	go run ./bench/grid [-n 20000]
//
//	M x efConstruction ──> build ──> distances an insert, bytes of links a vector
//	                          └────> distances a search at recall 0.95 and 0.99
//
// Distances are counted, not timed: so the tables are the same on every machine,
// however busy. A second table times the exact scan against the graph, by size, a
// third counts what deletions cost, before and after a repair.
//
// Invariants:
//
//	I1  One worker builds, so that a table can be had again.
//
// Concurrency: none.
//
// What it does not do: choose. docs/tuning.md says what was chosen, and why.
package main
