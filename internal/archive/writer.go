package archive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/s2"

	"github.com/tarndb/tarn/internal/codec"
)

// MaxBlock is the largest block. Usual ones are about a MiB.
const MaxBlock = 128 << 20

var errKind = errors.New("kind 0 is the end's")

// Writer writes an archive. Its first error sticks.
type Writer struct {
	w      io.Writer
	seed   uint32
	blocks uint64
	bytes  uint64
	buf    []byte // head and stored bytes: one Write per block
	err    error
}

// NewWriter begins an archive. It writes nothing before the first block.
func NewWriter(w io.Writer, uuid [16]byte) *Writer {
	return &Writer{
		w: w, seed: codec.CRC(uuid[:]),
		buf: codec.Header{Magic: magic, Version: version, UUID: uuid}.AppendTo(nil),
	}
}

// Write appends a block, which it does not keep. Kind is not 0.
func (w *Writer) Write(kind uint8, data []byte) error {
	switch {
	case w.err != nil:
	case kind == kindEnd:
		w.err = errKind
	case len(data) > MaxBlock:
		w.err = fmt.Errorf("block of %d bytes, at most %d", len(data), MaxBlock)
	default:
		w.put(kind, data)
	}
	return w.err
}

// Close ends the archive. It does not close what it writes to.
func (w *Writer) Close() error {
	if w.err != nil {
		return w.err
	}
	end := binary.LittleEndian.AppendUint64(nil, w.blocks)
	w.put(kindEnd, binary.LittleEndian.AppendUint64(end, w.bytes))
	if w.err != nil {
		return w.err
	}
	w.err = errors.New("archive: closed")
	return nil
}

func (w *Writer) put(kind uint8, data []byte) {
	start := len(w.buf) // the header, before the first block
	need := start + headSize + s2.MaxEncodedLen(len(data))
	if cap(w.buf) < need {
		w.buf = append(make([]byte, 0, need), w.buf...)
	}
	block := w.buf[start:need]
	h := head{kind: kind, form: formS2, length: uint32(len(data))}
	stored := s2.Encode(block[headSize:], data)
	if len(stored) >= len(data) {
		h.form = formPlain
		stored = block[headSize : headSize+copy(block[headSize:], data)]
	}
	h.stored = uint32(len(stored))
	h.encode(block)
	binary.LittleEndian.PutUint32(block[12:], sum(w.seed, w.blocks, block[:12], stored))
	n, err := w.w.Write(w.buf[:start+headSize+len(stored)])
	if err == nil && n < start+headSize+len(stored) {
		err = io.ErrShortWrite
	}
	w.err = err
	w.blocks++
	w.bytes += uint64(len(data))
	w.buf = w.buf[:0]
}
