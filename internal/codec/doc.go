// Package codec is what every file format shares: a bounded cursor, a checksum and
// a header.
//
//	file ──> Header (48 bytes: magic, version, uuid, checksum) ──> records
//	record ──> Cursor: U8 U16 U32 U64 Bytes ... Err once at the end
//
// Invariants:
//
//	I1  A Cursor never reads past its slice and never allocates; after its first
//	    error it returns zeros, and Err says what was wrong.
//	I2  A header whose bytes are damaged is ErrCorrupt; one that is whole and of a
//	    newer version is ErrVersion. Neither is ever taken for the other.
//
// Concurrency: values belong to one goroutine at a time; the functions are free.
//
// What it does not do: open files, or know what is in them.
package codec
