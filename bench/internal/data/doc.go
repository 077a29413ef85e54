// Package data gives benchmarks their vectors: real sets from a folder, or
// generated ones.
//
//	$TARN_DATA/NAME/base.*, query.*, gt100.ibin.gz ──Load──┐
//	                                                       ├──> Set ──Recall──> share found
//	Shape{N, Dim, Intrinsic, Clusters, Seed} ───Generate───┘
//
// A file is gzipped and little-endian: uint32 rows, uint32 columns, then the rows:
// u8bin unsigned bytes, f16bin IEEE half floats, ibin int32, fbin float32.
//
// Invariants:
//
//	I1  A Set is never changed after it was made; its rows may be shared.
//	I2  The same Shape gives the same Set on every machine.
//	I3  An answer counts as right when it is no farther than the k-th true
//	    neighbour: of equal distances any will do.
//
// Concurrency: a Set may be read by many goroutines.
//
// What it does not do: fetch anything.
package data
