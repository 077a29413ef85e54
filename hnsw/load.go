package hnsw

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/tarndb/tarn/internal/codec"
)

// CheckedAtLoad is the size up to which Load compares every block.
const CheckedAtLoad = 4 << 20

// Load returns a graph that works in the bytes of a snapshot: they must be
// private to it, writable (a copy-on-write mapping) and stay as long as the graph
// is used. The snapshot must be the one that Save named crc, of the same uuid, and
// for cfg's Dim and Metric; the rest of the configuration is the snapshot's.
//
// Of a snapshot above 4 MiB only the first page, the checksums, the entry point,
// the in-graph bitmap and the hubs are compared; the caller has Check do the rest. Until
// then a damaged link may cost recall and nothing else.
func Load(data []byte, uuid [16]byte, crc uint32, cfg Config, src Source) (*Graph, error) {
	g, err := load(data, uuid, crc, cfg, src)
	if err != nil {
		return nil, fmt.Errorf("graph snapshot: %w", err)
	}
	return g, nil
}

func load(data []byte, uuid [16]byte, crc uint32, cfg Config, src Source) (*Graph, error) {
	h, err := parseHeadV1(data, uuid)
	if err != nil {
		return nil, err
	}
	if h.cfg.Dim != cfg.Dim || h.cfg.Metric != cfg.Metric {
		return nil, fmt.Errorf("%w: dim %d, metric %v", codec.ErrCorrupt, h.cfg.Dim, h.cfg.Metric)
	}
	if h.slots > src.Codes().Cap() {
		return nil, fmt.Errorf("%w: %d slots, %d have rows", codec.ErrCorrupt, h.slots, src.Codes().Cap())
	}
	l := h.layout()
	have, err := sumsV1(data, l)
	if err != nil {
		return nil, err
	}
	if have != crc {
		return nil, fmt.Errorf("%w: checksum %08x, it should be %08x", codec.ErrCorrupt, have, crc)
	}
	checked := l.bits
	if len(data) <= CheckedAtLoad {
		checked = 0
	}
	if err := checkBlocksV1(data, l, checked); err != nil {
		return nil, err
	}
	g, err := New(h.cfg, src)
	if err != nil {
		return nil, err
	}
	if err := g.hold(data[l.bits:l.hubs], &h); err != nil {
		return nil, err
	}
	if err := g.hubs.adopt(data[l.hubs:l.sums], h.hubs, &g.in); err != nil {
		return nil, err
	}
	g.base.adopt(data[l.base : l.base+int64(h.slots)*int64(wholeLines(2*h.cfg.M))*4])
	g.nodes.adopt(data[l.nodes : l.nodes+int64(h.slots)*nodeWords*4])
	g.upper.adopt(data[l.upper : l.upper+int64(h.uppers)*int64(wholeLines(h.cfg.M))*4])
	g.uppers = h.uppers
	g.entry.word.Store(h.entry)
	return g, nil
}

// hold reads the in-graph bitmap and compares the entry point and count with it.
func (g *Graph) hold(data []byte, h *headV1) error {
	held := 0
	for i := range len(data) / 8 {
		w := binary.LittleEndian.Uint64(data[i*8:])
		if from := uint64(i) * 64; w != 0 && from+uint64(bits.Len64(w)) > uint64(h.slots) {
			return fmt.Errorf("%w: holds a slot above %d", codec.ErrCorrupt, h.slots)
		}
		held += bits.OnesCount64(w)
		g.in.SetWord(i, w)
	}
	if held != int(h.held) {
		return fmt.Errorf("%w: holds %d slots, it should be %d", codec.ErrCorrupt, held, h.held)
	}
	if slot := uint32(h.entry) - 1; held > 0 && (!g.in.Has(slot) || h.entry>>32 > maxLevel) || held == 0 && h.entry != 0 {
		return fmt.Errorf("%w: entry point %x", codec.ErrCorrupt, h.entry)
	}
	return nil
}

// Check compares every block of the snapshot that Save named crc with its checksum.
// Data are the bytes of the file, not those that a graph has been working in.
func Check(data []byte, uuid [16]byte, crc uint32) error {
	h, err := parseHeadV1(data, uuid)
	if err == nil {
		l := h.layout()
		var have uint32
		if have, err = sumsV1(data, l); err == nil && have != crc {
			err = fmt.Errorf("%w: checksum %08x, it should be %08x", codec.ErrCorrupt, have, crc)
		}
		if err == nil {
			err = checkBlocksV1(data, l, 0)
		}
	}
	if err != nil {
		return fmt.Errorf("graph snapshot: %w", err)
	}
	return nil
}

// sumsV1 checks the checksums of the blocks against theirs, and returns that.
func sumsV1(data []byte, l layoutV1) (uint32, error) {
	sums := data[l.sums : l.end-4]
	crc := codec.CRC(sums)
	if crc != binary.LittleEndian.Uint32(data[l.end-4:]) {
		return 0, fmt.Errorf("offset %d: %w: checksum of the checksums", l.end-4, codec.ErrCorrupt)
	}
	return crc, nil
}

// checkBlocksV1 compares the first block and those from an offset on.
func checkBlocksV1(data []byte, l layoutV1, from int64) error {
	for off := int64(0); off < l.sums; off += blockV1 {
		if off > 0 && off+blockV1 <= from {
			continue
		}
		want := binary.LittleEndian.Uint32(data[l.sums+off/blockV1*4:])
		if codec.CRC(data[off:min(off+blockV1, l.sums)]) != want {
			return fmt.Errorf("offset %d: %w: checksum of a block", off, codec.ErrCorrupt)
		}
	}
	return nil
}
