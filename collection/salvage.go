package collection

import (
	"context"
	"errors"
	"fmt"
	"path"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/meta"
	"github.com/tarndb/tarn/internal/vecfile"
	"github.com/tarndb/tarn/internal/vfs"
	"github.com/tarndb/tarn/internal/watch"
	"github.com/tarndb/tarn/wal"
)

// Salvaged counts what Salvage found.
type Salvaged struct {
	Points   int    // whole
	Lost     int    // points that were in slot files and cannot be read, or named, any more
	Payloads int    // of the points that are kept, those whose payload is lost
	Records  uint64 // of the log, between others, that are lost: each was a batch of writes
	NoEnd    bool   // behind the log's last whole record is what cannot be read: a torn write, or a loss
}

// Salvage writes to out, as a backup, all that is whole of a damaged collection in
// fs, and reports what is not. It writes nothing to fs. The graph is left out: it
// is made of the vectors.
//
//	meta.db, or meta.copy ──> configuration, live slots, positions
//	slot files ──> live slots whose checksum fits ─┐
//	log ──> whole records after the checkpoint ────┴─> the newest of each id ──> rows
//	meta.db's reachable pages ──> payloads ───────────^
func Salvage(ctx context.Context, fs vfs.FS, out BlockWriter, report func(Finding)) (Salvaged, error) {
	s := &salvage{
		fs: fs, out: out, report: report, logged: map[uint64]*op{}, at: map[uint64]uint64{}, named: map[string]uint64{},
		dead: &bitmap.Set{}, stored: map[uint32][]byte{}, keys: map[uint64]string{}, whole: &bitmap.Set{},
	}
	if err := s.tables(); err != nil {
		return s.sum, err
	}
	defer s.meta.Close() // only read
	for _, step := range []func(context.Context) error{s.log, s.slots, s.write} {
		if err := step(ctx); err != nil {
			return s.sum, err
		}
	}
	return s.sum, nil
}

type salvage struct {
	fs     vfs.FS
	out    BlockWriter
	report func(Finding)
	sum    Salvaged

	meta      *meta.Store
	fromCopy  bool
	isForeign bool   // meta.db is: nothing in it is believed
	behind    uint64 // commits of meta.db that its copy has not seen: one may be, by a crash
	mixed     bool   // slot files and tables are of different moments
	stands    uint64 // LSN at which the payloads were as they are stored
	config    Config
	ck        meta.Checkpoint
	positions map[string]uint64
	lsn       uint64
	logged    map[uint64]*op // by id, the newest in the log; deletes too
	at        map[uint64]uint64
	named     map[string]uint64 // with StringKeys: LSN of the newest operation on a key in the log
	dead      *bitmap.Set       // slots that the log says are somebody's older ones
	stored    map[uint32][]byte // payloads from the pages of a damaged meta.db
	keys      map[uint64]string // with StringKeys, the key of an id, as far as the table of keys is whole
	whole     *bitmap.Set       // slots to write
}

func (s *salvage) found(file string, off int64, problem string) {
	s.report(Finding{file, off, problem})
}

// tables reads meta.db, or its copy if that is damaged or another collection's.
func (s *salvage) tables() (err error) {
	if s.meta, err = meta.Open(s.fs, metaName, true); err == nil {
		if err = s.foreign(); err == nil {
			err = s.readTables()
		}
		if err == nil {
			return s.readKeys()
		}
		err = errors.Join(err, s.meta.Close())
	}
	if errors.Is(err, codec.ErrVersion) {
		return err
	}
	s.found(metaName, -1, err.Error())
	damaged := err
	if s.meta, err = meta.OpenCopy(s.fs, metaName); err == nil {
		err = s.readTables()
	}
	if err != nil {
		return fmt.Errorf("neither %s nor its copy can be read, so which points are there is not known: %w", metaName, errors.Join(damaged, err))
	}
	if s.isForeign {
		s.fromCopy = true
		return nil
	}
	s.fromCopy = true
	lsn, ok := meta.SalvagePayloads(s.fs, metaName, func(slot uint32, payload []byte) {
		s.stored[slot] = append([]byte{}, payload...)
	}, func(key []byte, id uint64) {
		s.keys[id] = string(key)
	}, func(f meta.Finding) { s.found(f.File, -1, f.Problem) })
	if ok {
		s.stands = lsn
	}
	return nil
}

// foreign returns an error if meta.db is of another collection than its copy and the
// slot files are.
func (s *salvage) foreign() error {
	copied, err := meta.OpenCopy(s.fs, metaName)
	if err != nil {
		return nil // then there is nothing to compare with
	}
	defer copied.Close() // only read
	if at, err := copied.Commits(); err == nil {
		if now, err := s.meta.Commits(); err == nil && now > at {
			s.behind = now - at
		}
	}
	dir, err := s.fs.Sub(slotName)
	if err != nil || copied.UUID() == s.meta.UUID() {
		return nil
	}
	defer dir.Close() // only read
	owners, err := vecfile.Owners(dir)
	if err != nil || owners[copied.UUID()] <= owners[s.meta.UUID()] {
		return nil
	}
	s.isForeign = true
	return fmt.Errorf("%w: it belongs to %x, the slot files to %x", codec.ErrCorrupt, s.meta.UUID(), copied.UUID())
}

// readKeys reads the table of keys, for points whose payload, which has their key
// too, is lost. That it is damaged costs these only.
func (s *salvage) readKeys() error {
	if s.config.Keys != StringKeys {
		return nil
	}
	if err := s.meta.ScanKeys("", func(key []byte, id uint64) bool {
		s.keys[id] = string(key)
		return true
	}); err != nil {
		s.found(metaName, -1, err.Error())
	}
	return nil
}

func (s *salvage) readTables() error {
	data, err := s.meta.Config()
	if err != nil {
		return err
	}
	if s.config, err = decodeConfig(data); err != nil {
		return err
	}
	if s.ck, err = s.meta.Checkpoint(); err != nil {
		return err
	}
	s.lsn, s.stands = s.ck.LSN, s.ck.LSN
	s.positions, err = s.meta.Positions()
	return err
}

// log reads the records after the checkpoint that are whole.
func (s *salvage) log(ctx context.Context) error {
	dir, err := s.fs.Sub(walName)
	if err != nil {
		s.sum.NoEnd = true
		s.found(walName, -1, err.Error())
		return nil
	}
	defer dir.Close() // only read
	sum, err := wal.Salvage(ctx, dir, s.meta.UUID(), s.ck.LSN, func(rec wal.Record) error {
		r, err := decodeRecord(rec.Payload, s.config.Dim)
		if err != nil || rec.Kind != recordOps {
			s.found(walName, -1, fmt.Sprintf("record %d is of kind %d: %v", rec.LSN, rec.Kind, err))
			s.sum.Records++
			return nil
		}
		s.lsn = rec.LSN
		for i := range r.ops {
			o := &r.ops[i]
			s.logged[o.id], s.at[o.id] = o, rec.LSN
			if o.old != noSlot {
				s.dead.Add(o.old)
			}
			if o.key != "" {
				s.named[o.key] = rec.LSN
			}
		}
		if r.pos != nil {
			s.positions[r.pos.source] = r.pos.offset
		}
		return nil
	}, func(f wal.Finding) { s.found(path.Join(walName, f.File), f.Offset, f.Problem) })
	s.sum.Records += sum.Lost
	s.sum.NoEnd = sum.NoEnd
	return err
}

// slots finds the slots that are whole and that the log has nothing newer for.
func (s *salvage) slots(ctx context.Context) error {
	every := true
	seen, of := int64(0), int64(s.ck.Live.Len())
	lastWhole, lastAbsent := int64(-1), int64(-1)
	digest, err := s.eachSlot(ctx, s.ck.Live, func(e vecfile.Entry) error {
		lastWhole = int64(e.Slot)
		seen++
		watch.Tell(ctx, "reading slots", seen, of)
		switch {
		case s.dead.Has(e.Slot) || s.logged[e.ID] != nil:
		case e.LSN > s.ck.LSN:
			s.sum.Lost++
			s.found(slotName, -1, fmt.Sprintf("slot %d is lost: it was written anew, as %d, behind the checkpoint at %d", e.Slot, e.LSN, s.ck.LSN))
		default:
			s.whole.Add(e.Slot)
		}
		return nil
	}, func(slot uint32, absent bool, f vecfile.Finding) {
		every = false
		if slot != vecfile.NoSlot {
			seen++
			watch.Tell(ctx, "reading slots", seen, of)
		}
		if absent && slot != vecfile.NoSlot {
			lastAbsent = int64(slot)
		}
		if s.dead.Has(slot) {
			return
		}
		if slot != vecfile.NoSlot {
			s.sum.Lost++
		}
		s.found(path.Join(slotName, f.File), f.Offset, f.Problem)
	})
	// One slot that is damaged makes another sum too. Files of an earlier moment have
	// all that they have whole, and end before the others.
	if err == nil && digest != s.ck.Digest && (every || s.behind > 1 || lastAbsent > lastWhole) {
		digest, err = s.mendedDigest(ctx)
		s.mixed = digest != s.ck.Digest
	}
	if s.mixed {
		s.found(slotName, -1, "the live slots are not those that the checkpoint speaks of: the files are of different moments; payloads are not believed to be theirs")
	}
	return err
}

func (s *salvage) eachSlot(ctx context.Context, set *bitmap.Set, fn func(vecfile.Entry) error, report func(uint32, bool, vecfile.Finding)) (digest uint64, err error) {
	dir, err := s.fs.Sub(slotName)
	if err != nil {
		for slot := range set.All() {
			if !s.dead.Has(slot) {
				s.sum.Lost++
			}
		}
		s.found(slotName, -1, err.Error())
		return s.ck.Digest, nil
	}
	defer dir.Close() // only read
	return vecfile.Salvage(ctx, dir, s.slotConfig(), set, fn, report)
}

// mendedDigest is the digest of the live slots if the checksums of their codes, which can
// be made anew, are not believed.
func (s *salvage) mendedDigest(ctx context.Context) (uint64, error) {
	dir, err := s.fs.Sub(slotName)
	if err != nil {
		return 0, err
	}
	defer dir.Close() // only read
	return vecfile.MendedDigest(ctx, dir, s.slotConfig(), s.ck.Live)
}

func (s *salvage) slotConfig() vecfile.Config {
	return vecfile.Config{Dim: s.config.Dim, Metric: s.config.Metric.kernel(), UUID: s.meta.UUID()}
}
