package collection

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/vfs"
)

// graph-N.left names slots that the graph in graph-N.snap holds and is not known to find:
// Open searches them exactly (I2). It is there before a checkpoint names the graph, and
// grows when an audit has found more. It is derived: where it is missing, or in any doubt
// about it, audits come to these slots. Wire format, version 1, little-endian:
//
//	0        48               52
//	┌────────┬────────────────┬─────────────────────┬───────┐
//	│ header │ checksum of    │ slots u32, each     │ CRC   │
//	│        │ the graph u32  │ above the one before│ u32   │
//	└────────┴────────────────┴─────────────────────┴───────┘
const (
	leftSuffix  = ".left"
	leftVersion = 1
	leftHead    = codec.HeaderSize + 4
)

var leftMagic = [8]byte{'T', 'A', 'R', 'N', 'L', 'F', 'T', '\n'}

// leftName is the name of the file beside a graph file.
func leftName(graph string) string { return strings.TrimSuffix(graph, snapshotSuffix) + leftSuffix }

// leftover is what the file beside a graph file names.
type leftover struct {
	left    *bitmap.Set // by the checkpoint lock; never less
	unsaved bool        // the file says something else, or cannot be read
	since   uint64      // losses of the view when the graph file was begun
}

// unfound returns what is in the delta and in the graph, and what was lost since there
// were so many losses. What was so when the writing of the graph began, or is so when it
// has ended, is not known to be found in what was written.
func (v *view) unfound(since uint64) *bitmap.Set {
	left := v.missed.lostSince(since)
	for slot := range v.delta.In().All() {
		if v.graph.Contains(slot) {
			left.Add(slot)
		}
	}
	return left
}

// addLeft names, beside the graph file that the checkpoint names, what was lost since
// that was begun. The checkpoint lock is held.
func (c *Collection) addLeft() error {
	v, file := c.view.Load(), &c.check.named
	if file.name == "" || file.graph != v.graph {
		return nil
	}
	v.missed.forget(file.since)
	return c.saveLeft(file, v.missed.lostSince(file.since))
}

// saveLeft names more slots beside a graph file. That there is no room for it is only
// said: audits come to them.
func (c *Collection) saveLeft(file *snapshotFile, more *bitmap.Set) error {
	all := union(file.left, more)
	if all.Len() == file.left.Len() && !file.unsaved {
		return nil
	}
	file.left, file.unsaved = all, true
	err := writeLeft(c.fs, file.name, file.crc, c.uuid, all)
	if err != nil && !errors.Is(err, vfs.ErrFailed) {
		c.log.Warn("what the graph does not find could not be written", "collection", c.name, "file", leftName(file.name), "error", err)
		return nil
	}
	file.unsaved = err != nil
	return c.sticky(err)
}

func encodeLeft(crc uint32, uuid [16]byte, left *bitmap.Set) []byte {
	data := codec.Header{Magic: leftMagic, Version: leftVersion, UUID: uuid}.AppendTo(nil)
	data = binary.LittleEndian.AppendUint32(data, crc)
	for slot := range left.All() {
		data = binary.LittleEndian.AppendUint32(data, slot)
	}
	return binary.LittleEndian.AppendUint32(data, codec.CRC(data))
}

func writeLeft(fs vfs.FS, graph string, crc uint32, uuid [16]byte, left *bitmap.Set) error {
	f, err := vfs.AtomicFile(fs, leftName(graph), func(f vfs.File) error {
		_, err := f.WriteAt(encodeLeft(crc, uuid, left), 0)
		return err
	})
	if err != nil {
		return err
	}
	return f.Close()
}

// loadLeft reads what is named beside a graph file that was loaded.
func (c *Collection) loadLeft(file *snapshotFile) {
	slots, err := c.readLeft(*file)
	if isNotExist(err) {
		return
	}
	if err != nil {
		file.unsaved = true
		c.log.Warn("what the graph does not find is missed until an audit comes to it", "collection", c.name, "file", leftName(file.name), "error", err)
		return
	}
	file.left = new(bitmap.Set)
	for r := codec.NewCursor(slots); len(r.Rest()) > 0; {
		if slot := r.U32(); file.graph.Contains(slot) {
			file.left.Add(slot)
		}
	}
}

// readLeft reads and checks the file beside a graph file, and returns its slots.
func (c *Collection) readLeft(file snapshotFile) (slots []byte, err error) {
	data, err := c.readFile(leftName(file.name))
	if err != nil {
		return nil, err
	}
	return parseLeft(data, file.crc, c.uuid)
}

// parseLeft checks the file and returns its slots.
func parseLeft(data []byte, crc uint32, uuid [16]byte) (slots []byte, err error) {
	h, err := codec.ParseHeader(data, leftMagic, leftVersion)
	if err != nil {
		return nil, err
	}
	end := len(data) - 4
	if end < leftHead || end%4 != 0 {
		return nil, fmt.Errorf("%w: it has %d bytes", codec.ErrCorrupt, len(data))
	}
	if h.UUID != uuid || codec.CRC(data[:end]) != binary.LittleEndian.Uint32(data[end:]) {
		return nil, fmt.Errorf("%w: its checksum or its owner is another", codec.ErrCorrupt)
	}
	if of := binary.LittleEndian.Uint32(data[codec.HeaderSize:]); of != crc {
		return nil, fmt.Errorf("%w: it is of graph %08x, not of %08x", codec.ErrCorrupt, of, crc)
	}
	return data[leftHead:end], nil
}
