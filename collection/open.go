package collection

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"

	"github.com/tarndb/tarn/delta"
	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/kernel"
	"github.com/tarndb/tarn/internal/meta"
	"github.com/tarndb/tarn/internal/vecfile"
	"github.com/tarndb/tarn/internal/vfs"
	"github.com/tarndb/tarn/wal"
)

// The files of a collection, in its folder.
const (
	metaName = "meta.db"
	walName  = "wal"
	slotName = "slots"
)

// Supported returns an error on a machine whose byte order is not that of the files,
// whose rows are used where they are mapped.
func Supported() error { return kernel.Supported() }

// Create lays out an empty collection in the empty folder fs. The caller makes the
// folder durable and gives it its name afterwards.
func Create(fs vfs.FS, cfg Config, uuid [16]byte) error {
	cfg = cfg.clone()
	cfg.Fields = uniqueFields(cfg.Fields)
	if cfg.Streaming != nil {
		*cfg.Streaming = cfg.Streaming.WithDefaults()
	}
	data, err := encodeConfig(cfg)
	if err != nil {
		return err
	}
	for _, dir := range []string{slotName, walName} {
		if err := fs.Mkdir(dir); err != nil {
			return err
		}
	}
	dir, err := fs.Sub(walName)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := wal.Create(dir, wal.Options{UUID: uuid}); err != nil {
		return err
	}
	m, err := meta.Create(fs, metaName, data, uuid)
	if err != nil {
		return err
	}
	if err := m.Close(); err != nil {
		return err
	}
	return fs.SyncDir(".")
}

// Open opens the collection in o.FS: what the checkpoint holds, and the log after
// it. Its stream runs and searches are answered when it returns; what no graph
// holds yet is searched in the delta.
func Open(o Options) (_ *Collection, err error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Collection{name: o.Name, opts: o, log: o.Logger, fs: o.FS}
	c.writer, c.admin = make(chan struct{}, 1), make(chan struct{}, 1)
	c.logged, c.warm = map[string]uint64{}, make(chan struct{}, 1)
	c.gate.init()
	c.check.init()
	c.sync.init()
	c.maintain.init()
	c.fields.init()
	c.bg, c.stop = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			c.stop()
			err = c.wrap(errors.Join(err, c.release()))
		}
	}()
	if err := c.openFiles(); err != nil {
		return nil, err
	}
	if err := c.recover(); err != nil {
		return nil, err
	}
	c.start()
	if err := c.startStream(); err != nil {
		c.workersEnd()
		return nil, err
	}
	return c, nil
}

// openFiles reads the tables and maps the slot files.
func (c *Collection) openFiles() error {
	var err error
	if c.meta, err = meta.Open(c.fs, metaName, c.opts.ReadOnly); isNotExist(err) {
		return fmt.Errorf("%w: %w", codec.ErrCorrupt, err) // a collection has its name since its files are there
	} else if err != nil {
		return err
	}
	data, err := c.meta.Config()
	if err != nil {
		return err
	}
	if c.config, err = decodeConfig(data); err != nil {
		return err
	}
	c.opts.Knobs = c.opts.Knobs.withDefaults(kernel.CodeStride(c.config.Dim))
	c.moves.init(c.opts.Knobs.Ring)
	if c.ck, err = c.meta.Checkpoint(); err != nil {
		return err
	}
	c.uuid = c.meta.UUID()
	dir, err := c.folder(slotName)
	if err != nil {
		return err
	}
	c.dirs = append(c.dirs, dir)
	c.store, err = vecfile.Open(dir, vecfile.Config{
		Dim: c.config.Dim, Metric: c.config.Metric.kernel(), UUID: c.uuid, ReadOnly: c.opts.ReadOnly,
		ChunkSlots: c.opts.Knobs.ChunkSlots, RunBytes: c.opts.Knobs.RunBytes, Logger: c.log,
	}, c.ck.Slots)
	return err
}

// folder opens a folder that must be there.
func (c *Collection) folder(name string) (vfs.FS, error) {
	dir, err := c.fs.Sub(name)
	if isNotExist(err) || errors.Is(err, fs.ErrInvalid) {
		return nil, fmt.Errorf("%s: %w: %w", name, codec.ErrCorrupt, err)
	}
	return dir, err
}

// recover brings back the state of the checkpoint and replays the log after it.
func (c *Collection) recover() error {
	if err := c.adoptCheckpoint(); err != nil {
		return err
	}
	g, err := c.openGraph()
	if err != nil {
		return err
	}
	if err := c.store.CheckFew(c.bg); err != nil {
		return err
	}
	if err := c.replay(); err != nil {
		return err
	}
	c.adoptSlots(g)
	c.check.reclaimed = g
	c.view.Store(c.newView(g, c.check.named.left, c.config.Index.EfSearch))
	c.index.old.Store(int64(c.view.Load().delta.Len()))
	if !c.opts.ReadOnly {
		return c.sweepFiles()
	}
	return nil
}

func (c *Collection) adoptCheckpoint() error {
	ck := &c.ck
	if last, ok := lastSlot(ck.Live); ok && last >= ck.Slots {
		return fmt.Errorf("%s: checkpoint: %w: slot %d is live, of %d", metaName, codec.ErrCorrupt, last, ck.Slots)
	}
	for i := range ck.Live.Pieces() * bitmap.PieceWords {
		c.live.SetWord(i, ck.Live.Word(i))
	}
	c.digest.Store(ck.Digest)
	c.applied.Store(ck.LSN)
	c.slots.next = ck.Slots
	c.check.lsn.Store(ck.LSN)
	c.check.generation = ck.Generation
	c.check.live = ck.Live
	c.ids.init(c.store, ck.Live)
	places, err := c.meta.Positions()
	if err != nil {
		return err
	}
	c.places.init(places)
	for source, offset := range places {
		c.logged[source] = offset
	}
	if err := c.adoptKeys(); err != nil {
		return err
	}
	return c.checkDigest(smallStore)
}

// adoptKeys takes over what the checkpoint says about keys: each live point has one.
func (c *Collection) adoptKeys() error {
	if !c.byKey() {
		return nil
	}
	next, count, err := c.meta.Keys()
	if err != nil {
		return err
	}
	if live := c.ck.Live.Len(); next == 0 || count != uint64(live) {
		return fmt.Errorf("%s: %w: %d keys for %d points", metaName, codec.ErrCorrupt, count, live)
	}
	c.keys.next = next
	return nil
}

// smallStore is up to how many live slots the sidecar is compared with the
// checkpoint in Open itself, and above which in the background.
const smallStore = 65_536

// checkDigest compares the live sidecar entries with what the checkpoint summed
// up, if there are at most limit: files of different moments do not fit together.
func (c *Collection) checkDigest(limit int) error {
	if c.ck.Live.Len() > limit {
		return nil
	}
	sum, err := c.store.Digest(c.ck.Live)
	if err == nil && sum != c.ck.Digest {
		err = errors.New("the slot files and the checkpoint are not of one moment")
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %w", slotName, codec.ErrCorrupt, err)
	}
	return nil
}

// openGraph maps the snapshot, or begins an empty graph: it is derived state.
func (c *Collection) openGraph() (engine, error) {
	c.check.named = snapshotFile{name: c.ck.Snapshot, crc: c.ck.SnapshotCRC}
	if c.ck.Snapshot != "" && c.config.Index.Engine == EngineNative {
		g, size, err := c.loadSnapshot(c.check.named)
		if err == nil {
			c.check.named.graph, c.check.named.slots, c.check.named.size = g, g.Len(), size
			c.loadLeft(&c.check.named)
			return g, nil
		}
		c.check.bad.Store(true)
		c.log.Warn("the graph is built anew: its file cannot be used", "collection", c.name, "file", c.ck.Snapshot, "error", err)
	}
	return c.newEngine(c.config.Index)
}

// replay applies what the log holds beyond the checkpoint.
func (c *Collection) replay() error {
	dir, err := c.folder(walName)
	if err != nil {
		return err
	}
	c.dirs = append(c.dirs, dir)
	c.view.Store(&view{delta: delta.New()}) // thrown away: what is live and not in-graph is compared afterwards
	log, recovery, err := wal.Open(dir, wal.Options{
		UUID: c.uuid, SegmentSize: c.opts.Knobs.LogSegment, ReadOnly: c.opts.ReadOnly, Logger: c.log,
		Coming: func() bool { return c.coming.Load() > 0 },
	}, c.ck.LSN, c.replayRecord)
	if err != nil {
		return err
	}
	c.wal = log
	if recovery.Records > 0 {
		c.log.Info("log replayed", "collection", c.name, "records", recovery.Records, "lsn", recovery.LastLSN)
	}
	return nil
}

func (c *Collection) replayRecord(rec wal.Record) error {
	if rec.Kind != recordOps {
		return fmt.Errorf("log record %d: %w: of kind %d", rec.LSN, codec.ErrVersion, rec.Kind)
	}
	r, err := decodeRecord(rec.Payload, c.config.Dim)
	if err != nil {
		return fmt.Errorf("log record %d: %w", rec.LSN, err)
	}
	bound := c.slots.next
	for i := range r.ops {
		o := &r.ops[i]
		if c.byKey() != (o.key != "") {
			return fmt.Errorf("log record %d: %w: an operation of %d bytes of key, in a collection with %v keys", rec.LSN, codec.ErrCorrupt, len(o.key), c.config.Keys)
		}
		if o.old != noSlot && !c.live.Has(o.old) || o.isDelete() && o.old == noSlot || !o.isDelete() && c.live.Has(o.slot) {
			return fmt.Errorf("log record %d: %w: its slots do not fit the checkpoint", rec.LSN, codec.ErrCorrupt)
		}
		if !o.isDelete() {
			bound = max(bound, o.slot+1)
		}
	}
	if err := c.store.Reserve(bound); err != nil {
		return err
	}
	c.slots.next = bound
	if err := c.store.Write(c.entries(r.ops, rec.LSN)); err != nil {
		return err
	}
	c.publishRecord(r, rec.LSN)
	return nil
}

// adoptSlots sorts the slots that hold no live point into dead ones, which the
// checkpoint or the graph still knows, and free ones (I6).
func (c *Collection) adoptSlots(g engine) {
	c.slots.dead = c.slots.dead[:0]
	in := g.InGraph()
	known := c.check.named.name != "" && c.check.named.graph == nil // a file that was dropped held we do not know what
	for slot := c.slots.next; slot > 0; {
		slot--
		if slot&63 == 63 && c.live.Word(int(slot>>6)) == 1<<64-1 {
			slot &^= 63 // all of them are live
			continue
		}
		if c.live.Has(slot) {
			continue
		}
		if known || in.Has(slot) || c.ck.Live.Has(slot) {
			c.slots.dead = append(c.slots.dead, deadSlot{slot, c.clock.Load()})
		} else {
			c.slots.free = append(c.slots.free, slot)
		}
	}
	c.slots.gone.Store(int64(len(c.slots.dead) + len(c.slots.free)))
	c.check.dropped = slices.Clone(c.slots.free) // which of their payloads went already is not known
}

func lastSlot(s *bitmap.Set) (uint32, bool) {
	for i := s.Pieces()*bitmap.PieceWords - 1; i >= 0; i-- {
		for bit := 63; bit >= 0; bit-- {
			if s.Word(i)>>bit&1 != 0 {
				return uint32(i)<<6 | uint32(bit), true
			}
		}
	}
	return 0, false
}
