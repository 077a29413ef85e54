// Package wal is the log: records in segments, durable when asked, told whole from
// torn from damaged after any crash.
//
//	Append ──> frame ──write──> active segment ──Sync: one fsync for all──> durable
//	                               │ full
//	                               v
//	0000000000000001.wal ──> 00000000000000a4.wal ──> next.tmp (space, zeros ahead)
//	└ removed by Advance once a checkpoint covers it
//
// The bytes of a segment and of a frame are drawn in format_v1.go.
//
// Invariants:
//
//	I1  LSNs begin at 1 and have no gaps, within a segment and across segments. A
//	    segment is named by its first.
//	I2  A segment has a successor only after all of its frames were fsynced; the
//	    successor's header says where they end. Inside that everything is there,
//	    or damaged; beyond it nothing is read.
//	I3  A frame states a durable LSN only after an fsync that covers it returned.
//	    So if the head of that frame is on the disk, all records up to the durable
//	    LSN were on the disk too.
//	I4  A frame is whole or none: its head, its payload and its last byte, which is
//	    not zero, are checked. The checksums begin with the segment's own, so that
//	    bytes of other segments are none here.
//	I5  One fsync of segments runs at a time, and after one that failed there is
//	    none: the log has failed, nothing is acknowledged any more, and what became
//	    of the records after Durable is not known until it is opened again.
//	I6  What was cut is never read again: after a failed write zeros are made durable
//	    in its place before Append returns the error, or the segment is abandoned
//	    (I2); after a crash the segment is written anew without it.
//	I7  A segment is whole under its name: header and blocks are fsynced under a
//	    temporary one, renamed, and the folder is fsynced before its first frame is
//	    written.
//	I8  After an unclean close the last segment is written anew before Open returns:
//	    an earlier process's fsync may have failed, and then the frames that were
//	    read may be in the memory of the system only.
//	I9  The same holds for the name of a last segment without frames, which nobody
//	    was acknowledged anything from: it is made anew before its first frame.
//	I10 Open writes nothing before all that it needs was read and found good, nothing
//	    if it is read-only, and nothing if the checkpoint covers the last record and
//	    nothing is torn. Close writes nothing that was not appended; after an Append it
//	    cuts off the zeros that were written ahead, which the next Open would read.
//	I11 A segment is removed only by Advance, only if a durable checkpoint covers it
//	    whole, and never the active one. So one that begins at or before
//	    checkpoint + 1 always exists.
//
// Torn or damaged. Behind the last whole frame of the last segment, v, there may be
// zeros: a clean end. If there is anything else, let d be the highest durable LSN
// that is known: by the checkpoint, by the segment's own name (I2), or by a frame
// head anywhere in the segment. If d > v the log is damaged; else its tail is torn.
// Why this never cuts an acknowledged record after a power cut, and never refuses a
// log that only lost power:
//
//	a  Record n was synced and acknowledged, nothing was written after it. No frame
//	   says so, but an fsync covered it, so it is on the disk whole: v >= n.
//	b  Records after n were written, not synced, and reached the disk in part, in any
//	   order. A head among them states d <= n (I3), and v >= n: torn, cut at v.
//	   A whole frame behind a missing one is cut with it. It was not acknowledged,
//	   since an fsync that covers it covers the missing one.
//	c  An fsync was under way. Frames written meanwhile state the d from before it.
//	   Whatever part of them is on the disk, v >= d.
//	d  The durable LSN in the frames is older than what was acknowledged: always, for
//	   the last records, and by any number of records if they were written before one
//	   fsync. It is a lower bound, used only to find damage; by a it is not needed to
//	   keep what was acknowledged.
//	e  A segment was rewritten (I8): its frames state what they stated. They were
//	   durable before anything was acknowledged on top of them, so a and b hold.
//	f  Bytes of a record in 1..v changed, or went missing, after they were durable. If
//	   a later head or the checkpoint states d at or above it: damage, ErrCorrupt.
//	   If not, nothing on the disk tells it from b. This one case counts as torn: it
//	   needs damage in the records since the last fsync that a frame knows of, in a
//	   log that was not closed. The bytes are kept in a file *.torn.
//
// What is assumed of the disk: an fsync that returned is true; a write changes only
// the bytes that it writes (a sector may be torn, its neighbours not); a rename is
// there or not. Nothing is assumed about the order of what was not fsynced.
//
// Concurrency: all methods may be called from many goroutines. Records are in the
// order in which Append was called; who needs an order calls it under a lock. Locks
// are taken in the order removing, mu, syncing, gate or ahead.mu.
//
// What it does not do: look inside a record; decide when to checkpoint; remove a
// segment unasked; notice that the last segment, and no other, was taken away by
// somebody else, if no checkpoint reached into it.
package wal
