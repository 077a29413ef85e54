package collection

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/meta"
	"github.com/tarndb/tarn/internal/vecfile"
	"github.com/tarndb/tarn/internal/vfs"
	"github.com/tarndb/tarn/wal"
)

// Salvaged counts what Salvage found.
type Salvaged struct {
	Points   int // whole
	Lost     int // slots that held a point and cannot be read; the log may have had it again
	Payloads int // points whose vector is whole and whose payload is lost; they are kept
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
	s := &salvage{fs: fs, out: out, report: report, logged: map[uint64]*op{}, stored: map[uint32][]byte{}, whole: &bitmap.Set{}}
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
	config    Config
	ck        meta.Checkpoint
	positions map[string]uint64
	lsn       uint64
	logged    map[uint64]*op // by id, the newest in the log; deletes too
	at        map[uint64]uint64
	stored    map[uint32][]byte // payloads from the pages of a damaged meta.db
	whole     *bitmap.Set       // slots to write
}

func (s *salvage) found(file string, off int64, problem string) {
	s.report(Finding{file, off, problem})
}

// tables reads meta.db, or its copy if that is damaged.
func (s *salvage) tables() (err error) {
	if s.meta, err = meta.Open(s.fs, metaName, true); err == nil {
		if err = s.readTables(); err == nil {
			return nil
		}
		err = errors.Join(err, s.meta.Close())
	}
	s.found(metaName, -1, err.Error())
	damaged := err
	if s.meta, err = meta.OpenCopy(s.fs, metaName); err == nil {
		err = s.readTables()
	}
	if err != nil {
		return fmt.Errorf("neither %s nor its copy can be read, so which points are there is not known: %w", metaName, errors.Join(damaged, err))
	}
	s.fromCopy = true
	meta.SalvagePayloads(s.fs, metaName, func(slot uint32, payload []byte) {
		s.stored[slot] = append([]byte{}, payload...)
	}, func(f meta.Finding) { s.found(f.File, -1, f.Problem) })
	return nil
}

func (s *salvage) readTables() error {
	data, err := s.meta.Config()
	if err != nil {
		return err
	}
	if s.config, err = decodeConfig(data, 1<<24); err != nil {
		return err
	}
	if s.ck, err = s.meta.Checkpoint(); err != nil {
		return err
	}
	s.lsn = s.ck.LSN
	s.positions, err = s.meta.Positions()
	return err
}

// log reads the records after the checkpoint that are whole.
func (s *salvage) log(ctx context.Context) error {
	dir, err := s.fs.Sub(walName)
	if err != nil {
		s.found(walName, -1, err.Error())
		return nil
	}
	defer dir.Close() // only read
	s.at = map[uint64]uint64{}
	return wal.Salvage(ctx, dir, s.meta.UUID(), s.ck.LSN, func(rec wal.Record) error {
		r, err := decodeRecord(rec.Payload, s.config.Dim)
		if err != nil || rec.Kind != recordOps {
			s.found(walName, -1, fmt.Sprintf("record %d is of kind %d: %v", rec.LSN, rec.Kind, err))
			return nil
		}
		s.lsn = rec.LSN
		for i := range r.ops {
			s.logged[r.ops[i].id] = &r.ops[i]
			s.at[r.ops[i].id] = rec.LSN
		}
		if r.pos != nil {
			s.positions[r.pos.source] = r.pos.offset
		}
		return nil
	}, func(f wal.Finding) { s.found(path.Join(walName, f.File), f.Offset, f.Problem) })
}

// slots finds the slots that are whole and that the log has nothing newer for.
func (s *salvage) slots(ctx context.Context) error {
	return s.eachSlot(ctx, s.ck.Live, func(e vecfile.Entry) error {
		if s.logged[e.ID] != nil || e.LSN > s.ck.LSN {
			return nil
		}
		s.whole.Add(e.Slot)
		return nil
	}, func(f vecfile.Finding) {
		if f.Offset >= 0 { // else it is a file
			s.sum.Lost++
		}
		s.found(path.Join(slotName, f.File), f.Offset, f.Problem)
	})
}

func (s *salvage) eachSlot(ctx context.Context, set *bitmap.Set, fn func(vecfile.Entry) error, report func(vecfile.Finding)) error {
	dir, err := s.fs.Sub(slotName)
	if err != nil {
		s.sum.Lost = set.Len()
		s.found(slotName, -1, err.Error())
		return nil
	}
	defer dir.Close() // only read
	return vecfile.Salvage(ctx, dir, vecfile.Config{Dim: s.config.Dim, Metric: s.config.Metric.kernel(), UUID: s.meta.UUID()}, set, fn, report)
}

// write writes the rows in slots of their own, from 0 on without a gap: first the
// points of slots, then those of the log.
func (s *salvage) write(ctx context.Context) error {
	rows, err := s.choose(ctx)
	if err != nil {
		return err
	}
	config, err := encodeConfig(s.config)
	if err != nil {
		return err
	}
	uuid := s.meta.UUID()
	block := binary.LittleEndian.AppendUint32(append([]byte(nil), uuid[:]...), archiveVersion)
	if err := s.out.Write(blockConfig, append(block, config...)); err != nil {
		return err
	}
	m := archived{lsn: s.lsn, positions: uint64(len(s.positions)), nextKey: 1}
	for i := range rows {
		m.nextKey = max(m.nextKey, rows[i].id+1)
	}
	m.rows = uint32(len(rows))
	m.slots, m.live = m.rows, m.rows
	if err := s.out.Write(blockMoment, m.encode()); err != nil {
		return err
	}
	if err := (&backup{out: s.out, positions: s.positions}).writePositions(); err != nil {
		return err
	}
	if err := s.writeRows(ctx, rows); err != nil {
		return err
	}
	s.sum.Points = len(rows)
	return s.out.Write(blockDone, nil)
}

// chosen is a row to write: in place of its vector, where that is.
type chosen struct {
	archiveRow
	from   uint32    // the slot that holds the vector
	vector []float32 // or the vector, of a record of the log
}

func (s *salvage) choose(ctx context.Context) ([]chosen, error) {
	var rows []chosen
	add := func(r chosen, wants bool) {
		if wants && r.payload == nil {
			s.sum.Payloads++
			s.found(metaName, -1, fmt.Sprintf("what is stored with point %d, written as %d, is lost", r.id, r.lsn))
		}
		if s.config.Keys == StringKeys {
			if key, _, err := splitBlob(s.config.Keys, r.payload); err != nil || checkKey(string(key)) != nil {
				s.sum.Lost++
				return // nobody could ask for it
			}
		}
		r.slot, r.live = uint32(len(rows)), true
		rows = append(rows, r)
	}
	err := s.eachSlot(ctx, s.whole, func(e vecfile.Entry) error {
		r := chosen{from: e.Slot}
		r.id, r.lsn = e.ID, e.LSN
		if e.Payload {
			r.payload = s.payload(e.Slot)
		}
		add(r, e.Payload)
		return nil
	}, func(vecfile.Finding) {})
	for _, id := range slices.Sorted(maps.Keys(s.logged)) {
		if o := s.logged[id]; !o.isDelete() {
			r := chosen{vector: o.vector}
			r.id, r.lsn, r.payload = id, s.at[id], o.blob()
			add(r, false)
		}
	}
	return rows, err
}

func (s *salvage) payload(slot uint32) []byte {
	if s.fromCopy {
		return s.stored[slot]
	}
	data, err := s.meta.Payload(slot)
	if err != nil {
		s.found(metaName, -1, err.Error())
		return nil
	}
	return data
}

func (s *salvage) writeRows(ctx context.Context, rows []chosen) error {
	dim := s.config.Dim
	var block []chosen
	var vectors []float32
	size := 0
	flush := func() error {
		if len(block) == 0 {
			return nil
		}
		n := len(block)
		b := make([]byte, rowsHead+n*(rowHead+4*dim), rowsHead+n*(rowHead+4*dim)+size)
		binary.LittleEndian.PutUint64(b, uint64(n))
		into, err := rowsVectors(b, n, dim)
		if err != nil {
			return err
		}
		copy(into, vectors)
		for i := range block {
			putRowHead(b, i, &block[i].archiveRow)
			b = append(b, block[i].payload...)
		}
		block, vectors, size = block[:0], vectors[:0], 0
		return s.out.Write(blockRows, b)
	}
	put := func(r chosen, v []float32) error {
		block, vectors = append(block, r), append(vectors, v...)
		if size += len(r.payload); size+len(vectors)*4 < backupBlock {
			return nil
		}
		return flush()
	}
	next := 0
	err := s.eachSlot(ctx, s.whole, func(e vecfile.Entry) error {
		if next == len(rows) || rows[next].from != e.Slot || rows[next].vector != nil {
			return nil // left out
		}
		next++
		return put(rows[next-1], e.Vector)
	}, func(vecfile.Finding) {})
	if err == nil && next < len(rows) && rows[next].vector == nil {
		err = fmt.Errorf("%w: slot %d changed while it was read", codec.ErrCorrupt, rows[next].from)
	}
	for ; err == nil && next < len(rows); next++ {
		err = put(rows[next], rows[next].vector)
	}
	return errors.Join(err, flush())
}
