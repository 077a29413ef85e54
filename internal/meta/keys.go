package meta

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/tarndb/tarn/internal/codec"
)

func encodeKeyTally(next uint64, t tally) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, next), t.encode()...)
}

func decodeKeyTally(b []byte) (next uint64, t tally, err error) {
	c := codec.NewCursor(b)
	next, t.count, t.sum = c.U64(), c.U64(), c.U64()
	return next, t, done(c)
}

// putKeys takes keys out and puts keys in, and brings their tally up to date.
func putKeys(w writer, u *KeyChanges) error {
	if u.Next == 0 {
		return nil
	}
	b, err := getSealed(w, small, keyKeys)
	if err != nil {
		return err
	}
	_, t, err := decodeKeyTally(b)
	if err != nil {
		return err
	}
	for _, key := range u.Drop {
		if err := dropKey(w, key, &t); err != nil {
			return err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(u.Put)) {
		if err := dropKey(w, key, &t); err != nil {
			return err
		}
		t.add(key, u.Put[key])
		if err := putU64(w, keys, []byte(key), u.Put[key]); err != nil {
			return fmt.Errorf("key: %w", err)
		}
	}
	return putSealed(w, small, keyKeys, encodeKeyTally(u.Next, t))
}

// dropKey takes a key out, if it is there.
func dropKey(w writer, key string, t *tally) error {
	old := w.get(keys, []byte(key))
	if old == nil {
		return nil
	}
	id, err := decodeKey([]byte(key), old)
	if err != nil {
		return err
	}
	t.remove(key, id)
	return w.delete(keys, []byte(key))
}

func decodeKey(key, value []byte) (uint64, error) {
	b, err := unseal(keys, key, value)
	if err != nil {
		return 0, err
	}
	return decodeU64(b)
}

// Keys returns the id that the next new key gets, and how many keys there are.
func (s *Store) Keys() (next, count uint64, err error) {
	b, err := s.small(keyKeys)
	if err != nil {
		return 0, 0, s.wrap(err)
	}
	next, t, err := decodeKeyTally(b)
	return next, t.count, s.wrap(err)
}

// KeyIDs returns the ids of names, 0 for one that is no key.
func (s *Store) KeyIDs(names []string) ([]uint64, error) {
	ids := make([]uint64, len(names))
	err := s.back.view(func(r reader) error {
		for i, name := range names {
			value := r.get(keys, []byte(name))
			if value == nil {
				continue
			}
			var err error
			if ids[i], err = decodeKey([]byte(name), value); err != nil {
				return err
			}
		}
		return nil
	})
	return ids, s.wrap(err)
}

// ScanKeys calls fn with the keys from from on and their ids, in the order of their
// bytes, as they were at one moment, until it returns false. fn must end soon: a
// commit may wait for it.
func (s *Store) ScanKeys(from string, fn func(key []byte, id uint64) bool) error {
	return s.wrap(s.back.view(func(r reader) error {
		return r.scan(keys, []byte(from), func(key, value []byte) (bool, error) {
			id, err := decodeKey(key, value)
			return err == nil && fn(key, id), err
		})
	}))
}

// checkKeys compares all keys with their tally.
func (s *Store) checkKeys() error {
	b, err := s.small(keyKeys)
	if err != nil {
		return err
	}
	_, want, err := decodeKeyTally(b)
	if err != nil {
		return err
	}
	var got tally
	if err := s.ScanKeys("", func(key []byte, id uint64) bool {
		got.add(string(key), id)
		return true
	}); err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("%d keys do not match their record of %d: %w", got.count, want.count, codec.ErrCorrupt)
	}
	return nil
}
