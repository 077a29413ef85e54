package attr

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/filter"
)

// An index on disk is a row of entries. Wire format, version 1, little-endian:
//
//	+-----+-------------------------+-----------------------------------------+
//	| tag | key                     | count | slots                           |
//	| u8  | number: hi u64, lo u16  | varint| up to 32: varints, each but the |
//	|     | text: varint length,    |       | first less the one before; more:|
//	|     | bytes                   |       | varint length, a roaring bitmap |
//	+-----+-------------------------+-----------------------------------------+
//	| 0xFF|  the index ends
//	+-----+
//
// Tags: 0 there; 1 null, 2 false, 3 true, 4 long, 5 number, 6 text; 7 to 12 the same
// for elements of arrays.
const (
	tagThere = 0
	tagWords = 1
	tagLong  = 4
	tagNum   = 5
	tagText  = 6
	tagCount = 6 // of scalars, and of elements
	tagEnd   = 0xFF
)

// Place is how far an Encode has come. The zero Place is the beginning.
type Place struct {
	tag     int
	num     filter.Number
	text    string
	resumed bool
}

// Encode appends up to about most entries, from a place on, leaving out slots that
// are not in keep, and says in at where to go on; more is false at the end.
func (x *Index) Encode(dst []byte, at *Place, most int, keep *roaring.Bitmap) (_ []byte, more bool) {
	for ; at.tag <= 2*tagCount && most > 0; most-- {
		if at.tag == tagThere {
			dst = appendSet(dst, tagThere, nil, &x.there, keep)
			at.tag++
			continue
		}
		v, tag := &x.scalars, at.tag
		if tag > tagCount {
			v, tag = &x.elements, tag-tagCount
		}
		switch {
		case tag < tagLong:
			dst = appendSet(dst, at.tag, nil, &v.words[tag-tagWords], keep)
		case tag == tagLong:
			dst = appendSet(dst, at.tag, nil, &v.long, keep)
		case tag == tagNum:
			if dst, most = encodeDict(dst, at, most, &v.nums, &at.num, appendNum, keep); most == 0 {
				return dst, true
			}
		default:
			if dst, most = encodeDict(dst, at, most, &v.texts, &at.text, appendText, keep); most == 0 {
				return dst, true
			}
		}
		at.tag++
		at.resumed = false
	}
	if at.tag <= 2*tagCount {
		return dst, true
	}
	return append(dst, tagEnd), false
}

// encodeDict appends entries of a dict after *last, if it was resumed, and notes in
// *last how far it came; most is 0 if there are more.
func encodeDict[K comparable](dst []byte, at *Place, most int, d *dict[K], last *K, key func([]byte, K) []byte, keep *roaring.Bitmap) ([]byte, int) {
	each := d.all
	if at.resumed {
		each = func(fn func(K, slots) bool) { d.from(*last, fn) }
	}
	var name []byte
	each(func(k K, s slots) bool {
		if at.resumed && k == *last {
			return true
		}
		if most == 1 {
			most = 0
			return false
		}
		most--
		*last, at.resumed = k, true
		name = key(name[:0], k)
		dst = s.appendTo(dst, at.tag, name, keep)
		return true
	})
	return dst, most
}

func appendNum(dst []byte, n filter.Number) []byte {
	return binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint64(dst, n.Hi), n.Lo)
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func (s *slots) appendTo(dst []byte, tag int, key []byte, keep *roaring.Bitmap) []byte {
	if s.more != nil && s.more.set != nil {
		return appendSet(dst, tag, key, s.more.set, keep)
	}
	var few []uint32
	s.each(func(slot uint32) {
		if keep.Contains(slot) {
			few = append(few, slot)
		}
	})
	return appendFew(dst, tag, key, few)
}

func appendSet(dst []byte, tag int, key []byte, set, keep *roaring.Bitmap) []byte {
	kept := roaring.And(set, keep)
	if kept.GetCardinality() <= fewSlots {
		return appendFew(dst, tag, key, kept.ToArray())
	}
	data, err := kept.ToBytes()
	if err != nil { // of no writer
		panic(err)
	}
	dst = append(append(dst, byte(tag)), key...)
	dst = binary.AppendUvarint(dst, kept.GetCardinality())
	return append(binary.AppendUvarint(dst, uint64(len(data))), data...)
}

func appendFew(dst []byte, tag int, key []byte, few []uint32) []byte {
	if len(few) == 0 {
		return dst
	}
	dst = append(append(dst, byte(tag)), key...)
	dst = binary.AppendUvarint(dst, uint64(len(few)))
	last := uint32(0)
	for _, slot := range few {
		dst = binary.AppendUvarint(dst, uint64(slot-last))
		last = slot
	}
	return dst
}

// Entry is an entry that was decoded.
type Entry struct {
	tag  int
	num  filter.Number
	text string
	set  *roaring.Bitmap
}

// Next decodes an entry; ok is false at the end of the index.
func Next(c *codec.Cursor) (e Entry, ok bool, err error) {
	e.tag = int(c.U8())
	if c.Err() != nil || e.tag == tagEnd {
		return e, false, c.Err()
	}
	if e.tag > 2*tagCount {
		return e, false, fmt.Errorf("entry of kind %d: %w", e.tag, codec.ErrCorrupt)
	}
	switch kind := (e.tag-1)%tagCount + 1; {
	case e.tag == tagThere:
	case kind == tagNum:
		e.num = filter.Number{Hi: c.U64(), Lo: c.U16()}
	case kind == tagText:
		e.text = string(c.Bytes(int(min(c.Uvarint(), maxString+1))))
	}
	n := c.Uvarint()
	if n > fewSlots {
		e.set, err = nextSet(c, n)
	} else {
		e.set, err = nextFew(c, n)
	}
	if err != nil || c.Err() != nil || len(e.text) > maxString {
		return e, false, fmt.Errorf("entry: %w: %v", codec.ErrCorrupt, firstError(c.Err(), err))
	}
	return e, true, nil
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

func nextFew(c *codec.Cursor, n uint64) (*roaring.Bitmap, error) {
	set, last := roaring.New(), uint64(0)
	for i := range n {
		d := c.Uvarint()
		if last += d; last > 1<<32-1 || i > 0 && d == 0 {
			return nil, fmt.Errorf("slots are out of order: %w", codec.ErrCorrupt)
		}
		set.Add(uint32(last))
	}
	return set, c.Err()
}

func nextSet(c *codec.Cursor, n uint64) (*roaring.Bitmap, error) {
	data := c.Bytes(int(min(c.Uvarint(), 1<<31-1)))
	if err := c.Err(); err != nil {
		return nil, err
	}
	set := roaring.New()
	if err := set.UnmarshalBinary(data); err != nil {
		return nil, err
	}
	if err := set.Validate(); err != nil {
		return nil, err
	}
	if set.GetCardinality() != n {
		return nil, fmt.Errorf("%d slots, not %d: %w", set.GetCardinality(), n, codec.ErrCorrupt)
	}
	return set, nil
}

// Put adds the slots of an entry that are in valid.
func (x *Index) Put(e Entry, valid *roaring.Bitmap) {
	e.set.And(valid)
	if e.set.IsEmpty() {
		return
	}
	if e.tag == tagThere {
		x.there.Or(e.set)
		return
	}
	v, kind := &x.scalars, e.tag
	if kind > tagCount {
		v, kind = &x.elements, kind-tagCount
	}
	switch {
	case kind < tagLong:
		v.words[kind-tagWords].Or(e.set)
	case kind == tagLong:
		v.long.Or(e.set)
	case kind == tagNum:
		v.num.Or(e.set)
		v.nums.put(e.num, e.set)
	default:
		v.text.Or(e.set)
		v.texts.put(e.text, e.set)
	}
}

// SetOf returns slots as a bitmap.
func SetOf(w bitmap.Words) *roaring.Bitmap {
	set := roaring.New()
	var batch []uint32
	for slot := range w.All() {
		if batch = append(batch, slot); len(batch) == 4096 {
			set.AddMany(batch)
			batch = batch[:0]
		}
	}
	set.AddMany(slices.Clip(batch))
	set.RunOptimize()
	return set
}

// AppendSlots appends a set of slots as an index that says no more than that they
// are there.
func AppendSlots(dst []byte, set *roaring.Bitmap) []byte {
	return append(appendSet(dst, tagThere, nil, set, set), tagEnd)
}

// NextSlots decodes what AppendSlots appended.
func NextSlots(c *codec.Cursor) (*roaring.Bitmap, error) {
	set := roaring.New()
	for {
		e, ok, err := Next(c)
		if err != nil || !ok {
			return set, err
		}
		set.Or(e.set)
	}
}

// MoveTo adds all that x knows to o, where it is not yet. x is of no use afterwards.
func (x *Index) MoveTo(o *Index) {
	o.there.Or(&x.there)
	for i, v := range []*values{&x.scalars, &x.elements} {
		to := []*values{&o.scalars, &o.elements}[i]
		for j := range v.words {
			to.words[j].Or(&v.words[j])
		}
		to.long.Or(&v.long)
		to.num.Or(&v.num)
		to.text.Or(&v.text)
		v.nums.all(func(k filter.Number, s slots) bool { s.each(func(slot uint32) { to.nums.add(k, slot) }); return true })
		v.texts.all(func(k string, s slots) bool { s.each(func(slot uint32) { to.texts.add(k, slot) }); return true })
	}
}
