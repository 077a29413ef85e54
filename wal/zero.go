package wal

import (
	"bytes"

	"github.com/tarndb/tarn/internal/vfs"
)

// fillChunk is how many zeros are written at a time.
const fillChunk = 256 << 10

var zeros [fillChunk]byte

func allZero(b []byte) bool {
	for len(b) > 0 {
		n := min(len(b), len(zeros))
		if !bytes.Equal(b[:n], zeros[:n]) {
			return false
		}
		b = b[n:]
	}
	return true
}

// lastNonZero returns how many bytes of b there are up to its last one that is
// not zero.
func lastNonZero(b []byte) int {
	if allZero(b) {
		return 0
	}
	n := len(b)
	for b[n-1] == 0 {
		n--
	}
	return n
}

// writeZeros writes n zeros at off.
func writeZeros(f vfs.File, off, n int64) error {
	for n > 0 {
		step := min(n, fillChunk)
		if _, err := f.WriteAt(zeros[:step], off); err != nil {
			return err
		}
		off, n = off+step, n-step
	}
	return nil
}
