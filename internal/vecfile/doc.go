// Package vecfile holds the slots of a collection in files: for each slot a
// vector, its codes, and a sidecar entry with id, LSN and checksums.
//
//	chunk 0: slots 0 .. 1<<shift-1                    chunk 1          ...
//	00000000.vec   |header 4 KiB|float32 row|row|..|  00000001.vec
//	00000000.code  |header 4 KiB|code row   |row|..|  00000001.code
//	00000000.side  |header 4 KiB|24 bytes   |..    |  00000001.side
//	                └────────── mapped read-only ──┘
//	Reserve ─ fallocate, map ─┐                       ┌─> Codes, Vectors: rows in place
//	Write ─── pwrite ─────────┴─> files ──> mappings ─┤
//	Sync ──── fsync               codes ──> memory ───┘   (Warm, Check: I5)
//
// A file grows by extents that double up to 1 MiB; its mapping spans the whole
// chunk from the start. The bytes are drawn in format_v1.go.
//
// Invariants:
//
//	I1  Nothing is written through a shared mapping, and no row into a place that
//	    Allocate did not make real: a full disk is an error of Reserve.
//	I2  A mapping is never moved, shortened or closed before Close; the rows of a
//	    chunk that Shrink removed may become zeros. A table of
//	    rows that a reader loaded stays readable, and right for every slot that
//	    was live when it was loaded.
//	I3  Slots below Reserved have blocks and memory; what lies above may be
//	    mapped beyond the end of a file and is not touched.
//	I4  A slot counts as checked only after the bytes readers see were compared
//	    with its checksums, or after this process wrote them.
//	I5  Codes that readers see are the file's, or a copy in memory that Write
//	    keeps equal. Codes that do not match their checksum are made anew from a
//	    vector that does, in a copy, never in place.
//	I6  After a failed fsync or close nothing is synced, reserved or written again.
//	I7  A read-only store writes no byte to any file; what it is told to write
//	    goes to private pages and memory.
//
// Concurrency: one goroutine at a time calls Reserve, Write and WriteBeside (a lock
// makes mistakes harmless, not fast; nothing holds it while WriteBeside waits for what
// it runs beside). Sync, WriteBack and Warm run beside it, and each other.
// Everything that reads runs beside all of these, provided that nobody writes
// the slots it reads: slots are new, or reused when the caller knows that nothing
// reaches them. Close runs alone. Lock order: syncing, mu.
//
// What it does not do: know which slots are live, log, index, or repair vectors.
// The only goroutine that it starts is one that shares a Write and ends with it.
package vecfile
