package wal

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/vfs"
)

// FuzzSegment changes bytes of a log and opens it: it is refused as damaged, or the
// records that it gives are a prefix of those that were written, and it goes on.
func FuzzSegment(f *testing.F) {
	base := written(f, 5, oneSegment())
	data := bytesOf(f, base, firstSegment)
	starts, end := frames(f, base, firstSegment, oneSegment())
	f.Add(uint32(0), []byte{0}, uint32(len(data)))
	f.Add(uint32(starts[4]), []byte{1, 2, 3}, uint32(len(data)))
	f.Add(uint32(end), []byte("garbage"), uint32(len(data)))
	f.Add(uint32(end), data[starts[4]:end], uint32(len(data)))
	f.Add(uint32(starts[1]), data[starts[0]:starts[1]], uint32(len(data)))
	f.Add(uint32(8), []byte{2}, uint32(60))
	f.Fuzz(func(t *testing.T, at uint32, patch []byte, size uint32) {
		changed := append(bytes.Clone(data[:end]), make([]byte, 200)...) // a short file: opens are quick
		changed = changed[:min(int(size), len(changed))]
		if len(changed) > 0 {
			copy(changed[int(at)%len(changed):], patch)
		}
		disk := vfs.NewMem()
		setBytes(t, disk, firstSegment, changed)
		l, rec, err := recovered(t, disk, oneSegment(), 0)
		if err != nil {
			require.True(t, errors.Is(err, codec.ErrCorrupt) || errors.Is(err, codec.ErrVersion), "%v", err)
			return
		}
		require.LessOrEqual(t, rec.LastLSN, uint64(5))
		if int64(len(changed)) >= end && bytes.Equal(changed[starts[4]:end], data[starts[4]:end]) {
			require.GreaterOrEqual(t, rec.LastLSN, uint64(4), "the last frame says that four are durable")
		}
		requireUsable(t, disk, l, oneSegment(), "after")
	})
}

func FuzzDecodeHeader(f *testing.F) {
	h := header{uuid: testUUID, first: 7, prevEnd: 8192}
	f.Add(h.encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := decodeHeader(b, testUUID)
		if err != nil {
			return
		}
		again := h
		require.Equal(t, b[:headerBlock], again.encode())
	})
}
