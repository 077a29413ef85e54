// Package archive is a stream of checked blocks: the container of a backup.
//
//	Write(kind, data) ──> block ──> s2 ──> CRC ──┐
//	                                             ├──> header │ block │ block │ ... │ end
//	Next() (kind, data) <── s2 <── CRC <─────────┘
//
// Who writes decides what a kind means; the container sees to it that what is
// read is what was written, all of it and in the order in which it was written.
// The bytes are drawn in format_v1.go.
//
// Blocks are compressed with s2, which gives up quickly on what does not shrink,
// as the float32 of embeddings do not: a backup that waits for its compressor is
// a slow copy. BenchmarkBlocks compares it with zstd on both kinds of data.
//
// Invariants:
//
//	I1  Next returns a block only after its checksum, which covers the archive's
//	    uuid, the block's number, its head and its bytes: a block that is flipped,
//	    missing, doubled, moved or of another archive is codec.ErrCorrupt.
//	I2  Next returns io.EOF only after the end block, whose counts match what was
//	    read, and only if nothing follows it: a stream cut anywhere is an error.
//	I3  Memory grows with the bytes that were really read, up to MaxBlock of a
//	    block, whatever its head says.
//
// Concurrency: a Writer or a Reader belongs to one goroutine.
//
// What it does not do: open files, know points, or resume.
package archive
