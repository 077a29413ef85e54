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

// RunBytes bounds the vectors of one run, if Config does not: rows that are encoded
// and then written while they are in the processor's cache.
const RunBytes = 128 << 10

// aloneRuns is up to how many runs are too few to be shared.
const aloneRuns = 2

// buffers holds the rows of one run on their way to the files. The padding of
// vector rows is never written, so it stays zero.
type buffers struct {
	run    int // rows that fit
	rows   [kinds][]byte
	floats []float32 // rows[vectors], as numbers
}

// init makes the buffers, once.
func (b *buffers) init(l *layout, run int) error {
	if b.run > 0 {
		return nil
	}
	b.run = run
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
// written together. After an error the slots of the batch hold anything.
func (s *Store) Write(entries []Entry) error {
	return s.WriteBeside(entries, func() error { return nil })
}

// WriteBeside is Write after first, or, if entries are many, beside it: then the
// slots may hold anything before first has returned. If first fails its error is
// returned, and as little is written as can be. Entries are not touched any more when
// WriteBeside has ended, however it does.
func (s *Store) WriteBeside(entries []Entry, first func() error) error {
	if len(entries) > aloneRuns*s.runRows {
		return s.share(entries, first)
	}
	if err := first(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &s.alone
	w.rest, w.err = entries, s.failed
	w.work(&s.bufs[0])
	w.rest = nil
	return w.err
}

// share writes entries with two goroutines, run by run:
//
//	lead:   Store.mu ── takes a run, encodes it, writes it, takes the next ... ── unlock
//	caller: first ── does the same as long as there is a run to take ── waits for lead
func (s *Store) share(entries []Entry, first func() error) (err error) {
	w := &writing{store: s, rest: entries, led: make(chan struct{})}
	var lead sync.WaitGroup
	lead.Go(w.lead)
	defer func() {
		if err == nil {
			err = w.err
		}
	}()
	defer lead.Wait()
	defer w.stop() // an error or a panic of first
	if err := first(); err != nil {
		return err
	}
	w.help()
	return nil
}

// writing is a Write under way.
type writing struct {
	store *Store
	led   chan struct{}  // closed: lead holds Store.mu
	helps sync.WaitGroup // the caller, while lead must not let go of it

	mu   sync.Mutex // guards the rest, and the handles of the store
	rest []Entry    // not taken yet
	err  error      // nothing more is taken
	over bool       // lead waits for the caller
}

// lead writes what it can take, under the store's lock.
func (w *writing) lead() {
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	w.fail(w.store.failed)
	close(w.led)
	w.work(&w.store.bufs[1])
	w.mu.Lock()
	w.over = true
	w.mu.Unlock()
	w.helps.Wait()
}

// help writes what it can take, under the lock that lead holds.
func (w *writing) help() {
	<-w.led
	w.mu.Lock()
	over := w.over
	if !over {
		w.helps.Add(1)
	}
	w.mu.Unlock()
	if over {
		return
	}
	defer w.helps.Done()
	w.work(&w.store.bufs[0])
}

// stop lets nothing more be taken.
func (w *writing) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rest = nil
}

// fail notes the first error.
func (w *writing) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
}

// work writes run after run.
func (w *writing) work(b *buffers) {
	for {
		run := w.take(b)
		if len(run) == 0 {
			return
		}
		w.store.encodeRun(b, run)
		if err := w.writeRun(b, run); err != nil {
			w.fail(fmt.Errorf("slots %d to %d: %w", run[0].Slot, run[len(run)-1].Slot, err))
		}
	}
}

// take returns the next run, none if there is none or something failed.
func (w *writing) take(b *buffers) []Entry {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = b.init(&w.store.lay, w.store.runRows)
	}
	if w.err != nil {
		return nil
	}
	var n int
	if n, w.err = w.store.run(w.rest); w.err != nil {
		return nil
	}
	run := w.rest[:n]
	w.rest = w.rest[n:]
	return run
}

// run returns how many of the entries are for consecutive slots of one chunk and
// fit in the buffers.
func (s *Store) run(entries []Entry) (int, error) {
	for i, e := range entries {
		first := entries[0].Slot
		if i == s.runRows || uint64(e.Slot) != uint64(first)+uint64(i) || s.lay.chunk(e.Slot) != s.lay.chunk(first) {
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
func (w *writing) writeRun(b *buffers, run []Entry) error {
	s := w.store
	for i := range run {
		s.checked.Remove(run[i].Slot)
	}
	c := s.chunks[s.lay.chunk(run[0].Slot)]
	for _, f := range c.files {
		rows := b.rows[f.kind][:len(run)*s.lay.stride[f.kind]]
		if err := w.put(f, rows, run[0].Slot); err != nil {
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

// put writes rows to a file, beginning at a slot's place; in a read-only store to
// memory.
func (w *writing) put(f *slotFile, rows []byte, slot uint32) error {
	s := w.store
	if s.cfg.ReadOnly {
		return guard(func() error {
			copy(f.rows[s.lay.within(slot)*s.lay.stride[f.kind]:], rows)
			return nil
		})
	}
	h, err := w.open(f)
	if err != nil {
		return err
	}
	defer w.release(f)
	if _, err := h.WriteAt(rows, s.lay.offset(f.kind, slot)); err != nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	return nil
}

// open returns the handle of a file that is about to be written. It stays open until
// release is called: the other of two who share a Write may open many more meanwhile.
func (w *writing) open(f *slotFile) (vfs.File, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h, err := w.store.open(f)
	if err == nil {
		f.dirty = true
		f.writers++
	}
	return h, err
}

func (w *writing) release(f *slotFile) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f.writers--
}
