package vecfile

import (
	"errors"
	"fmt"
	"sync"

	"github.com/tarndb/tarn/internal/kernel"
	"github.com/tarndb/tarn/internal/vfs"
)

// Entry is what Write puts into a slot. LSN is below 1<<63.
type Entry struct {
	Slot    uint32
	ID, LSN uint64
	Payload bool // the point has a payload
	Vector  []float32
}

// bufferBytes bounds the vectors of one write.
const bufferBytes = 256 << 10

// buffers holds the rows of one run on their way to the files. The padding of
// vector rows is never written, so it stays zero.
type buffers struct {
	run    int // rows that fit
	rows   [kinds][]byte
	floats []float32 // rows[vectors], as numbers

	encoding sync.WaitGroup // of the goroutine that fills it
}

// init makes the buffers, once.
func (b *buffers) init(l *layout) error {
	if b.run > 0 {
		return nil
	}
	b.run = min(max(bufferBytes/l.stride[vectors], 1), int(l.slots()))
	for k := range kinds {
		b.rows[k] = make([]byte, b.run*l.stride[k])
	}
	var ok bool
	if b.floats, ok = vfs.Float32s(b.rows[vectors]); !ok {
		return fmt.Errorf("slot files: %w on a host that is not little-endian", errors.ErrUnsupported)
	}
	return nil
}

// Write fills slots, all of them below Reserved. The caller guarantees that
// nobody reads them: they are new, or may be reused. Consecutive slots are
// written together, and encoded while those before are written. After an error the
// slots of the batch hold anything.
func (s *Store) Write(entries []Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		return s.failed
	}
	n, err := s.run(entries)
	if err != nil {
		return err
	}
	now, next := &s.buf, &s.ahead
	s.encodeRun(now, entries[:n])
	for len(entries) > 0 {
		run, rest := entries[:n], entries[n:]
		if n, err = s.run(rest); err != nil {
			return err
		}
		if n > 0 {
			if err := next.init(&s.lay); err != nil {
				return err
			}
			s.encodeBeside(next, rest[:n])
		}
		err := s.writeRun(now, run)
		next.encoding.Wait()
		if err != nil {
			return fmt.Errorf("slots %d to %d: %w", run[0].Slot, run[len(run)-1].Slot, err)
		}
		entries, now, next = rest, next, now
	}
	return nil
}

func (s *Store) encodeBeside(b *buffers, run []Entry) {
	b.encoding.Go(func() { s.encodeRun(b, run) })
}

// run returns how many of the entries are for consecutive slots of one chunk and
// fit in the buffers.
func (s *Store) run(entries []Entry) (int, error) {
	for i, e := range entries {
		first := entries[0].Slot
		if i == s.buf.run || uint64(e.Slot) != uint64(first)+uint64(i) || s.lay.chunk(e.Slot) != s.lay.chunk(first) {
			return i, nil
		}
		if e.Slot >= s.reserved.Load() {
			return 0, fmt.Errorf("slot %d is not reserved", e.Slot)
		}
		if len(e.Vector) != s.lay.dim {
			return 0, fmt.Errorf("slot %d: a vector of %d components, not %d", e.Slot, len(e.Vector), s.lay.dim)
		}
	}
	return len(entries), nil
}

// encodeRun makes the rows of a run in b.
func (s *Store) encodeRun(b *buffers, run []Entry) {
	for i := range run {
		s.encode(b, i, &run[i])
	}
}

// writeRun writes a run: the three files, then the codes in memory.
func (s *Store) writeRun(b *buffers, run []Entry) error {
	for i := range run {
		s.checked.Remove(run[i].Slot)
	}
	c := s.chunks[s.lay.chunk(run[0].Slot)]
	for _, f := range c.files {
		rows := b.rows[f.kind][:len(run)*s.lay.stride[f.kind]]
		if err := s.store(f, rows, run[0].Slot); err != nil {
			return err
		}
	}
	at := s.lay.within(run[0].Slot) * s.lay.stride[codes]
	fresh := b.rows[codes][:len(run)*s.lay.stride[codes]]
	if c.private != nil {
		copy(c.private[at:], fresh)
	}
	if c.next != nil {
		copy(c.next[at:], fresh)
	}
	for i := range run {
		s.checked.Add(run[i].Slot)
	}
	return nil
}

// encode makes the rows of an entry, as row i of b.
func (s *Store) encode(b *buffers, i int, e *Entry) {
	row := func(k kind) []byte { return b.rows[k][i*s.lay.stride[k] : (i+1)*s.lay.stride[k]] }
	copy(b.floats[i*s.lay.stride[vectors]/4:], e.Vector)
	kernel.EncodeCode(s.lay.metric, e.Vector, row(codes))
	sideRow(row(sidecar)).set(s.base, e.Slot, e, row(vectors), row(codes))
}

// store writes rows to a file, beginning at a slot's place; in a read-only store
// to memory.
func (s *Store) store(f *slotFile, rows []byte, slot uint32) error {
	if s.cfg.ReadOnly {
		return guard(func() error {
			copy(f.rows[s.lay.within(slot)*s.lay.stride[f.kind]:], rows)
			return nil
		})
	}
	h, err := s.open(f)
	if err != nil {
		return err
	}
	f.dirty = true
	if _, err := h.WriteAt(rows, s.lay.offset(f.kind, slot)); err != nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	return nil
}
