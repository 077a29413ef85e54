package collection

import (
	"fmt"
	"slices"

	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/meta"
	"github.com/tarndb/tarn/internal/vecfile"
)

// payloadBytes are committed at a time.
const payloadBytes = 32 << 20

// rowBlock is a block of rows that is written while the next one is read.
type rowBlock struct {
	data    []byte
	entries []vecfile.Entry
}

// addRows takes a block of rows. Its vectors are on their way to the slot files when it
// returns: written waits for them.
func (r *restore) addRows(data []byte) error {
	b := &r.blocks[r.turn]
	r.turn = 1 - r.turn
	b.data = append(b.data[:0], data...) // data is the reader's
	rows, vectors, err := decodeRows(b.data, r.config.Dim)
	if err != nil || len(rows) == 0 {
		return err
	}
	b.entries = b.entries[:0]
	for i := range rows {
		row := &rows[i]
		gap := r.moment.slots - r.moment.rows // no more than all of them lie before a row
		if int64(row.slot) <= r.last || row.slot >= r.moment.slots || row.lsn > r.moment.lsn || row.slot > r.rows+uint32(i)+gap {
			return fmt.Errorf("backup: %w: slot %d, written by %d, out of its place", codec.ErrCorrupt, row.slot, row.lsn)
		}
		r.last = int64(row.slot)
		if r.dense && !row.live {
			continue // the graph led over it
		}
		if r.dense {
			row.slot = uint32(r.next)
		}
		r.next = uint64(row.slot) + 1
		b.entries = append(b.entries, vecfile.Entry{
			Slot: row.slot, ID: row.id, LSN: row.lsn, Payload: row.payload != nil,
			Vector: vectors[i*r.config.Dim : (i+1)*r.config.Dim],
		})
		if err := r.checkVector(row, b.entries[len(b.entries)-1].Vector); err != nil {
			return err
		}
		if row.live {
			r.live.Add(row.slot)
			r.ids = append(r.ids, row.id)
			if err := r.addKey(row); err != nil {
				return err
			}
		}
		if row.payload != nil {
			r.payloads[row.slot] = append(make([]byte, 0, len(row.payload)), row.payload...)
			r.waiting += len(row.payload)
		}
	}
	r.rows += uint32(len(rows))
	if err := r.written(); err != nil {
		return err
	}
	if err := r.store.Reserve(uint32(r.next)); err != nil {
		return err
	}
	writing := make(chan error, 1)
	r.writing = writing
	go func() { writing <- r.store.Write(b.entries) }()
	if r.unsynced += len(data); r.unsynced >= syncBytes {
		r.unsynced = 0
		r.syncAhead()
	}
	if r.waiting < payloadBytes {
		return nil
	}
	return r.commitPayloads()
}

// written waits until no block is on its way.
func (r *restore) written() (err error) {
	if r.writing != nil {
		err = <-r.writing
		r.writing = nil
	}
	return err
}

// checkVector refuses what no write would have let in; of a dead row nothing but its
// place in the graph is left.
func (r *restore) checkVector(row *archiveRow, v []float32) error {
	m := r.config.Metric
	if !row.live {
		m = L2 // a zero vector stands for a damaged one
	}
	if err := m.check(v); err != nil {
		return fmt.Errorf("backup: %w: slot %d: %w", codec.ErrCorrupt, row.slot, err)
	}
	return nil
}

// checkIDs refuses one id in two live slots.
func (r *restore) checkIDs() error {
	slices.Sort(r.ids)
	for i := 1; i < len(r.ids); i++ {
		if r.ids[i] == r.ids[i-1] {
			return fmt.Errorf("backup: %w: two points have the id %d", codec.ErrCorrupt, r.ids[i])
		}
	}
	return nil
}

// addKey notes the key of a live row, if points are named by keys.
func (r *restore) addKey(row *archiveRow) error {
	if r.config.Keys != StringKeys {
		return nil
	}
	key, _, err := splitBlob(r.config.Keys, row.payload)
	if err == nil && (checkKey(string(key)) != nil || row.id == 0 || row.id >= r.moment.nextKey) {
		err = fmt.Errorf("backup: %w: slot %d with key %d of %d", codec.ErrCorrupt, row.slot, row.id, r.moment.nextKey)
	}
	r.keys[string(key)] = row.id
	r.waiting += len(key)
	return err
}

// syncBytes are written between two fsyncs beside the reading.
const syncBytes = 16 << 20

// syncAhead keeps the disk busy while blocks are read and codes are made. An fsync
// that fails makes the one in finish fail.
func (r *restore) syncAhead() {
	select {
	case r.syncing <- struct{}{}:
	default:
		return
	}
	go func() {
		_ = r.store.Sync() // sticky in the store
		<-r.syncing
	}()
}

func (r *restore) commitPayloads() error {
	if len(r.payloads) == 0 {
		return nil
	}
	u := meta.Update{Payloads: r.payloads}
	if len(r.keys) > 0 {
		u.Keys = meta.KeyChanges{Next: r.moment.nextKey, Put: r.keys}
	}
	err := r.meta.Commit(u)
	clear(r.keys)
	clear(r.payloads)
	r.waiting = 0
	return err
}
