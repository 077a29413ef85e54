package hnsw

import (
	"encoding/binary"
	"fmt"

	"github.com/tarndb/tarn/internal/codec"
)

// Adopt checks every block of the snapshot in data, which Save named crc and
// which belongs to uuid from, and makes it belong to uuid to: in data, which the
// caller writes back. What it returns stands for the snapshot from then on.
func Adopt(data []byte, crc uint32, from, to [16]byte) (Saved, error) {
	if err := Check(data, from, crc); err != nil {
		return Saved{}, err
	}
	h, err := parseHeadV1(data, from)
	if err != nil {
		return Saved{}, fmt.Errorf("graph snapshot: %w", err)
	}
	l := h.layout()
	copy(data, h.append(nil, to))
	first := data[:min(blockV1, l.sums)]
	binary.LittleEndian.PutUint32(data[l.sums:], codec.CRC(first))
	crc = codec.CRC(data[l.sums : l.end-4])
	binary.LittleEndian.PutUint32(data[l.end-4:], crc)
	return Saved{Bytes: l.end, CRC: crc, Slots: int(h.held)}, nil
}
