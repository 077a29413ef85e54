package wal

import (
	"os"
	"strconv"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var testUUID = [16]byte{0: 0x7a, 15: 0x11}

// small returns options under which a few records fill a segment.
func small() Options {
	return Options{UUID: testUUID, SegmentSize: 2 * headerBlock, Foreground: true}
}

// count returns how large a long test is: what the environment says, or normal.
func count(name string, normal int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	if testing.Short() {
		return normal / 10
	}
	return normal
}
