// Tarn is the command line of the vector store.
//
//	go run ./cmd/tarn demo              a store's life on real data, in a minute
//	docs/operations.md                  every command
//	go run ./cmd/tarn ingest D C FILE   points from NDJSON into collection C of the store in D
//
//	main.go ──> commands, one file each ──> tarn (the library)
//	                   ├──> internal/demo ──> internal/godoc (its data)
//	                   ├──> internal/ingest, internal/vecio (files of other programs)
//	                   └──> internal/sweep (the picture of bench)
//
// Invariants:
//
//	I1  Exit status 0 means that what was asked for was done and every promise
//	    that was looked at held; 1 that something failed or a promise was broken;
//	    2 that the command was not understood; 3 that it was done but for what was
//	    reported, such as the bad lines of an ingest.
//	I2  With --json standard output carries one JSON object and nothing else.
//	    Progress and errors go to standard error.
//	I3  A command that only looks opens the store read-only and writes no byte to
//	    it. (inspect reads the files beside that with the rooms that own them.)
//
// Concurrency: an interrupt cancels the context of the command, which then ends
// in order; a second one ends the process.
//
// What it does not do: anything the library cannot. It writes stores through the
// public API alone.
package main
