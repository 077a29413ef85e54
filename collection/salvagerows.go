package collection

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/vecfile"
	"github.com/tarndb/tarn/internal/watch"
)

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
	_, err := s.eachSlot(ctx, s.whole, func(e vecfile.Entry) error {
		r := chosen{from: e.Slot}
		r.id, r.lsn = e.ID, e.LSN
		if e.Payload && e.LSN <= s.stands && !s.mixed {
			r.payload = s.payload(e.Slot)
		}
		if s.keep(&r, e.Payload) {
			rows = append(rows, r)
		}
		return nil
	}, func(uint32, bool, vecfile.Finding) {})
	for _, id := range slices.Sorted(maps.Keys(s.logged)) {
		o := s.logged[id]
		if o.isDelete() || s.named[o.key] > s.at[id] {
			continue
		}
		r := chosen{vector: o.vector}
		r.id, r.lsn, r.payload = id, s.at[id], o.blob()
		rows = append(rows, r)
	}
	for i := range rows {
		rows[i].slot, rows[i].live = uint32(i), true
	}
	return rows, err
}

// keep reports whether the point of a whole slot is one, and makes up for a payload
// that is lost. A point whose key the log has something newer for is somebody's
// older self, under an id that was given up in a record that is lost.
func (s *salvage) keep(r *chosen, wants bool) bool {
	lost := wants && r.payload == nil
	if s.config.Keys == StringKeys {
		key, _, err := splitBlob(s.config.Keys, r.payload)
		if err != nil || checkKey(string(key)) != nil {
			lost = true
			if key = []byte(s.keys[r.id]); checkKey(string(key)) != nil {
				s.sum.Lost++ // nobody could ask for it
				s.found(metaName, -1, fmt.Sprintf("the key of point %d, written as %d, is lost, and the point with it", r.id, r.lsn))
				return false
			}
			r.payload = (&op{key: string(key)}).blob()
		}
		if s.named[string(key)] > r.lsn {
			return false
		}
	}
	if lost {
		s.sum.Payloads++
		s.found(metaName, -1, fmt.Sprintf("what is stored with point %d, written as %d, is lost", r.id, r.lsn))
	}
	return true
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
	_, err := s.eachSlot(ctx, s.whole, func(e vecfile.Entry) error {
		if next == len(rows) || rows[next].from != e.Slot || rows[next].vector != nil {
			return nil // left out
		}
		next++
		watch.Tell(ctx, "writing points", int64(next), int64(len(rows)))
		return put(rows[next-1], e.Vector)
	}, func(uint32, bool, vecfile.Finding) {})
	if err == nil && next < len(rows) && rows[next].vector == nil {
		err = fmt.Errorf("%w: slot %d changed while it was read", codec.ErrCorrupt, rows[next].from)
	}
	for ; err == nil && next < len(rows); next++ {
		err = put(rows[next], rows[next].vector)
	}
	return errors.Join(err, flush())
}
