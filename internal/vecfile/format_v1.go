package vecfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"

	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/kernel"
)

// Wire format, version 1. Each file begins with a header page:
//
//	0                 48     52     53      54    56       60       64        4092    4096
//	┌─────────────────┬──────┬──────┬───────┬─────┬────────┬────────┬─────────┬───────┐
//	│ codec.Header    │ dim  │metric│ shift │ 0 0 │ stride │ chunk  │ zeros   │ CRC   │
//	│ magic of a kind │ u32  │ u8   │ u8    │     │ u32    │ u32    │         │ u32   │
//	└─────────────────┴──────┴──────┴───────┴─────┴────────┴────────┴─────────┴───────┘
//
// 1<<shift is the number of slots of a chunk, stride the size of a row, chunk the
// number of this one; CRC is CRC32C over the 4092 bytes before it. Behind it
// stand the rows, row i being slot chunk<<shift + i.
const (
	headerSize   = 4096
	headerDim    = codec.HeaderSize
	headerMetric = headerDim + 4
	headerShift  = headerMetric + 1
	headerStride = headerShift + 3
	headerChunk  = headerStride + 4
	headerCRC    = headerSize - 4

	version = 1
)

var magics = [kinds][8]byte{
	vectors: {'T', 'A', 'R', 'N', 'V', 'E', 'C', '\n'},
	codes:   {'T', 'A', 'R', 'N', 'C', 'O', 'D', '\n'},
	sidecar: {'T', 'A', 'R', 'N', 'S', 'I', 'D', '\n'},
}

// fileHeader is the decoded header page.
type fileHeader struct {
	kind   kind
	uuid   [16]byte
	dim    uint32
	metric kernel.Metric
	shift  uint8
	stride uint32
	chunk  uint32
}

// header returns the header that a file of the store must have.
func (s *Store) header(f *slotFile) fileHeader {
	return fileHeader{f.kind, s.cfg.UUID, uint32(s.lay.dim), s.lay.metric, uint8(s.lay.shift),
		uint32(s.lay.stride[f.kind]), f.chunk}
}

func (h fileHeader) encode() []byte {
	page := make([]byte, 0, headerSize)
	page = codec.Header{Magic: magics[h.kind], Version: version, UUID: h.uuid}.AppendTo(page)
	page = page[:headerSize]
	binary.LittleEndian.PutUint32(page[headerDim:], h.dim)
	page[headerMetric] = byte(h.metric)
	page[headerShift] = h.shift
	binary.LittleEndian.PutUint32(page[headerStride:], h.stride)
	binary.LittleEndian.PutUint32(page[headerChunk:], h.chunk)
	binary.LittleEndian.PutUint32(page[headerCRC:], codec.CRC(page[:headerCRC]))
	return page
}

// parseFileHeader decodes a header page. torn is true if the page is not one that
// any version wrote to its end.
func parseFileHeader(k kind, page []byte) (h fileHeader, torn bool, err error) {
	head, err := codec.ParseHeader(page, magics[k], version)
	if err != nil {
		return h, !errors.Is(err, codec.ErrVersion), err
	}
	if len(page) != headerSize {
		return h, true, fmt.Errorf("header: %d bytes, want %d: %w", len(page), headerSize, codec.ErrCorrupt)
	}
	if got, want := codec.CRC(page[:headerCRC]), binary.LittleEndian.Uint32(page[headerCRC:]); got != want {
		return h, true, fmt.Errorf("header: page checksum %08x, want %08x: %w", got, want, codec.ErrCorrupt)
	}
	c := codec.NewCursor(page[headerDim:headerCRC])
	h = fileHeader{kind: k, uuid: head.UUID, dim: c.U32(), metric: kernel.Metric(c.U8()), shift: c.U8()}
	c.U16()
	h.stride, h.chunk = c.U32(), c.U32()
	return h, false, c.Err()
}

// readHeader reads and decodes the header page of a file.
func readHeader(k kind, h io.ReaderAt) (fileHeader, bool, error) {
	page := make([]byte, headerSize)
	n, err := h.ReadAt(page, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return fileHeader{}, false, fmt.Errorf("header: %w", err)
	}
	return parseFileHeader(k, page[:n])
}

// checkHeader returns an error unless the file is the one that f stands for.
func (s *Store) checkHeader(f *slotFile, h io.ReaderAt) (torn bool, err error) {
	have, torn, err := readHeader(f.kind, h)
	if err != nil {
		return torn, fmt.Errorf("%s: offset 0: %w", f.name, err)
	}
	want := s.header(f)
	if have.uuid != want.uuid {
		return false, damaged(f.name, 16, fmt.Sprintf("file belongs to %x, not to %x", have.uuid, want.uuid))
	}
	if have != want {
		return false, damaged(f.name, headerDim, fmt.Sprintf("chunk %d of dimension %d, metric %d, 1<<%d rows of %d bytes; want chunk %d of dimension %d, metric %d, 1<<%d rows of %d bytes",
			have.chunk, have.dim, have.metric, have.shift, have.stride, want.chunk, want.dim, want.metric, want.shift, want.stride))
	}
	return false, nil
}

// firstShift returns the shift in the header of the first file, the layout's own
// if there is none to read: what is wrong with it is for load to say.
func (s *Store) firstShift() (uint, error) {
	h, err := s.fs.Open(fileName(vectors, 0))
	if errors.Is(err, fs.ErrNotExist) {
		return s.lay.shift, nil
	}
	if err != nil {
		return 0, fmt.Errorf("opening %s: %w", fileName(vectors, 0), err)
	}
	defer h.Close() // opened for reading: an error tells nothing
	have, _, err := readHeader(vectors, h)
	if errors.Is(err, codec.ErrVersion) {
		return 0, fmt.Errorf("%s: offset 0: %w", fileName(vectors, 0), err)
	}
	if err != nil || have.shift > maxShift {
		return s.lay.shift, nil
	}
	return uint(have.shift), nil
}

// An entry of the sidecar:
//
//	0        8            16           20          24
//	┌────────┬────────────┬────────────┬───────────┐
//	│ id u64 │ P, LSN u63 │ vector CRC │ codes CRC │
//	└────────┴────────────┴────────────┴───────────┘
//
// P, the highest bit of the second word, says that the point has a payload.
// Vector CRC is CRC32C over uuid, slot (u32), the first 16 bytes of the entry,
// and the vector row with its padding. Codes CRC continues it over the code row,
// so that a code row fits only the entry it was made for.
const (
	sideSize   = 24
	payloadBit = 1 << 63
)

// sideRow is an entry in place.
type sideRow []byte

func (r sideRow) id() uint64 { return binary.LittleEndian.Uint64(r) }

// lsn returns the LSN, 0 if no point was ever put into the slot.
func (r sideRow) lsn() uint64 { return binary.LittleEndian.Uint64(r[8:]) &^ payloadBit }

func (r sideRow) payload() bool { return r[15]>>7 != 0 }

// set makes r the entry of a point in a slot with these rows. base is the
// checksum of the uuid.
func (r sideRow) set(base, slot uint32, e *Entry, vector, codes []byte) {
	lsn := e.LSN
	if e.Payload {
		lsn |= payloadBit
	}
	binary.LittleEndian.PutUint64(r, e.ID)
	binary.LittleEndian.PutUint64(r[8:], lsn)
	sum := r.sum(base, slot, vector)
	binary.LittleEndian.PutUint32(r[16:], sum)
	r.setCodes(codes)
}

// setCodes makes r's checksum of the codes that of these.
func (r sideRow) setCodes(codes []byte) {
	binary.LittleEndian.PutUint32(r[20:], codec.CRCUpdate(r.vectorCRC(), codes))
}

func (r sideRow) vectorCRC() uint32 { return binary.LittleEndian.Uint32(r[16:]) }

// sum returns the checksum that r should have for a slot and its vector row.
func (r sideRow) sum(base, slot uint32, vector []byte) uint32 {
	return codec.CRCUpdate(codec.CRCUpdate(crcOfSlot(base, slot), r[:16]), vector)
}

func (r sideRow) matchesVector(base, slot uint32, vector []byte) bool {
	return r.vectorCRC() == r.sum(base, slot, vector)
}

func (r sideRow) matchesCodes(codes []byte) bool {
	return binary.LittleEndian.Uint32(r[20:]) == codec.CRCUpdate(r.vectorCRC(), codes)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// crcOfSlot continues a CRC32C over a slot's four bytes, little-endian. It is
// codec.CRCUpdate without a slice that would have to be on the heap.
func crcOfSlot(crc, slot uint32) uint32 {
	crc = ^crc
	for range 4 {
		crc = castagnoli[byte(crc)^byte(slot)] ^ crc>>8
		slot >>= 8
	}
	return ^crc
}
