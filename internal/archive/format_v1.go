package archive

import (
	"encoding/binary"
	"fmt"

	"github.com/tarndb/tarn/internal/codec"
)

// Wire format, version 1, little-endian: a codec.Header, then blocks.
//
//	0      1      2      4           8              12      16
//	┌──────┬──────┬──────┬───────────┬──────────────┬───────┬──────────────┐
//	│ kind │ form │ zero │ length    │ stored       │ CRC   │ stored bytes │
//	│ u8   │ u8   │ u16  │ u32       │ length u32   │ u32   │              │
//	└──────┴──────┴──────┴───────────┴──────────────┴───────┴──────────────┘
//
// form is 0 for bytes as they are, 1 for a block of s2; length is that of the
// bytes as they are. CRC is CRC32C over the uuid of the header, the number of the
// block u64 (from 0), the first 12 bytes and the stored bytes. The last block is
// of kind 0 and holds the number of the blocks before it u64 and the sum of their
// lengths u64. Nothing follows it.
const (
	version  = 1
	headSize = 16

	kindEnd = 0
	endSize = 16

	formPlain = 0
	formS2    = 1
)

var magic = [8]byte{'T', 'A', 'R', 'N', 'B', 'A', 'K', '\n'}

// head is what stands before a block's bytes.
type head struct {
	kind, form     uint8
	length, stored uint32
}

func (h *head) encode(b []byte) {
	b[0], b[1], b[2], b[3] = h.kind, h.form, 0, 0
	binary.LittleEndian.PutUint32(b[4:], h.length)
	binary.LittleEndian.PutUint32(b[8:], h.stored)
}

// decodeHead reads a head and checks all that can be checked without the bytes
// that follow.
func decodeHead(b []byte) (head, error) {
	h := head{
		kind: b[0], form: b[1],
		length: binary.LittleEndian.Uint32(b[4:]),
		stored: binary.LittleEndian.Uint32(b[8:]),
	}
	switch {
	case h.form > formS2 || b[2] != 0 || b[3] != 0:
		return h, fmt.Errorf("%w: form %d", codec.ErrCorrupt, h.form)
	case h.length > MaxBlock || h.stored > h.length:
		return h, fmt.Errorf("%w: %d bytes as %d", codec.ErrCorrupt, h.length, h.stored)
	case h.form == formPlain && h.stored != h.length:
		return h, fmt.Errorf("%w: %d plain bytes as %d", codec.ErrCorrupt, h.length, h.stored)
	case h.kind == kindEnd && h.length != endSize:
		return h, fmt.Errorf("%w: an end of %d bytes", codec.ErrCorrupt, h.length)
	}
	return h, nil
}

// sum returns the checksum of a block; seed is that of the uuid.
func sum(seed uint32, number uint64, head12, stored []byte) uint32 {
	var n [8]byte
	binary.LittleEndian.PutUint64(n[:], number)
	return codec.CRCUpdate(codec.CRCUpdate(codec.CRCUpdate(seed, n[:]), head12), stored)
}
