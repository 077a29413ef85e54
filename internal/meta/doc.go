// Package meta holds the small and the cold of a collection in one file of
// transactions: configuration, checkpoint, payloads, positions of sources, keys.
//
//	                 ┌ meta       header, config, checkpoint, counts
//	Commit ──one──>  ├ live       the live bitmap, in pieces of 8 KiB  ──> Checkpoint
//	     transaction ├ payloads   by slot, so that they append          ──> Payloads
//	        │        ├ positions  by source                             ──> Positions
//	        │        └ keys       ids by key                            ──> KeyIDs
//	        │          meta.db: bbolt, or a dump where files have no path
//	        └─ then ─> meta.copy: all but payloads and keys, renamed into place
//
// The records are drawn in format_v1.go, dumps in dump.go, the pages of bbolt in
// pages.go.
//
// Invariants:
//
//	I1  A Commit is durable as a whole when it returns nil, and leaves no trace
//	    when it returns vfs.ErrNoSpace. The file is created so as well.
//	I2  Every value carries a checksum over itself and its key, and what is a set
//	    (the live bitmap, the positions, the keys) is counted in a record elsewhere: what is
//	    returned was committed, and nothing of it is missing. That a payload is
//	    missing is for the caller to see: the sidecar says which slots have one.
//	I3  The copy never has a commit that the file has not. If it does, the file
//	    was damaged or replaced, and Open says so.
//	I4  No file makes Open, or a call after it, panic or hang: bbolt is given a
//	    file only after its pages were walked, and runs where panics and faults are
//	    caught. If it panics where it holds its own locks it is not called again.
//	I5  After a failed fsync every Commit fails.
//
// Concurrency: everything may be called beside everything but Close. Commits wait
// for each other; reads see the records of one moment and wait for nothing, but a
// commit that makes the file grow waits for reads in progress. No transaction
// outlives a call.
//
// What it does not do: lock the collection (bbolt locks its file; that is a
// second line of defence), keep anything hot, know what is in a configuration or
// a payload.
package meta
