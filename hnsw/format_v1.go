package hnsw

import (
	"encoding/binary"
	"fmt"

	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/kernel"
)

// Wire format of a snapshot, version 1, little-endian. It is the layout of the
// tables in memory: whole chunks of a mapped file are used as they are.
//
//	0      48           100  104     4096
//	┌──────┬────────────┬────┬───────┬───────────┬───────────┬────────────┬──────────┬──────┬──────────────┬─────┐
//	│header│ the fields │CRC │ zeros │ base rows │ node rows │ upper rows │ in-graph │ hubs │ CRC of each  │ CRC │
//	│      │ below      │    │       │ by slot   │ by slot   │            │ bitmap   │      │ 64 KiB block │     │
//	└──────┴────────────┴────┴───────┴───────────┴───────────┴────────────┴──────────┴──────┴──────────────┴─────┘
//	                                 every section begins at a multiple of 4096, zeros between
//
//	48  dim u32   metric u32   M u32   efConstruction u32   seed u64
//	72  entry u64 (1 + slot, layer << 32)   slots u32   held u32   uppers u32   hubs u32   zero u32
//
// A base row is wholeLines(2M) words, an upper row wholeLines(M): slot + 1, or 0
// after the last; the row's own slot + 1 stands for no link. A node row is 4
// words: 1 + anchor, 1 + first upper row, children, 0. The in-graph bitmap has a
// bit per slot in 64-bit words. The hubs are the slots with upper rows: 24 u32 that say
// how many of them are on layer 1, 2, ... 24, then the slots as u32, those of the
// highest layer first, so that each layer is the beginning of the list. The checksum
// of the checksums stands for all.
const (
	versionV1  = 1
	fieldsV1   = codec.HeaderSize
	fieldEndV1 = 100
	pageV1     = 4096
	blockV1    = 64 << 10
)

var magicV1 = [8]byte{'T', 'A', 'R', 'N', 'H', 'N', 'S', 'W'}

// headV1 is what the first page says.
type headV1 struct {
	cfg                       Config
	entry                     uint64
	slots, held, uppers, hubs uint32
}

// layoutV1 holds where the sections begin.
type layoutV1 struct{ base, nodes, upper, bits, hubs, sums, end int64 }

func (h *headV1) layout() layoutV1 {
	var l layoutV1
	section := func(off, size int64) int64 { return (off + size + pageV1 - 1) &^ (pageV1 - 1) }
	l.base = pageV1
	l.nodes = section(l.base, int64(h.slots)*int64(wholeLines(2*h.cfg.M))*4)
	l.upper = section(l.nodes, int64(h.slots)*nodeWords*4)
	l.bits = section(l.upper, int64(h.uppers)*int64(wholeLines(h.cfg.M))*4)
	l.hubs = section(l.bits, (int64(h.slots)+63)/64*8)
	l.sums = section(l.hubs, (maxLevel+int64(h.hubs))*4)
	l.end = l.sums + (l.sums+blockV1-1)/blockV1*4 + 4
	return l
}

func (h *headV1) append(b []byte, uuid [16]byte) []byte {
	le := binary.LittleEndian
	b = codec.Header{Magic: magicV1, Version: versionV1, UUID: uuid}.AppendTo(b)
	b = le.AppendUint32(b, uint32(h.cfg.Dim))
	b = le.AppendUint32(b, uint32(h.cfg.Metric))
	b = le.AppendUint32(b, uint32(h.cfg.M))
	b = le.AppendUint32(b, uint32(h.cfg.EfConstruction))
	b = le.AppendUint64(b, h.cfg.Seed)
	b = le.AppendUint64(b, h.entry)
	b = le.AppendUint32(b, h.slots)
	b = le.AppendUint32(b, h.held)
	b = le.AppendUint32(b, h.uppers)
	b = le.AppendUint32(b, h.hubs)
	b = le.AppendUint32(b, 0)
	return le.AppendUint32(b, codec.CRC(b))
}

// parseHeadV1 reads and checks the first page, and that the file is as long as
// it says.
func parseHeadV1(data []byte, uuid [16]byte) (headV1, error) {
	var h headV1
	head, err := codec.ParseHeader(data, magicV1, versionV1)
	if err != nil {
		return h, err
	}
	if head.UUID != uuid {
		return h, fmt.Errorf("%w: it belongs to %x, not to %x", codec.ErrCorrupt, head.UUID, uuid)
	}
	c := codec.NewCursor(data)
	c.Bytes(fieldsV1)
	h.cfg.Dim = int(c.U32() & (1<<31 - 1))
	metric := c.U32()
	h.cfg.Metric = kernel.Metric(min(metric, 255))
	h.cfg.M = int(c.U32() & (1<<31 - 1))
	h.cfg.EfConstruction = int(c.U32() & (1<<31 - 1))
	h.cfg.Seed = c.U64()
	h.entry = c.U64()
	h.slots, h.held, h.uppers, h.hubs = c.U32(), c.U32(), c.U32(), c.U32()
	zero := c.U32()
	sum := c.U32()
	if err := c.Err(); err != nil {
		return h, err
	}
	if sum != codec.CRC(data[:fieldEndV1]) || zero != 0 {
		return h, fmt.Errorf("%w: checksum of the first page", codec.ErrCorrupt)
	}
	if err := h.cfg.validate(); err != nil {
		return h, fmt.Errorf("%w: %w", codec.ErrCorrupt, err)
	}
	if h.slots > MaxSlots || h.held > h.slots || h.hubs > h.held {
		return h, fmt.Errorf("%w: %d hubs and %d slots of %d", codec.ErrCorrupt, h.hubs, h.held, h.slots)
	}
	if end := h.layout().end; end != int64(len(data)) {
		return h, fmt.Errorf("%w: %d bytes, it should have %d", codec.ErrCorrupt, len(data), end)
	}
	return h, nil
}
