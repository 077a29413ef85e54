// Package vfs is the only door to the disk.
//
//	wal, vecfile, meta, collection ──> FS, File, Mapping
//	                                    ├─ OS      a real directory, held by os.Root
//	                                    ├─ Mem     memory that can lose power
//	                                    └─ Inject  another FS with errors put in
//
// A name is relative to its FS, with slashes; it never leads out of it, not even
// through a symbolic link.
//
// Invariants:
//
//	I1  A write that does not fit is ErrNoSpace, and an fsync that fails is
//	    ErrFailed; both are errors of calls. Nothing is written through a mapping,
//	    so a full disk is never a signal.
//	I2  After Sync returned nil the bytes and the size of the file survive a power
//	    cut, after SyncDir its name does. Nothing else is promised.
//	I3  Guard turns a fault in mapped memory into ErrFault.
//
// Concurrency: an FS and its Files may be used from many goroutines; the caller
// orders overlapping reads and writes.
//
// What it does not do: buffer, retry, or know what is in a file.
package vfs
