// Command bandwidth measures what a memory can do for a graph search: reads of
// whole rows at random places, each asked for some rows ahead.
//
//	go run ./bench/bandwidth
//
//	rows of a size, 128 MiB of them, in small or huge pages ──> ns a row, GB/s
//	the same rows and a kernel                              ──> ns a distance
//	a few rows in the first-level cache and a kernel        ──> ns a distance
//
// docs/performance.md puts the figures into its formulas.
//
// Invariants:
//
//	I1  Every pass reads other rows, drawn at random, so that no cache holds them.
//
// Concurrency: one thread.
//
// What it does not do: measure the graph.
package main
