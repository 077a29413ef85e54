// Package collection is one collection of points: the only room that composes the
// log, the slot files, the graph, the delta and the stream.
//
//	Upsert, Delete ──┐                                             ┌──> delta ──┐
//	Stream ──────────┴─> log (fsync) ──> slot files ──> publish ───┤            ├──> Search
//	                                                      │        │  graph ────┘
//	                                           live, id -> slot    └─ indexer ──^
//	checkpoint: slot files, payloads, positions, live ──> meta.db ──> old log segments go
//	snapshot:   the graph ──> graph-N.snap, named by the next checkpoint
//	            what it is not known to find ──> graph-N.left ──> the delta, at Open
//	fields:     payloads ──> indexes of declared fields ──> fields.idx, named by nothing
//	keys:       key ──> id (meta.db, newer ones in memory) ──> slot
//
// # Invariants
//
//	I1  A search reads the delta before the graph. A slot enters the delta when it
//	    is published and leaves it only when the graph of that delta holds it and
//	    finds it, or when it is dead. So at no instant is a live slot in neither.
//	I2  A slot leaves the delta for the graph only after a search of the graph for
//	    its own vector found it. (EngineCoder: after it was inserted.) What a graph
//	    file holds, and was not known to find when it was written, is in the delta
//	    again after Open.
//	I3  A view {graph, delta} is published under the publication lock. A slot is
//	    removed only from the delta of the graph that it was inserted into.
//	I4  LSNs are given, logged and applied in one order, under the writer lock.
//	I5  Per point, publication does in this order: live and delta, id -> slot, ring
//	    of moves, old slot dead. A search that reads the ring after it dropped dead
//	    slots therefore knows every point it may have lost.
//	I6  A slot is written again only when it is dead, no graph holds it (serving,
//	    being built, or named by the last durable checkpoint), the last durable
//	    checkpoint does not call it live, and every pin is younger than its death.
//	I7  Checkpoint at LSN L: log fsynced to L, slot files fsynced, one transaction
//	    of meta.db, and only then are log segments deleted.
//	I8  After an fsync that failed nothing is acknowledged, checkpointed or deleted
//	    any more; the collection can be read and closed.
//
//	I9  A field index has every live slot that was published since it was declared;
//	    it is asked only when it has those from before as well. A slot leaves it
//	    before it may be written again. What a filter leaves is taken from indexes
//	    and live at one instant, under the publication lock.
//
// # Locks
//
// In this order, each optional: admin (Rebuild, EnableStreaming and their like, one
// at a time), checkpoint, writer, publication, and then the leaves (payloads,
// positions, pins). The writer lock is held over the write to the log and to the
// slot files, never over an fsync of the log; the publication lock only over
// memory. Waiting for room, for an fsync or for a stream holds no lock.
//
// # Goroutines
//
// Indexers, the checkpointer, the interval syncer, the maintainer, and who builds
// indexes, checks a loaded graph and copies codes belong to the collection and end
// in Close or Drop at the latest; the drain of a stream belongs to the stream, which
// does so too. Workers of a rebuild and of a batch of searches end before the call
// does. A large batch has two of its own, one for half of its slots and one for its
// fsync, which end before the call does; of a stream's batch the latter, before the
// batch is settled.
//
// # What it does not do
//
// It touches no file but through internal/vfs, and leaves bytes to the rooms that
// own them: frames to wal, rows to internal/vecfile, bbolt to internal/meta, links
// to hnsw.
package collection
