package meta

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/vfs"
)

// Update is what one Commit changes; what is zero stays as it is.
type Update struct {
	Checkpoint   *Checkpoint               // Live must not change during the call; nil: no slot
	Payloads     iter.Seq2[uint32, []byte] // by slot, best ascending; gone through twice; nil: none
	DropPayloads []uint32                  // before Payloads are put
	Positions    map[string]uint64
	Config       []byte
	Keys         KeyChanges
}

// KeyChanges are keys that got an id, and keys that are gone. Next is the id that
// the next new key gets; 0: nothing has changed.
type KeyChanges struct {
	Next uint64
	Put  map[string]uint64
	Drop []string
}

// Commit makes all changes of u in one transaction, durable when it returns. An
// error that wraps vfs.ErrNoSpace leaves everything as it was, and Commit may be
// called again; after one that wraps vfs.ErrFailed nothing is known, and every
// later Commit fails with it (I5).
func (s *Store) Commit(u Update) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readOnly {
		return s.wrap(errReadOnly)
	}
	if s.failed != nil {
		return s.failed
	}
	if u.Checkpoint != nil && u.Checkpoint.UUID != s.uuid && u.Checkpoint.UUID != [16]byte{} {
		return s.wrap(fmt.Errorf("checkpoint of %x, not of %x", u.Checkpoint.UUID, s.uuid))
	}
	if err := s.back.update(func(w writer) error { return s.apply(w, &u) }); err != nil {
		return s.fail(err)
	}
	if u.Checkpoint == nil && u.Positions == nil && u.Config == nil && !s.stale {
		return nil
	}
	s.stale = true
	// The commit stands whether or not there is room for its copy: a later one
	// makes it good. A failed fsync, however, is final wherever it was.
	if err := s.writeCopy(); errors.Is(err, vfs.ErrFailed) {
		return s.fail(err)
	}
	return nil
}

// fail wraps err and, if it came from an fsync, makes it final.
func (s *Store) fail(err error) error {
	err = s.wrap(err)
	if errors.Is(err, vfs.ErrFailed) {
		s.failed = err
	}
	return err
}

// apply puts the changes of u.
func (s *Store) apply(w writer, u *Update) error {
	for _, slot := range u.DropPayloads {
		if err := w.delete(payloads, slotKey(slot)); err != nil {
			return err
		}
	}
	if err := putPayloads(w, u.Payloads); err != nil {
		return err
	}
	if err := putPositions(w, u.Positions); err != nil {
		return err
	}
	if err := putKeys(w, &u.Keys); err != nil {
		return err
	}
	if u.Checkpoint != nil {
		if err := s.putCheckpoint(w, u.Checkpoint); err != nil {
			return err
		}
	}
	if u.Config != nil {
		if err := putSealed(w, small, keyConfig, u.Config); err != nil {
			return err
		}
	}
	last, err := getSealed(w, small, keyCommit)
	if err != nil {
		return err
	}
	commit, err := decodeU64(last)
	if err != nil {
		return err
	}
	return putU64(w, small, keyCommit, commit+1)
}

func putSealed(w writer, b bucket, key, value []byte) error {
	return w.put(b, key, sealed(b, key, value))
}

func putU64(w writer, b bucket, key []byte, n uint64) error {
	return putSealed(w, b, key, binary.LittleEndian.AppendUint64(nil, n))
}

// putPayloads puts payloads in their order, so that those of new slots are appended.
// All sealed values share one allocation.
func putPayloads(w writer, all iter.Seq2[uint32, []byte]) error {
	if all == nil {
		return nil
	}
	size := 0
	for _, p := range all {
		size += len(p) + sealSize
	}
	space := make([]byte, 0, size)
	var key [4]byte
	for slot, p := range all {
		binary.BigEndian.PutUint32(key[:], slot)
		start := len(space)
		space = seal(space, payloads, key[:], p)
		if err := w.put(payloads, key[:], space[start:len(space):len(space)]); err != nil {
			return fmt.Errorf("payload of slot %d: %w", slot, err)
		}
	}
	return nil
}

// putPositions puts positions and brings their tally up to date.
func putPositions(w writer, all map[string]uint64) error {
	if len(all) == 0 {
		return nil
	}
	b, err := getSealed(w, small, keyPositions)
	if err != nil {
		return err
	}
	t, err := decodeTally(b)
	if err != nil {
		return err
	}
	for _, source := range slices.Sorted(maps.Keys(all)) {
		key := sourceKey(source)
		if old := w.get(positions, key); old != nil {
			offset, err := decodePosition(key, old)
			if err != nil {
				return err
			}
			t.remove(source, offset)
		}
		t.add(source, all[source])
		if err := putU64(w, positions, key, all[source]); err != nil {
			return fmt.Errorf("position: %w", err)
		}
	}
	return putSealed(w, small, keyPositions, t.encode())
}

// putCheckpoint puts the pieces of the live bitmap that have changed, and the
// record.
func (s *Store) putCheckpoint(w writer, c *Checkpoint) error {
	count, err := putLive(w, c.Live)
	if err != nil {
		return err
	}
	if slot, ok := c.Live.Next(c.Slots); ok {
		return fmt.Errorf("slot %d of %d is live", slot, c.Slots)
	}
	record := *c
	record.UUID = s.uuid
	return putSealed(w, small, keyCheckpoint, record.encode(count))
}

func putLive(w writer, set *bitmap.Set) (count uint32, err error) {
	var beyond [][]byte
	err = each(w, live, func(key, _ []byte) error {
		if len(key) != 4 {
			return fmt.Errorf("live piece %x: %w", key, codec.ErrCorrupt)
		}
		if binary.BigEndian.Uint32(key) >= uint32(set.Pieces()) {
			beyond = append(beyond, bytes.Clone(key))
		}
		return nil
	})
	for i := 0; err == nil && i < set.Pieces(); i++ {
		words, slots := encodePiece(set, i)
		count += slots
		key := slotKey(uint32(i))
		value := sealed(live, key, words)
		if !bytes.Equal(value, w.get(live, key)) {
			err = w.put(live, key, value)
		}
	}
	for _, key := range beyond {
		if err == nil {
			err = w.delete(live, key)
		}
	}
	return count, err
}
