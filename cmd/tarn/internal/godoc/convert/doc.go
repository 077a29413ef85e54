// Convert makes the demo's data from the data set it comes from:
//
//	go run ./cmd/tarn/internal/godoc/convert -from FOLDER
//
//	FOLDER/base.f16bin.gz, base.jsonl.gz  ──>  data/symbols.vec, symbols.jsonl.gz
//	FOLDER/query.f16bin.gz, query.jsonl.gz ──> data/queries.vec, queries.jsonl.gz
//
// An f16bin file is gzipped and little endian: uint32 n, uint32 d, then n x d
// half floats by row. Its values are taken as they are; the packed form is
// described in package godoc.
//
// Invariant:
//
//	I1  The same input gives the same bytes.
//
// Concurrency: one goroutine. What it does not do: fetch the data set.
package main
