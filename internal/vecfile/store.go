package vecfile

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/kernel"
	"github.com/tarndb/tarn/internal/vfs"
)

// Config says what a store holds. Dim is required.
type Config struct {
	Dim        int
	Metric     kernel.Metric // of the codes; the vectors are the same for all
	UUID       [16]byte      // of the collection; stands in every file and every checksum
	ReadOnly   bool          // writes go to memory only
	ChunkSlots int           // power of two; 0: what the files there have, else the default for Dim
	RunBytes   int           // of vectors that are written in one go; 0: RunBytes
	Logger     *slog.Logger  // nil: no logging
}

// Store is the slot files of one collection. See the package comment for who
// may call what beside whom.
type Store struct {
	fs  vfs.FS
	cfg Config
	lay layout
	log *slog.Logger

	// What readers load. Each is replaced as a whole; reserved is stored last.
	vecs     atomic.Pointer[kernel.Rows]
	codes    atomic.Pointer[kernel.Rows]
	sides    atomic.Pointer[[][]byte] // sidecar rows by chunk
	reserved atomic.Uint32            // slots below it have files and memory (I3)
	cold     atomic.Bool              // a chunk was added since Warm, which would copy its codes
	checked  bitmap.Set               // slots whose checksums were seen right, or that this process wrote

	syncing sync.Mutex // one Sync at a time; taken before mu
	toSync  []*slotFile

	mu       sync.Mutex
	chunks   []*chunk
	pending  *chunk // the next one, while it is not whole
	handles  []*slotFile
	retired  []vfs.Mapping // of chunks that Shrink removed
	arena    arena
	newFiles bool  // the folder has entries that were not synced
	warmed   bool  // Warm was called
	warmMin  int64 // bytes of codes below which Warm leaves them mapped
	failed   error // I6
	closed   bool
	bufs     [2]buffers // of those who share a Write
	alone    writing    // of a Write that is not shared
	base     uint32     // checksum of the uuid, with which every checksum begins
	runRows  int        // slots that are written in one go
}

// Open opens the slot files in dir, the folder of a collection's slots, of which
// the first slots slots must be there whole. With slots 0 the folder may be
// empty. Files beyond them are not looked at until Reserve comes to them. It
// writes nothing.
func Open(dir vfs.FS, cfg Config, slots uint32) (*Store, error) {
	s := &Store{fs: dir, cfg: cfg, log: cfg.Logger, warmMin: defaultWarmMin, base: codec.CRC(cfg.UUID[:])}
	s.alone.store = s
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if err := s.plan(); err != nil {
		return nil, err
	}
	if s.cfg.RunBytes == 0 {
		s.cfg.RunBytes = RunBytes
	}
	s.runRows = min(max(s.cfg.RunBytes/s.lay.stride[vectors], 1), int(s.lay.slots()))
	if err := s.bufs[0].init(&s.lay, s.runRows); err != nil {
		return nil, err
	}
	if err := s.loadAll(slots); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// plan sets the layout. The files' own chunk size goes before the default, so
// that the default may change.
func (s *Store) plan() error {
	lay, err := newLayout(s.cfg.Dim, s.cfg.Metric, s.cfg.ChunkSlots, math.MaxInt)
	if err != nil {
		return err
	}
	s.lay = lay
	if s.cfg.ChunkSlots != 0 {
		return nil
	}
	shift, err := s.firstShift()
	if err != nil || shift == lay.shift {
		return err
	}
	if s.lay, err = newLayout(s.cfg.Dim, s.cfg.Metric, 1<<shift, math.MaxInt); err != nil {
		return damaged(fileName(vectors, 0), 0, err.Error())
	}
	return nil
}

// loadAll opens the chunks of the first n slots and publishes them.
func (s *Store) loadAll(n uint32) error {
	s.publish()
	if n == 0 {
		return nil
	}
	list, err := s.fs.List(".")
	if err != nil {
		return err
	}
	entries := make(map[string]vfs.Entry, len(list))
	for _, e := range list {
		entries[e.Name] = e
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.lay.chunks(n) {
		c := newChunk(i)
		err := s.load(c, int(min(uint64(n)-s.lay.first(i), uint64(s.lay.slots()))), entries)
		s.chunks = append(s.chunks, c) // Close unmaps what there is
		if err != nil {
			return err
		}
	}
	s.publish()
	s.reserved.Store(n)
	return nil
}

// publish shows readers the chunks as they are now.
func (s *Store) publish() {
	var rows [kinds][][]byte
	for _, c := range s.chunks {
		rows[vectors] = append(rows[vectors], c.files[vectors].rows)
		rows[codes] = append(rows[codes], c.codeRows())
		rows[sidecar] = append(rows[sidecar], c.files[sidecar].rows)
	}
	s.vecs.Store(kernel.NewRows(s.lay.stride[vectors], s.lay.shift).With(rows[vectors]...))
	s.codes.Store(kernel.NewRows(s.lay.stride[codes], s.lay.shift).With(rows[codes]...))
	s.sides.Store(&rows[sidecar])
}

// Codes returns the table of code rows, as it is now.
func (s *Store) Codes() *kernel.Rows { return s.codes.Load() }

// Vectors returns the table of vector rows, as it is now.
func (s *Store) Vectors() *kernel.Rows { return s.vecs.Load() }

// Cold reports whether chunks were added that Warm would copy. It tells so only after
// the first Warm.
func (s *Store) Cold() bool { return s.cold.Load() }

// Reserved returns the number of slots that Write accepts: those below it.
func (s *Store) Reserved() uint32 { return s.reserved.Load() }

// side returns the sidecar entry of a slot below Reserved.
func (s *Store) side(slot uint32) sideRow {
	return s.lay.row(sidecar, (*s.sides.Load())[s.lay.chunk(slot)], slot)
}

// sideOf is side for a slot of chunk c, whether or not readers see it.
func (s *Store) sideOf(c *chunk, slot uint32) sideRow {
	return s.lay.row(sidecar, c.files[sidecar].rows, slot)
}

// ID returns the id of the point in a slot. Like LSN, HasPayload and Hash it
// reads the mapping: callers that must survive a fault run under vfs.Guard.
func (s *Store) ID(slot uint32) uint64 { return s.side(slot).id() }

// LSN returns the number of the write that filled a slot, 0 if none did.
func (s *Store) LSN(slot uint32) uint64 { return s.side(slot).lsn() }

// HasPayload reports whether the point in a slot has a payload.
func (s *Store) HasPayload(slot uint32) bool { return s.side(slot).payload() }

// Hash returns a hash of a slot's sidecar entry, whose checksums cover the slot's
// number, vector and codes.
func (s *Store) Hash(slot uint32) uint64 { return codec.Hash(s.side(slot)) }

// Close unmaps and closes everything, without syncing. No reader may be left.
func (s *Store) Close() error {
	s.syncing.Lock()
	defer s.syncing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.failed == nil {
		s.failed = fmt.Errorf("slot files: %w", fs.ErrClosed)
	}
	var errs []error
	for _, f := range s.handles {
		errs = append(errs, f.handle.Close())
		f.handle = nil
	}
	all := s.chunks
	if s.pending != nil {
		all = append(all, s.pending)
	}
	for _, c := range all {
		for _, f := range c.files {
			if f.mapping != nil {
				errs = append(errs, f.mapping.Close())
			}
		}
	}
	for _, m := range s.retired {
		errs = append(errs, m.Close())
	}
	s.handles, s.chunks, s.pending, s.retired = nil, nil, nil, nil
	return errors.Join(append(errs, s.arena.close())...)
}
