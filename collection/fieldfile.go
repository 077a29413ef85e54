package collection

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/tarndb/tarn/internal/attr"
	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/vfs"
)

// fields.idx holds the field indexes as they were at one checkpoint. It is derived
// and named by nothing: it says itself which slots it speaks of and up to which LSN,
// which was durable when it was written. Of these slots those count that are live
// and were not written since; the payloads of the others are looked at. Any doubt
// about the file, and they all are. Wire format, version 1, little-endian:
//
//	+--------------+---------+---------------------+---------+------------------+--------+
//	| codec.Header | LSN u64 | slots: an entry     | fields  | per field: path  | CRC32C |
//	|              |         | (attr) of kind 0    | u32     | (varint, bytes), | u32    |
//	|              |         | and an end          |         | entries, an end  |        |
//	+--------------+---------+---------------------+---------+------------------+--------+
const (
	fieldsName    = "fields.idx"
	fieldsVersion = 1
)

var fieldsMagic = [8]byte{'T', 'A', 'R', 'N', 'F', 'L', 'D', '\n'}

// entriesPerPiece is how many entries are encoded under one hold of the lock.
const entriesPerPiece = 512

// fieldsDue reports whether fields.idx is old enough to be worth a new one.
func (c *Collection) fieldsDue(wanted bool) bool {
	x := &c.fields
	changes := x.changes.Load()
	if x.ready.Load() == 0 || changes == 0 || x.fault.Load() != nil {
		return false
	}
	return wanted || changes >= int64(max(c.opts.Knobs.SnapshotChange, c.live.Len()/20))
}

// saveFields writes fields.idx. That there is no room for it is only said: it can be
// made again from the payloads.
func (c *Collection) saveFields() error {
	err := c.writeFields()
	if err != nil && !errors.Is(err, vfs.ErrFailed) {
		c.log.Warn("the field indexes could not be written", "collection", c.name, "error", err)
		return nil
	}
	return c.sticky(err)
}

// writeFields writes fields.idx for the checkpoint that was just committed. The
// checkpoint lock is held: none of its slots is written again meanwhile.
func (c *Collection) writeFields() error {
	changes := c.fields.changes.Load()
	f, err := vfs.AtomicFile(c.fs, fieldsName, func(f vfs.File) error {
		w := &summed{w: bufio.NewWriterSize(&offsetWriter{f: f}, 1<<20)}
		if err := c.encodeFields(w); err != nil {
			return err
		}
		c.hook("fields: before write")
		return w.end()
	})
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	c.fields.changes.Add(-changes)
	return nil
}

// summed writes on, and at the end the checksum of all that was written.
type summed struct {
	w   *bufio.Writer
	sum uint32
}

func (s *summed) Write(p []byte) (int, error) {
	s.sum = codec.CRCUpdate(s.sum, p)
	return s.w.Write(p)
}

func (s *summed) end() error {
	if _, err := s.w.Write(binary.LittleEndian.AppendUint32(nil, s.sum)); err != nil {
		return err
	}
	return s.w.Flush()
}

func (c *Collection) encodeFields(w io.Writer) error {
	list, words := c.readyFields()
	keep := attr.SetOf(words)
	data := codec.Header{Magic: fieldsMagic, Version: fieldsVersion, UUID: c.uuid}.AppendTo(nil)
	data = binary.LittleEndian.AppendUint64(data, c.check.lsn.Load())
	data = attr.AppendSlots(data, keep)
	data = binary.LittleEndian.AppendUint32(data, uint32(len(list)))
	_, err := w.Write(data)
	for _, f := range list {
		data = append(binary.AppendUvarint(data[:0], uint64(len(f.path))), f.path...)
		var at attr.Place
		for more := err == nil; more; {
			data, more = c.encodePiece(data, f, &at, keep)
			_, err = w.Write(data)
			data, more = data[:0], more && err == nil
		}
	}
	return err
}

// readyFields returns the fields that are ready, and the slots of the checkpoint that
// each of them is known to have: those that are live still. One that died before a field
// was built is not in its index.
func (c *Collection) readyFields() (list []*field, have bitmap.Words) {
	c.publish.RLock()
	defer c.publish.RUnlock()
	have = c.check.live.Words(nil)
	have.And(c.live.Words(nil))
	for _, f := range c.fields.list {
		if f.ready {
			list = append(list, f)
		}
	}
	return list, have
}

// encodePiece encodes a piece of an index. What is added between two pieces is of
// slots that are not kept.
func (c *Collection) encodePiece(data []byte, f *field, at *attr.Place, keep *roaring.Bitmap) ([]byte, bool) {
	c.publish.RLock()
	defer c.publish.RUnlock()
	return f.index.Encode(data, at, entriesPerPiece, keep)
}

// parseFields checks the file and returns a cursor behind its slots.
func parseFields(data []byte, uuid [16]byte) (c *codec.Cursor, lsn uint64, slots *roaring.Bitmap, err error) {
	h, err := codec.ParseHeader(data, fieldsMagic, fieldsVersion)
	if err != nil {
		return nil, 0, nil, err
	}
	body := len(data) - 4
	if h.UUID != uuid || body < codec.HeaderSize || codec.CRC(data[:body]) != binary.LittleEndian.Uint32(data[body:]) {
		return nil, 0, nil, fmt.Errorf("%w: its checksum or its owner is another", codec.ErrCorrupt)
	}
	c = codec.NewCursor(data[:body])
	c.Bytes(codec.HeaderSize)
	lsn = c.U64()
	slots, err = attr.NextSlots(c)
	return c, lsn, slots, err
}

// loadFields adds what fields.idx knows to the indexes of some fields, and takes the
// slots that it spoke of out of rest, which are those that are looked for.
func (c *Collection) loadFields(todo []*field, rest bitmap.Words) error {
	data, err := c.readFile(fieldsName)
	if err != nil {
		return err
	}
	r, lsn, slots, err := parseFields(data, c.uuid)
	if err != nil {
		return err
	}
	valid := roaring.New()
	for slot := range rest.All() {
		if slots.Contains(slot) && c.store.LSN(slot) <= lsn {
			valid.Add(slot)
		}
	}
	found, err := readFields(r, valid, c.bg.Err)
	if err != nil {
		return err
	}
	return c.adoptFields(todo, found, valid, rest)
}

// readFields reads the indexes of fields.idx, of the valid slots only, until stopped
// returns an error.
func readFields(r *codec.Cursor, valid *roaring.Bitmap, stopped func() error) (map[string]*attr.Index, error) {
	found := map[string]*attr.Index{}
	for n := r.U32(); n > 0 && r.Err() == nil; n-- {
		path := string(r.Bytes(int(min(r.Uvarint(), math.MaxInt32))))
		x := attr.New()
		found[path] = x
		for {
			e, ok, err := attr.Next(r)
			if err == nil && ok {
				x.Put(e, valid)
				err = stopped()
			}
			if err != nil {
				return nil, err
			}
			if !ok {
				break
			}
		}
	}
	return found, r.Err()
}

// adoptFields puts loaded indexes into the place of those that only know what was
// published meanwhile, which is looked at again. Only if all were found is rest less.
func (c *Collection) adoptFields(todo []*field, found map[string]*attr.Index, valid *roaring.Bitmap, rest bitmap.Words) error {
	for _, f := range todo {
		if found[f.path] == nil {
			return fmt.Errorf("it does not have all fields")
		}
	}
	c.hook("fields: before adoption")
	c.publish.Lock()
	defer c.publish.Unlock()
	for _, f := range todo {
		f.index.MoveTo(found[f.path])
		f.index = found[f.path]
	}
	for it := valid.Iterator(); it.HasNext(); {
		slot := it.Next()
		rest[slot>>6] &^= 1 << (slot & 63)
	}
	c.fields.changes.Store(0)
	return nil
}
