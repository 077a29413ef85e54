package collection

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/meta"
)

// maxKey is how many bytes a key may have.
const maxKey = 1024

// keys finds the id of a key. An id is given to a key once, when the key comes, and
// never to another. Those newer than the checkpoint are here, the others in meta.db:
//
//	key ──> fresh, frozen (newer than the checkpoint) ──> meta.db ──> id ──> index ──> slot
//
// slot -> key is stored with the payload, see blob.
type keys struct {
	next uint64 // by writer: the id of the next new key

	mu     sync.RWMutex
	fresh  map[string]keyChange
	frozen map[string]keyChange // what the checkpoint that is being written takes
}

// keyChange is what a key became; id 0: it is gone.
type keyChange struct{ id uint64 }

// set gives a key an id, 0: takes it out.
func (k *keys) set(key string, id uint64) {
	k.mu.Lock()
	if k.fresh == nil {
		k.fresh = map[string]keyChange{}
	}
	k.fresh[key] = keyChange{id}
	k.mu.Unlock()
	k.next = max(k.next, id+1)
}

// recent returns the id of a key that has changed since the checkpoint.
func (k *keys) recent(key string) (id uint64, ok bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	c, ok := k.fresh[key]
	if !ok {
		c, ok = k.frozen[key]
	}
	return c.id, ok
}

// freeze hands over all changes; thaw must follow.
func (k *keys) freeze() meta.KeyChanges {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.frozen, k.fresh = k.fresh, nil
	u := meta.KeyChanges{Next: k.next, Put: map[string]uint64{}}
	for key, c := range k.frozen {
		if c.id == 0 {
			u.Drop = append(u.Drop, key)
		} else {
			u.Put[key] = c.id
		}
	}
	return u
}

// thaw drops the frozen changes once they are committed, or takes them back.
func (k *keys) thaw(committed bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !committed && len(k.frozen) > 0 {
		back := k.frozen
		maps.Copy(back, k.fresh)
		k.fresh = back
	}
	k.frozen = nil
}

// keyIDs returns the ids of keys, 0 where there is none.
func (c *Collection) keyIDs(names []string) ([]uint64, error) {
	ids := make([]uint64, len(names))
	var missing []string
	var places []int
	for i, name := range names {
		id, ok := c.keys.recent(name)
		if !ok {
			missing, places = append(missing, name), append(places, i)
			continue
		}
		ids[i] = id
	}
	if len(missing) == 0 {
		return ids, nil
	}
	found, err := c.meta.KeyIDs(missing)
	if err != nil {
		return nil, err
	}
	for i, place := range places {
		ids[place] = found[i]
	}
	return ids, nil
}

// resolveKeys gives every operation the id of its key: what it has, or the next for
// a new one. Deletes of what is not there get an id that nothing has.
func (c *Collection) resolveKeys(ops []op) error {
	names := make([]string, len(ops))
	for i := range ops {
		names[i] = ops[i].key
	}
	ids, err := c.keyIDs(names)
	if err != nil {
		return err
	}
	next := c.keys.next
	for i := range ops {
		ops[i].id = ids[i]
		if ids[i] == 0 && !ops[i].isDelete() {
			ops[i].id = next
			next++
		}
	}
	return nil
}

// byKey reports whether points are named by keys.
func (c *Collection) byKey() bool { return c.config.Keys == StringKeys }

// wantIDs refuses a call that takes ids where points are named by keys.
func (c *Collection) wantIDs() error {
	if c.byKey() {
		return fmt.Errorf("%w: this collection names points by Key", ErrInvalidArgument)
	}
	return nil
}

// wantKeys refuses a call that takes keys where points are named by ids.
func (c *Collection) wantKeys() error {
	if !c.byKey() {
		return fmt.Errorf("%w: this collection names points by ID", ErrInvalidArgument)
	}
	return nil
}

// checkKey says what is wrong with a key.
func checkKey(key string) error {
	if key == "" || len(key) > maxKey {
		return fmt.Errorf("the key has %d bytes: it must have 1 to %d", len(key), maxKey)
	}
	if !utf8.ValidString(key) {
		return errors.New("the key is not UTF-8")
	}
	return nil
}

// keySeed is of this process: what waits in a stream is known by a hash of its key.
var keySeed = maphash.MakeSeed()

// nameOf returns what an operation on p is known by until it is resolved.
func (c *Collection) nameOf(p *Point) (id uint64, key string, err error) {
	switch {
	case c.byKey() && p.Key == "" && p.ID != 0:
		return 0, "", fmt.Errorf("%w: it has an ID and no Key, but this collection names points by Key", ErrInvalidPoint)
	case c.byKey():
		if err := checkKey(p.Key); err != nil {
			return 0, "", fmt.Errorf("%w: %w", ErrInvalidPoint, err)
		}
		return maphash.String(keySeed, p.Key), p.Key, nil
	case p.Key != "":
		return 0, "", fmt.Errorf("%w: it has a Key, but this collection names points by ID", ErrInvalidPoint)
	}
	return p.ID, "", nil
}

// What is stored for a slot, besides its vector: the payload, and with StringKeys
// the key before it. Wire format, version 1:
//
//	+---------+-----+-------------+--------------+
//	| key len | key | has payload | payload JSON |   with StringKeys
//	| u16     |     | u8: 0, 1    | if it has    |
//	+---------+-----+-------------+--------------+
//
// blob returns it for an operation, nil if there is nothing to store.
func (o *op) blob() []byte {
	if o.key == "" {
		return o.payload
	}
	b := binary.LittleEndian.AppendUint16(make([]byte, 0, 3+len(o.key)+len(o.payload)), uint16(len(o.key)))
	b = append(b, o.key...)
	if o.payload == nil {
		return append(b, 0)
	}
	return append(append(b, 1), o.payload...)
}

// splitBlob returns the parts of a blob, which it does not copy.
func (c *Collection) splitBlob(b []byte) (key, payload []byte, err error) {
	return splitBlob(c.config.Keys, b)
}

func splitBlob(kind KeyKind, b []byte) (key, payload []byte, err error) {
	if kind != StringKeys {
		return nil, b, nil
	}
	r := codec.NewCursor(b)
	key = r.Bytes(int(r.U16()))
	has := r.U8()
	rest := r.Rest()
	if err := r.Err(); err != nil {
		return nil, nil, fmt.Errorf("stored key: %w", err)
	}
	if len(key) == 0 || has > 1 || has == 0 && len(rest) > 0 {
		return nil, nil, fmt.Errorf("stored key: %w", codec.ErrCorrupt)
	}
	if has == 1 {
		payload = rest
	}
	return key, payload, nil
}

// keysOf returns the keys of slots, which are pinned.
func (c *Collection) keysOf(slots []uint32) ([]string, error) {
	data := make([][]byte, len(slots))
	if err := c.payloads.read(c.meta, slots, c.store.HasPayload, data); err != nil {
		return nil, err
	}
	names := make([]string, len(slots))
	for i := range data {
		key, _, err := c.splitBlob(data[i])
		if err != nil {
			return nil, err
		}
		names[i] = string(key)
	}
	return names, nil
}

// sortHits sorts by distance, ties by id or key; what comes after the k-th only by
// distance.
func (c *Collection) sortHits(hits []hit, k int) error {
	slices.SortFunc(hits, compareHits)
	if !c.byKey() {
		return nil
	}
	for from := 0; from < min(k, len(hits)); {
		to := from + 1
		for to < len(hits) && hits[to].dist == hits[from].dist {
			to++
		}
		if to-from > 1 {
			if err := c.sortTies(hits[from:to]); err != nil {
				return err
			}
		}
		from = to
	}
	return nil
}

func (c *Collection) sortTies(hits []hit) error {
	slots := make([]uint32, len(hits))
	for i, h := range hits {
		slots[i] = h.slot
	}
	names, err := c.keysOf(slots)
	if err != nil {
		return err
	}
	key := make(map[uint32]string, len(hits))
	for i, slot := range slots {
		key[slot] = names[i]
	}
	slices.SortFunc(hits, func(a, b hit) int {
		if key[a.slot] < key[b.slot] {
			return -1
		}
		return 1
	})
	return nil
}
