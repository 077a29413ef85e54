package codec

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// HeaderSize is the number of bytes of a Header. Wire format.
const HeaderSize = 48

// Header begins every file.
//
//	 0        8         12        16         32          44     48
//	┌────────┬─────────┬─────────┬──────────┬───────────┬───────┐
//	│ magic  │ version │ flags=0 │ uuid     │ zeros     │ crc   │  little-endian
//	└────────┴─────────┴─────────┴──────────┴───────────┴───────┘
//	  8 bytes  u32       u32       16 bytes   12 bytes    CRC-32C of bytes 0 to 43
//
// Wire format; it is the same in every version, so that a newer one is told from
// damage.
type Header struct {
	Magic   [8]byte
	Version uint32
	UUID    [16]byte
}

// AppendTo appends the header's bytes to dst.
func (h Header) AppendTo(dst []byte) []byte {
	var b [HeaderSize]byte
	copy(b[:], h.Magic[:])
	binary.LittleEndian.PutUint32(b[8:], h.Version)
	copy(b[16:], h.UUID[:])
	binary.LittleEndian.PutUint32(b[44:], CRC(b[:44]))
	return append(dst, b[:]...)
}

// ParseHeader reads a header from the beginning of b. It is ErrCorrupt if b is too
// short, of another magic or damaged, and ErrVersion if it is of a version above
// newest, or uses flags, which this version does not know.
func ParseHeader(b []byte, magic [8]byte, newest uint32) (Header, error) {
	var h Header
	if len(b) < HeaderSize {
		return h, fmt.Errorf("header: %w: %d bytes, it has %d", ErrCorrupt, len(b), HeaderSize)
	}
	copy(h.Magic[:], b)
	if h.Magic != magic {
		return h, fmt.Errorf("header: %w: it begins with %q, not with %q", ErrCorrupt, h.Magic[:], magic[:])
	}
	if have, want := CRC(b[:44]), binary.LittleEndian.Uint32(b[44:]); have != want {
		return h, fmt.Errorf("header: %w: its checksum is %08x, its bytes have %08x", ErrCorrupt, want, have)
	}
	h.Version = binary.LittleEndian.Uint32(b[8:])
	copy(h.UUID[:], b[16:])
	if h.Version == 0 {
		return h, fmt.Errorf("header: %w: version 0", ErrCorrupt)
	}
	if h.Version > newest {
		return h, fmt.Errorf("header: %w: version %d, this program reads up to %d", ErrVersion, h.Version, newest)
	}
	if flags := binary.LittleEndian.Uint32(b[12:]); flags != 0 {
		return h, fmt.Errorf("header: %w: flags %#x, this program knows none", ErrVersion, flags)
	}
	if !bytes.Equal(b[32:44], make([]byte, 12)) {
		return h, fmt.Errorf("header: %w: reserved bytes are not zero", ErrCorrupt)
	}
	return h, nil
}
