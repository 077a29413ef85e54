// Package vecio reads and writes files of vectors as other programs have them, row
// by row.
//
//	.npy            header of text, then rows of f2, f4, f8, u1 or i1     NumPy
//	.fvecs .bvecs   per row: dimension i32, then float32 or u8            TEXMEX
//	.fbin .u8bin    rows u32, dimension u32, then float32, u8, i8 or      big-ann-benchmarks
//	.i8bin .f16bin  half floats
//	.hnsw           layers of nodes, of which the lowest has all          coder/hnsw, Graph.Export
//
//	file ──(.gz: unpacked)──> Reader ──> Row ──> Row ──> io.EOF
//	Writer <── vectors
//
// Invariants:
//
//	I1  Memory is bounded by one row of MaxDim components whatever a file says:
//	    no length is allocated before it was compared with a limit.
//	I2  io.EOF comes after the last whole row; a file that ends in the middle of
//	    one is ErrFormat, and so is one that is longer or shorter than it says.
//
// Concurrency: a Reader or Writer belongs to one goroutine.
//
// What it does not do: judge vectors, or read the links of a graph: who imports
// one builds a better one.
package vecio
