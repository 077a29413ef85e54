package meta

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/codec"
)

// getSealed returns the value of a record that must be there.
func getSealed(r reader, b bucket, key []byte) ([]byte, error) {
	value := r.get(b, key)
	if value == nil {
		return nil, fmt.Errorf("record %s/%x is missing: %w", bucketNames[b], key, codec.ErrCorrupt)
	}
	return unseal(b, key, value)
}

// Config returns the configuration as it was last committed.
func (s *Store) Config() ([]byte, error) {
	b, err := s.small(keyConfig)
	return b, s.wrap(err)
}

// Checkpoint returns the last checkpoint.
func (s *Store) Checkpoint() (c Checkpoint, err error) {
	err = s.back.view(func(r reader) error {
		b, err := getSealed(r, small, keyCheckpoint)
		if err != nil {
			return err
		}
		want := uint32(0)
		if c, want, err = decodeCheckpoint(b); err != nil {
			return err
		}
		if c.UUID != s.uuid {
			return fmt.Errorf("checkpoint belongs to %x, not to %x: %w", c.UUID, s.uuid, codec.ErrCorrupt)
		}
		if c.Live, err = readLive(r); err != nil {
			return err
		}
		if got := c.Live.Len(); got != int(want) {
			return fmt.Errorf("live bitmap of %d slots, the checkpoint says %d: %w", got, want, codec.ErrCorrupt)
		}
		if slot, ok := c.Live.Next(c.Slots); ok {
			return fmt.Errorf("slot %d of %d is live: %w", slot, c.Slots, codec.ErrCorrupt)
		}
		return nil
	})
	if err != nil {
		return Checkpoint{}, s.wrap(err)
	}
	return c, nil
}

func readLive(r reader) (*bitmap.Set, error) {
	set := &bitmap.Set{}
	err := each(r, live, func(key, value []byte) error {
		words, err := unseal(live, key, value)
		if err != nil {
			return err
		}
		if len(key) != 4 {
			return fmt.Errorf("live piece %x: %w", key, codec.ErrCorrupt)
		}
		return decodePiece(set, binary.BigEndian.Uint32(key), words)
	})
	return set, err
}

// Positions returns the offset of every source.
func (s *Store) Positions() (all map[string]uint64, err error) {
	all = map[string]uint64{}
	err = s.back.view(func(r reader) error {
		b, err := getSealed(r, small, keyPositions)
		if err != nil {
			return err
		}
		want, err := decodeTally(b)
		if err != nil {
			return err
		}
		var got tally
		err = each(r, positions, func(key, value []byte) error {
			source, err := sourceOf(key)
			if err != nil {
				return err
			}
			all[source], err = decodePosition(key, value)
			got.add(source, all[source])
			return err
		})
		if err == nil && got != want {
			err = fmt.Errorf("%d positions do not match their record of %d: %w", got.count, want.count, codec.ErrCorrupt)
		}
		return err
	})
	return all, s.wrap(err)
}

func decodePosition(key, value []byte) (uint64, error) {
	b, err := unseal(positions, key, value)
	if err != nil {
		return 0, err
	}
	return decodeU64(b)
}

// Payload returns a copy of the payload of a slot, nil if it has none.
func (s *Store) Payload(slot uint32) ([]byte, error) {
	into := [1][]byte{}
	err := s.Payloads([]uint32{slot}, into[:])
	return into[0], err
}

// Payloads copies the payloads of slots to the elements of into, as many, as
// they were at one moment. An element's memory is used again if it suffices; it
// is nil for a slot that has no payload.
func (s *Store) Payloads(slots []uint32, into [][]byte) error {
	return s.wrap(s.back.view(func(r reader) error {
		var key [4]byte
		for i, slot := range slots {
			binary.BigEndian.PutUint32(key[:], slot)
			value := r.get(payloads, key[:])
			if value == nil {
				into[i] = nil
				continue
			}
			b, err := unseal(payloads, key[:], value)
			if err != nil {
				return err
			}
			into[i] = append(into[i][:0], b...)
			if into[i] == nil {
				into[i] = []byte{}
			}
		}
		return nil
	}))
}

// farAhead is over how many slots that are not asked for VisitPayloads reads on
// before it looks the next one up.
const farAhead = 16

// VisitPayloads calls fn with the payloads of those of slots, which ascend, that
// have one, as they were at one moment; i is the slot's place. The payload is
// valid during the call only.
func (s *Store) VisitPayloads(slots []uint32, fn func(i int, payload []byte) error) error {
	return s.wrap(s.back.view(func(r reader) error {
		for i := 0; i < len(slots); {
			next := i
			err := r.scan(payloads, slotKey(slots[i]), func(key, value []byte) (bool, error) {
				if len(key) != 4 {
					return false, fmt.Errorf("payload %x: %w", key, codec.ErrCorrupt)
				}
				slot := binary.BigEndian.Uint32(key)
				for next < len(slots) && slots[next] < slot {
					next++
				}
				if next == len(slots) || slots[next]-slot > farAhead {
					return false, nil
				}
				if slots[next] > slot {
					return true, nil
				}
				b, err := unseal(payloads, key, value)
				if err != nil {
					return false, err
				}
				next++
				return next < len(slots), fn(next-1, b)
			})
			if err != nil {
				return err
			}
			if next == i { // nothing from slots[i] on
				break
			}
			i = next
		}
		return nil
	}))
}

// PayloadsFrom returns some of the slots from from on that have payloads, in
// ascending order, with copies of the payloads: about a MiB of them, none only if
// there is none.
func (s *Store) PayloadsFrom(from uint32) (slots []uint32, values [][]byte, err error) {
	err = s.back.view(func(r reader) (err error) {
		slots, values, err = payloadBatch(r, from)
		return err
	})
	return slots, values, s.wrap(err)
}

// EachPayload calls fn with the slots that have payloads and the payloads, in
// ascending order, a batch of them in each of several transactions, so that none
// outlives a batch. What is committed meanwhile may or may not be seen.
func (s *Store) EachPayload(fn func(slot uint32, payload []byte) error) error {
	for from, more := uint32(0), true; more; {
		slots, values, err := s.PayloadsFrom(from)
		if err != nil {
			return err
		}
		for i, slot := range slots {
			if err := fn(slot, values[i]); err != nil {
				return err
			}
		}
		more = len(slots) > 0 && slots[len(slots)-1] < 1<<32-1
		if more {
			from = slots[len(slots)-1] + 1
		}
	}
	return nil
}

// batchBytes bounds what EachPayload holds at a time.
const batchBytes = 1 << 20

func payloadBatch(r reader, from uint32) (slots []uint32, values [][]byte, err error) {
	size := 0
	err = r.scan(payloads, slotKey(from), func(key, value []byte) (bool, error) {
		b, err := unseal(payloads, key, value)
		if err != nil {
			return false, err
		}
		if len(key) != 4 {
			return false, fmt.Errorf("payload %x: %w", key, codec.ErrCorrupt)
		}
		slots = append(slots, binary.BigEndian.Uint32(key))
		values = append(values, bytes.Clone(b))
		size += len(b)
		return size < batchBytes, nil
	})
	return slots, values, err
}
