package archive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/s2"

	"github.com/tarndb/tarn/internal/codec"
)

// Reader reads an archive.
type Reader struct {
	r      io.Reader
	header codec.Header
	seed   uint32
	blocks uint64
	bytes  uint64
	off    int64
	buf    [2]readerBuf // used in turn
	turn   int
	err    error // sticky; io.EOF after the end
}

// readerBuf holds one block: its bytes as they are stored, and unpacked.
type readerBuf struct{ stored, data []byte }

// NewReader reads the header of an archive: codec.ErrCorrupt if there is none,
// codec.ErrVersion if it is of a newer version.
func NewReader(r io.Reader) (*Reader, error) {
	a := &Reader{r: r}
	var b [codec.HeaderSize]byte
	if err := a.read(b[:]); errors.Is(err, codec.ErrCorrupt) {
		return nil, fmt.Errorf("archive: %w: it has %d bytes, the header alone has %d", codec.ErrCorrupt, a.off, codec.HeaderSize)
	} else if err != nil {
		return nil, err
	}
	h, err := codec.ParseHeader(b[:], magic, version)
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	a.header, a.seed = h, codec.CRC(h.UUID[:])
	return a, nil
}

// UUID returns the uuid that the archive was begun with.
func (a *Reader) UUID() [16]byte { return a.header.UUID }

// Offset returns how many bytes were read.
func (a *Reader) Offset() int64 { return a.off }

// Next returns the next block, whose bytes are valid until the call after the next
// one, so that a block can be used while the next is read, and io.EOF after the last, when all that was written has been read (I2).
func (a *Reader) Next() (kind uint8, data []byte, err error) {
	if a.err == nil {
		kind, data, a.err = a.next()
	}
	if a.err != nil {
		return 0, nil, a.err
	}
	return kind, data, nil
}

func (a *Reader) next() (uint8, []byte, error) {
	start := a.off
	buf := &a.buf[a.turn]
	a.turn = 1 - a.turn
	var b [headSize]byte
	if err := a.read(b[:]); err != nil {
		return 0, nil, err
	}
	h, err := decodeHead(b[:])
	if err != nil {
		return 0, nil, a.damaged(start, err)
	}
	if err := a.readStored(buf, int(h.stored)); err != nil {
		return 0, nil, err
	}
	if sum(a.seed, a.blocks, b[:12], buf.stored) != binary.LittleEndian.Uint32(b[12:]) {
		return 0, nil, a.damaged(start, fmt.Errorf("%w: checksum", codec.ErrCorrupt))
	}
	data, err := a.unpack(buf, h)
	if err != nil {
		return 0, nil, a.damaged(start, err)
	}
	if h.kind == kindEnd {
		return 0, nil, a.end(start, data)
	}
	a.blocks++
	a.bytes += uint64(len(data))
	return h.kind, data, nil
}

// unpack returns the bytes of a block that is known to be as it was written.
func (a *Reader) unpack(buf *readerBuf, h head) ([]byte, error) {
	if h.form == formPlain {
		return buf.stored, nil
	}
	if n, err := s2.DecodedLen(buf.stored); err != nil || n != int(h.length) {
		return nil, fmt.Errorf("%w: it unpacks to %d bytes, not to %d", codec.ErrCorrupt, n, h.length)
	}
	data, err := s2.Decode(buf.data[:cap(buf.data)], buf.stored)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", codec.ErrCorrupt, err)
	}
	buf.data = data
	return data, nil
}

// end compares the counts and makes sure that nothing follows; io.EOF means that
// all is well.
func (a *Reader) end(start int64, data []byte) error {
	c := codec.NewCursor(data)
	if blocks, bytes := c.U64(), c.U64(); blocks != a.blocks || bytes != a.bytes {
		return a.damaged(start, fmt.Errorf("%w: it ends after %d blocks of %d bytes, %d of %d were read",
			codec.ErrCorrupt, blocks, bytes, a.blocks, a.bytes))
	}
	var one [1]byte
	switch n, err := io.ReadFull(a.r, one[:]); {
	case n > 0:
		return a.damaged(a.off, fmt.Errorf("%w: bytes after the end", codec.ErrCorrupt))
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("archive: offset %d: %w", a.off, err)
	}
	return io.EOF
}

// readPiece bounds what is allocated for bytes that may not come (I3).
const readPiece = 1 << 20

func (a *Reader) readStored(buf *readerBuf, n int) error {
	buf.stored = buf.stored[:0]
	for len(buf.stored) < n {
		piece := min(n-len(buf.stored), max(readPiece, len(buf.stored)))
		from := len(buf.stored)
		if cap(buf.stored) < from+piece {
			buf.stored = append(make([]byte, 0, from+piece), buf.stored...)
		}
		buf.stored = buf.stored[:from+piece]
		if err := a.read(buf.stored[from:]); err != nil {
			return err
		}
	}
	return nil
}

// read fills b. That the stream ends is damage: the end block has not come.
func (a *Reader) read(b []byte) error {
	n, err := io.ReadFull(a.r, b)
	a.off += int64(n)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("archive: offset %d: %w: it ends here, before its end", a.off, codec.ErrCorrupt)
	}
	if err != nil {
		return fmt.Errorf("archive: offset %d: %w", a.off, err)
	}
	return nil
}

func (a *Reader) damaged(off int64, err error) error {
	return fmt.Errorf("archive: offset %d: block %d: %w", off, a.blocks, err)
}
