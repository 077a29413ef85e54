package collection

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/tarndb/tarn/hnsw"
	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/kernel"
	"github.com/tarndb/tarn/internal/meta"
	"github.com/tarndb/tarn/internal/vecfile"
	"github.com/tarndb/tarn/internal/vfs"
	"github.com/tarndb/tarn/wal"
)

// BlockReader hands out what Backup wrote. The bytes are valid until the call after
// the next one.
type BlockReader interface {
	Next() (kind uint8, data []byte, err error)
}

// Restored is what Restore made.
type Restored struct {
	Live int
	LSN  uint64
}

// Restore lays out, in the empty folder fs, the collection that a Backup wrote to
// in, under a uuid of its own: files of the two never pass for each other's. All
// is durable when it returns, but for the folder's own name; after an error the
// folder is for the caller to remove.
//
//	config ──> meta.db          rows ──> slot files, codes made anew ─┐
//	graph  ──> graph-1.snap, .left     └> payloads ──> meta.db       ├──> checkpoint
//	moment ──> a log that begins behind it                           ┘
func Restore(ctx context.Context, fs vfs.FS, in BlockReader, uuid [16]byte) (Restored, error) {
	r := &restore{fs: fs, in: in, uuid: uuid, live: &bitmap.Set{}, last: -1, positions: map[string]uint64{}, coming: newStored(), syncing: make(chan struct{}, 1)}
	err := r.run(ctx)
	err = errors.Join(err, r.close())
	return Restored{Live: r.live.Len(), LSN: r.moment.lsn}, err
}

type restore struct {
	fs   vfs.FS
	in   BlockReader
	uuid [16]byte // of the new collection

	from      [16]byte // uuid of the collection that was backed up
	config    Config
	stored    []byte // the configuration as it is stored
	moment    archived
	positions map[string]uint64
	live      *bitmap.Set
	ids       []uint64 // of the live ones
	rows      uint32
	next      uint64 // slots of later rows are at or above it
	last      int64  // slot of the last row, as the backup numbers them
	dense     bool   // rows get slots of their own, without gaps

	graph             vfs.File
	graphSize         int64
	snapshot          hnsw.Saved
	left              bitmap.Set // what the graph is not known to find
	slots             vfs.FS
	store             *vecfile.Store
	meta              *meta.Store
	entries           [2][]vecfile.Entry
	turn              int           // the entries that are filled next
	writing           chan error    // what becomes of the others; nil: they are not on their way
	coming            stored        // payloads of rows that were read
	committing        chan error    // what becomes of those before; nil: they are not on their way
	unsynced, unasked int           // bytes of vectors since the disk was asked last
	syncing           chan struct{} // a token: an fsync beside the reading is under way
}

func (r *restore) run(ctx context.Context) error {
	kind, data, err := r.in.Next()
	if err != nil {
		return noEnd(err)
	}
	if kind != blockConfig {
		return unexpected(kind)
	}
	if err := r.begin(data); err != nil {
		return err
	}
	stage := byte(blockGraph) // the lowest kind that may come
	for kind != blockDone {
		if err := ctx.Err(); err != nil {
			return err
		}
		if kind, data, err = r.in.Next(); err != nil {
			return noEnd(err)
		}
		if kind < stage || kind > blockMoment && stage <= blockMoment {
			return unexpected(kind)
		}
		stage = kind
		if kind == blockMoment {
			stage++
		}
		if err := r.block(kind, data); err != nil {
			return err
		}
	}
	return r.finish()
}

// unexpected: the blocks are whole, and not in the order in which Backup writes.
func unexpected(kind uint8) error {
	return fmt.Errorf("backup: %w: a block of kind %d out of its place", codec.ErrCorrupt, kind)
}

// noEnd turns an orderly end of the archive in the middle of a collection into
// damage.
func noEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("backup: %w: it ends in the middle of a collection", codec.ErrCorrupt)
	}
	return err
}

func (r *restore) block(kind uint8, data []byte) error {
	switch kind {
	case blockGraph:
		return r.addGraph(data)
	case blockMoment:
		return r.setMoment(data)
	case blockPositions:
		return decodePositions(data, r.positions)
	case blockRows:
		return r.addRows(data)
	case blockDone:
		return nil
	}
	return unexpected(kind)
}

// begin makes the folders and the tables.
func (r *restore) begin(data []byte) (err error) {
	c := codec.NewCursor(data)
	copy(r.from[:], c.Bytes(len(r.from)))
	v := c.U32()
	r.stored = append([]byte(nil), c.Rest()...)
	if err := c.Err(); err != nil {
		return err
	}
	if v != archiveVersion {
		return fmt.Errorf("backup: %w: of version %d, this program reads %d", codec.ErrVersion, v, archiveVersion)
	}
	if r.config, err = decodeConfig(r.stored); err != nil {
		return err
	}
	for _, dir := range []string{slotName, walName} {
		if err := r.fs.Mkdir(dir); err != nil {
			return err
		}
	}
	if r.slots, err = r.fs.Sub(slotName); err != nil {
		return err
	}
	r.store, err = vecfile.Open(r.slots, vecfile.Config{Dim: r.config.Dim, Metric: r.config.Metric.kernel(), UUID: r.uuid}, 0)
	if err != nil {
		return err
	}
	r.meta, err = meta.Create(r.fs, metaName, r.stored, r.uuid)
	return err
}

func (r *restore) addGraph(data []byte) (err error) {
	if r.graph == nil {
		if r.graph, err = r.fs.Create(r.graphName()); err != nil {
			return err
		}
	}
	n, err := r.graph.WriteAt(data, r.graphSize)
	r.graphSize += int64(n)
	return err
}

func (r *restore) graphName() string { return fmt.Sprintf("%s%d%s", snapshotPrefix, 1, snapshotSuffix) }

func (r *restore) setMoment(data []byte) (err error) {
	if r.moment, err = decodeArchived(data); err != nil {
		return err
	}
	if uint64(r.graphSize) != r.moment.graphBytes {
		return fmt.Errorf("backup: %w: a graph of %d bytes, it should have %d", codec.ErrCorrupt, r.graphSize, r.moment.graphBytes)
	}
	if r.dense = r.sparse(); r.dense {
		return r.dropGraph()
	}
	return r.adoptGraph()
}

// sparse reports whether the slots that no row is said to come for would take more of
// the disk than the backup can account for: more than a store leaves uncompacted, and
// than the graph, all of which has come. Then rows get new slots and the graph, which
// knows the old ones, is built anew: nothing is reserved for numbers that are only said.
func (r *restore) sparse() bool {
	row := uint64(kernel.VectorStride(r.config.Dim) + kernel.CodeStride(r.config.Dim))
	gaps := uint64(r.moment.slots - r.moment.rows)
	return gaps*row > max(defaultCompactBytes, uint64(r.graphSize))
}

func (r *restore) dropGraph() error {
	if r.graph == nil {
		return nil
	}
	err := errors.Join(r.graph.Close(), r.fs.Remove(r.graphName()))
	r.graph = nil
	return err
}

// adoptGraph checks the graph's file as a whole and makes it the new
// collection's.
func (r *restore) adoptGraph() error {
	if r.graph == nil {
		return nil
	}
	if r.graphSize > maxMap {
		return fmt.Errorf("%s: %d bytes cannot be mapped", r.graphName(), r.graphSize)
	}
	m, err := r.graph.Map(0, int(r.graphSize), vfs.MapCopy)
	if err != nil {
		return err
	}
	err = guard(func() error {
		var err error
		if r.snapshot, err = hnsw.Adopt(m.Bytes(), r.moment.graphCRC, r.from, r.uuid); err != nil {
			return err
		}
		_, err = r.graph.WriteAt(m.Bytes(), 0)
		return err
	})
	if err == nil {
		err = r.graph.Sync()
	}
	return errors.Join(err, m.Close())
}

// finish makes the checkpoint, after all that it speaks of.
func (r *restore) finish() error {
	m := &r.moment
	if r.rows != m.rows || r.live.Len() != int(m.live) || uint64(len(r.positions)) != m.positions {
		return fmt.Errorf("backup: %w: %d rows, %d live, %d positions; it should have %d, %d, %d",
			codec.ErrCorrupt, r.rows, r.live.Len(), len(r.positions), m.rows, m.live, m.positions)
	}
	if err := r.checkIDs(); err != nil {
		return err
	}
	slots := uint32(r.next) // those above held nothing
	if err := r.written(); err != nil {
		return err
	}
	if err := r.store.Reserve(slots); err != nil {
		return err
	}
	synced := make(chan error, 1)
	go func() { synced <- r.store.Sync() }()
	err := r.commitRest() // beside that: the checkpoint comes after both
	if err := errors.Join(err, <-synced); err != nil {
		return err
	}
	digest, err := r.store.Digest(r.live)
	if err != nil {
		return err
	}
	ck := meta.Checkpoint{LSN: m.lsn, Slots: slots, Live: r.live, Digest: digest, Generation: 1, UUID: r.uuid}
	if r.graph != nil {
		ck.Snapshot, ck.SnapshotCRC = r.graphName(), r.snapshot.CRC
		if r.left.Len() > 0 {
			if err := writeLeft(r.fs, ck.Snapshot, ck.SnapshotCRC, r.uuid, &r.left); err != nil {
				return err
			}
		}
	}
	u := meta.Update{Checkpoint: &ck, Positions: r.positions}
	if r.config.Keys == StringKeys {
		u.Keys.Next = m.nextKey // also of a collection that is empty now
	}
	if err := r.meta.Commit(u); err != nil {
		return err
	}
	return errors.Join(r.createLog(), r.fs.SyncDir("."))
}

// createLog makes the log that goes on behind the moment.
func (r *restore) createLog() error {
	dir, err := r.fs.Sub(walName)
	if err != nil {
		return err
	}
	err = wal.CreateAt(dir, wal.Options{UUID: r.uuid}, r.moment.lsn+1)
	return errors.Join(err, dir.Close())
}

func (r *restore) close() error {
	errs := []error{r.written(), r.committed()}
	r.syncing <- struct{}{} // until no fsync is under way
	if r.graph != nil {
		errs = append(errs, r.graph.Close())
	}
	if r.store != nil {
		errs = append(errs, r.store.Close())
	}
	if r.slots != nil {
		errs = append(errs, r.slots.Close())
	}
	if r.meta != nil {
		errs = append(errs, r.meta.Close())
	}
	return errors.Join(errs...)
}
