package meta

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/codec"
)

func FuzzDecodeCheckpoint(f *testing.F) {
	c := Checkpoint{LSN: 1, Slots: 2, Digest: 3, Generation: 4, Snapshot: "graph-1.snap", UUID: testUUID}
	f.Add(c.encode(2))
	f.Add([]byte{})
	f.Add([]byte{2, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		c, live, err := decodeCheckpoint(b)
		if err == nil {
			again, n, err := decodeCheckpoint(c.encode(live))
			require.NoError(t, err)
			require.Equal(t, c, again)
			require.Equal(t, live, n)
		}
	})
}

// FuzzParseDump reads records behind a head that is right, since nothing gets past
// a wrong one.
func FuzzParseDump(f *testing.F) {
	d := newDump(copyMagic, testUUID, 7)
	d.add(live, slotKey(3), sealed(live, slotKey(3), []byte("words")))
	d.add(small, keyConfig, nil)
	f.Add(d.bytes()[dumpHead:])
	f.Add([]byte{})
	f.Add([]byte{0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		d := newDump(copyMagic, testUUID, 7)
		d.b = append(d.b, b...)
		h, commit, records, err := parseDump(copyMagic, d.bytes())
		if err != nil {
			return
		}
		again := newDump(copyMagic, h.UUID, commit)
		for _, r := range records {
			again.add(r.bucket, r.key, r.value)
		}
		require.LessOrEqual(t, len(again.bytes()), len(d.b)) // varints may be longer than they need be
	})
}

func FuzzDecodePiece(f *testing.F) {
	words, _ := encodePiece(set(1, 100, 65_535), 0)
	f.Add(uint32(0), words)
	f.Add(uint32(65_535), []byte{1, 2, 3, 4, 5, 6, 7, 8})
	f.Fuzz(func(t *testing.T, i uint32, b []byte) {
		var s bitmap.Set
		if decodePiece(&s, i, b) == nil {
			words, n := encodePiece(&s, int(i))
			require.Equal(t, bytes.TrimRight(b, "\x00"), bytes.TrimRight(words, "\x00"))
			require.Equal(t, s.Len(), int(n))
		}
	})
}

// FuzzInspect changes bytes of a sound file: the walk must come to an end, and
// what it lets pass must not make bbolt panic or hang.
func FuzzInspect(f *testing.F) {
	path, want, has := story(f, 60)
	data, err := os.ReadFile(filepath.Join(path, name))
	require.NoError(f, err)
	f.Add(uint32(0), []byte{0})
	f.Add(uint32(4096*3+24), []byte{3, 0, 0, 0, 0, 0, 0, 0})
	f.Add(uint32(4096*4+10), []byte{0xFF, 0xFF})
	f.Fuzz(func(t *testing.T, at uint32, patch []byte) {
		bad := bytes.Clone(data)
		copy(bad[int(at)%len(bad):], patch)
		scratch := t.TempDir()
		copyTo(t, path, scratch, bad)
		examineDamaged(t, scratch, want, has, "patched")
	})
}

// FuzzSmallValues reads the values that are numbers, behind a seal that is right.
func FuzzSmallValues(f *testing.F) {
	var sum tally
	sum.add("source", 7)
	for what := range byte(5) {
		f.Add(what, "key", []byte{})
		f.Add(what, "key", sum.encode())
		f.Add(what, "ssource", encodeKeyTally(3, sum))
		f.Add(what, "", []byte{1, 2, 3, 4, 5, 6, 7, 8})
	}
	f.Fuzz(func(t *testing.T, what byte, key string, b []byte) {
		var again []byte
		var err error
		switch what % 5 {
		case 0:
			var got tally
			got, err = decodeTally(b)
			again = got.encode()
		case 1:
			var next uint64
			var got tally
			next, got, err = decodeKeyTally(b)
			again = encodeKeyTally(next, got)
		case 2:
			var n uint64
			n, err = decodeKey([]byte(key), sealed(keys, []byte(key), b))
			again = binary.LittleEndian.AppendUint64(nil, n)
		case 3:
			var n uint64
			n, err = decodePosition([]byte(key), sealed(positions, []byte(key), b))
			again = binary.LittleEndian.AppendUint64(nil, n)
		default:
			again = b
			var source string
			if source, err = sourceOf([]byte(key)); err == nil {
				require.Equal(t, key, string(sourceKey(source)))
			}
			if value, wrong := unseal(small, []byte(key), b); wrong == nil {
				require.Equal(t, b, sealed(small, []byte(key), value))
			}
		}
		if err != nil {
			require.ErrorIs(t, err, codec.ErrCorrupt)
			return
		}
		require.True(t, bytes.Equal(b, again))
	})
}
