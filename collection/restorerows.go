package collection

import (
	"fmt"
	"slices"

	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/vecfile"
)

// addRows takes a block of rows. Its vectors are on their way to the slot files when it
// returns, read from data while the next block is read: written waits for them.
func (r *restore) addRows(data []byte) error {
	rows, vectors, err := decodeRows(data, r.config.Dim)
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return r.written() // the reader needs its bytes back
	}
	entries := r.entries[r.turn][:0]
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
		entries = append(entries, vecfile.Entry{
			Slot: row.slot, ID: row.id, LSN: row.lsn, Payload: row.payload != nil,
			Vector: vectors[i*r.config.Dim : (i+1)*r.config.Dim],
		})
		if err := r.checkVector(row, entries[len(entries)-1].Vector); err != nil {
			return err
		}
		if row.live {
			r.live.Add(row.slot)
			r.ids = append(r.ids, row.id)
			if row.left {
				r.left.Add(row.slot) // if there is no graph, that is of no account
			}
			if err := r.addKey(row); err != nil {
				return err
			}
		}
		if row.payload != nil {
			r.coming.addPayload(row.slot, row.payload)
		}
	}
	r.rows += uint32(len(rows))
	if err := r.written(); err != nil {
		return err
	}
	if err := r.store.Reserve(uint32(r.next)); err != nil {
		return err
	}
	r.entries[r.turn], r.turn = entries, 1-r.turn
	writing := make(chan error, 1)
	r.writing = writing
	go func() { writing <- r.store.Write(entries) }()
	r.syncAhead(len(data))
	return r.commitAhead()
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
	r.coming.addKey(string(key), row.id)
	return err
}

// backBytes are written between two times that the disk is asked to begin with what is
// there, and syncBytes between two fsyncs beside the reading: those keep a thread, and
// for a while a processor, so the fewer the better. Variables for tests.
var backBytes, syncBytes = 4 << 20, 64 << 20

// syncAhead keeps the disk busy while blocks are read and codes are made. An fsync
// that fails makes the one in finish fail.
func (r *restore) syncAhead(written int) {
	r.unsynced += written
	r.unasked += written
	if r.unasked < backBytes {
		return
	}
	select {
	case r.syncing <- struct{}{}:
	default:
		return
	}
	sync := r.unsynced >= syncBytes
	r.unasked = 0
	if sync {
		r.unsynced = 0
	}
	go func() {
		if sync {
			_ = r.store.Sync() // sticky in the store
		} else {
			r.store.WriteBack()
		}
		<-r.syncing
	}()
}
