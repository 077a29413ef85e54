// Package bench holds the benchmarks: go test -bench . ./bench.
//
//	bench/internal/data ──> generated sets, or the real ones of the folder TARN_DATA
//	        │
//	        └──> one file of benchmarks per room, all through the public API
//	                 unless its name says kernel or graph
//
//	bench/peers (a module of its own) ──> Tarn beside other stores ──> RESULTS.md
//
// Names are op/data=NAME/what=value. Recall, quantiles and rates are metrics of
// their own, so that benchstat compares them.
//
// Invariants:
//
//	I1  Without TARN_DATA everything runs on generated sets of a stated intrinsic
//	    dimension; with it, on the real ones too.
//	I2  A figure is of one machine and one run: compare within it only.
//
// Concurrency: benchmarks run one after another, searches in one goroutine unless
// the name says otherwise.
//
// What it does not do: assert. What must hold is a test, beside the code.
package bench
