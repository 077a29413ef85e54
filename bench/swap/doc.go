// Command swap records a store's life through a rebuild and draws it: docs/rebuild.svg.
//
//	go run ./bench/swap                       records and draws, into docs
//	go run ./bench/swap -from docs/rebuild.json   draws a recorded run again
//
//	 idle ──> a burst of points ──> a stream of them ──> and a rebuild beside it ──> idle
//	            └── one searcher asks for acknowledged points by their own vectors, all the time
//
// With TARN_DATA the vectors are those of debdocs-minilm, else generated.
//
// Invariants:
//
//	I1  A point is asked for only after its write was acknowledged, so that whatever
//	    search does not find it is a miss.
//	I2  The picture shows what the recording says, sample by sample, and nothing else.
//
// Concurrency: a writer, a searcher and a sampler, all of which end with the run.
//
// What it does not do: assert. The tests of the root do.
package main
