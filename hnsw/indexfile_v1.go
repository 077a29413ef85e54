package hnsw

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/kernel"
)

// Wire format of a saved Index, version 1, little-endian. Code rows are not in it:
// they follow from the vectors.
//
//	0      48                                      72  76        ┌──── slots times ────┐
//	┌──────┬───────────────────────────────────────┬───┬─────────┬─────────────────────┬───┐
//	│header│ dim u32  metric u32  slots u32        │CRC│ live    │ vector              │CRC│ ...
//	│      │ live u32 graph bytes u64              │   │ bitmap  │ dim x f32           │   │
//	└──────┴───────────────────────────────────────┴───┴─────────┴─────────────────────┴───┘
//	┌──────────────────┬───────────────┬─────┐
//	│ graph, as in     │ CRC of the    │ CRC │
//	│ format_v1.go     │ graph u32     │     │
//	└──────────────────┴───────────────┴─────┘
//
// The live bitmap has a bit per slot in 64-bit words and a CRC of its own after it.
const (
	indexVersionV1 = 1
	indexHeadV1    = codec.HeaderSize + 24 + 4
)

var indexMagicV1 = [8]byte{'T', 'A', 'R', 'N', 'H', 'I', 'D', 'X'}

// indexFormatUUID stands in both headers of a saved index, which belongs to nobody.
var indexFormatUUID = [16]byte{'h', 'n', 's', 'w', '.', 'I', 'n', 'd', 'e', 'x'}

// Save writes the index. Searches go on; additions and deletions wait.
func (x *Index) Save(w io.Writer) error {
	x.door.Lock()
	defer x.door.Unlock()
	slots := x.rows.slots()
	var plan measure
	if _, err := x.g.Save(&plan, indexFormatUUID); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	le := binary.LittleEndian
	b := codec.Header{Magic: indexMagicV1, Version: indexVersionV1, UUID: indexFormatUUID}.AppendTo(nil)
	b = le.AppendUint32(b, uint32(x.g.cfg.Dim))
	b = le.AppendUint32(b, uint32(x.g.cfg.Metric))
	b = le.AppendUint32(b, slots)
	b = le.AppendUint32(b, uint32(x.live.Len()))
	b = le.AppendUint64(b, uint64(plan))
	b = le.AppendUint32(b, codec.CRC(b))
	at := len(b)
	for i := range int(slots+63) / 64 {
		b = le.AppendUint64(b, x.live.Word(i))
	}
	b = le.AppendUint32(b, codec.CRC(b[at:]))
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	if err := x.saveVectors(w, slots); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	saved, err := x.g.Save(w, indexFormatUUID)
	if err != nil {
		return fmt.Errorf("index: %w", err)
	}
	b = le.AppendUint32(b[:0], saved.CRC)
	if _, err := w.Write(le.AppendUint32(b, codec.CRC(b))); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	return nil
}

// measure is a writer that counts.
type measure int64

func (m *measure) Write(p []byte) (int, error) {
	*m += measure(len(p))
	return len(p), nil
}

func (x *Index) saveVectors(w io.Writer, slots uint32) error {
	const batch = 64 << 10
	var b []byte
	for slot := range slots {
		at := len(b)
		for _, f := range x.rows.Vectors().Float32s(slot, x.g.cfg.Dim) {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
		}
		b = binary.LittleEndian.AppendUint32(b, codec.CRC(b[at:]))
		if len(b) >= batch || slot == slots-1 {
			if _, err := w.Write(b); err != nil {
				return err
			}
			b = b[:0]
		}
	}
	return nil
}

// ErrCorrupt is returned for bytes that Save cannot have written, ErrVersion for
// those of a later version.
var (
	ErrCorrupt = codec.ErrCorrupt
	ErrVersion = codec.ErrVersion
)

// LoadIndex reads what Save wrote. Every byte of it is checked; memory is taken as
// bytes arrive, not as they promise.
func LoadIndex(r io.Reader) (*Index, error) {
	x, err := loadIndex(r)
	if err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	return x, nil
}

func loadIndex(r io.Reader) (*Index, error) {
	head := make([]byte, indexHeadV1)
	if err := readAll(r, head); err != nil {
		return nil, err
	}
	if _, err := codec.ParseHeader(head, indexMagicV1, indexVersionV1); err != nil {
		return nil, err
	}
	c := codec.NewCursor(head)
	c.Bytes(codec.HeaderSize)
	cfg := Config{Dim: int(c.U32() & (1<<31 - 1)), Metric: Metric(min(c.U32(), 255))}
	slots, live, graphBytes := c.U32(), c.U32(), c.U64()
	if c.U32() != codec.CRC(head[:indexHeadV1-4]) || slots > MaxSlots || graphBytes > math.MaxInt64/2 {
		return nil, fmt.Errorf("%w: first %d bytes", ErrCorrupt, indexHeadV1)
	}
	if cfg.Dim < 1 || cfg.Dim > math.MaxInt32/8 || cfg.Metric > Dot {
		return nil, fmt.Errorf("%w: dim %d, metric %v", ErrCorrupt, cfg.Dim, cfg.Metric)
	}
	x := &Index{rows: newHeap(cfg.Dim, cfg.Metric)}
	if err := x.loadLive(r, slots, live); err != nil {
		return nil, err
	}
	if err := x.loadVectors(r, cfg, slots); err != nil {
		return nil, err
	}
	graph, err := io.ReadAll(io.LimitReader(r, int64(graphBytes)))
	if err != nil {
		return nil, err
	}
	var tail [8]byte
	if err := readAll(r, tail[:]); err != nil {
		return nil, err
	}
	if codec.CRC(tail[:4]) != binary.LittleEndian.Uint32(tail[4:]) {
		return nil, fmt.Errorf("%w: the last 8 bytes", ErrCorrupt)
	}
	crc := binary.LittleEndian.Uint32(tail[:4])
	if err := Check(graph, indexFormatUUID, crc); err != nil {
		return nil, err
	}
	x.g, err = Load(graph, indexFormatUUID, crc, cfg, x.rows)
	if err != nil {
		return nil, err
	}
	x.g.Prefer(&x.live)
	return x, x.mend()
}

// mend links live slots that the graph does not hold or does not reach.
func (x *Index) mend() error {
	for slot := range x.live.All() {
		if err := x.g.Insert(context.Background(), slot); err != nil {
			return err
		}
	}
	for _, slot := range x.g.Unreachable(&x.live) {
		if _, err := x.g.Link(context.Background(), slot, DefaultEf, nil); err != nil {
			return err
		}
	}
	return nil
}

func (x *Index) loadLive(r io.Reader, slots, live uint32) error {
	crc, word := uint32(0), make([]byte, 8)
	for i := range int(slots+63) / 64 {
		if err := readAll(r, word); err != nil {
			return err
		}
		crc = codec.CRCUpdate(crc, word)
		w := binary.LittleEndian.Uint64(word)
		if from := uint64(i) * 64; from+64 > uint64(slots) && w>>(uint64(slots)-from) != 0 {
			return fmt.Errorf("%w: a vector above slot %d", ErrCorrupt, slots)
		}
		x.live.SetWord(i, w)
	}
	if err := readAll(r, word[:4]); err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(word) != crc || x.live.Len() != int(live) {
		return fmt.Errorf("%w: which of %d slots are live", ErrCorrupt, slots)
	}
	x.gone.Store(int64(slots - live))
	return nil
}

func (x *Index) loadVectors(r io.Reader, cfg Config, slots uint32) error {
	row, vec := make([]byte, 0, 4096), make([]float32, 0, 1024)
	for slot := range slots {
		var err error
		if row, err = readGrowing(r, row[:0], cfg.Dim*4+4); err != nil {
			return err
		}
		if codec.CRC(row[:cfg.Dim*4]) != binary.LittleEndian.Uint32(row[cfg.Dim*4:]) {
			return fmt.Errorf("%w: vector of slot %d", ErrCorrupt, slot)
		}
		vec = vec[:0]
		for i := range cfg.Dim {
			vec = append(vec, math.Float32frombits(binary.LittleEndian.Uint32(row[i*4:])))
		}
		if _, bad := kernel.Check(vec); bad >= 0 {
			return fmt.Errorf("%w: vector of slot %d is not finite", ErrCorrupt, slot)
		}
		if _, err := x.rows.take(1); err != nil {
			return err
		}
		x.rows.put(slot, vec)
	}
	return nil
}

// readAll fills b; an end before that is damage.
func readAll(r io.Reader, b []byte) error {
	if _, err := io.ReadFull(r, b); err != nil {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return fmt.Errorf("%w: it ends too early", ErrCorrupt)
		}
		return err
	}
	return nil
}

// readGrowing reads n bytes in steps, so that a false n costs no more memory than
// there are bytes.
func readGrowing(r io.Reader, b []byte, n int) ([]byte, error) {
	const step = 64 << 10
	for len(b) < n {
		at := len(b)
		b = append(b, make([]byte, min(step, n-at))...)
		if err := readAll(r, b[at:]); err != nil {
			return b, err
		}
	}
	return b, nil
}
