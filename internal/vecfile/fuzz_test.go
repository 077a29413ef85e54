package vecfile

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/codec"
)

func FuzzParseFileHeader(f *testing.F) {
	for k := range kinds {
		f.Add(uint8(k), fileHeader{k, testUUID, 384, 1, 12, 1536, 7}.encode())
	}
	f.Add(uint8(vectors), []byte{})
	f.Add(uint8(codes), make([]byte, headerSize))
	f.Fuzz(func(t *testing.T, k uint8, page []byte) {
		h, _, err := parseFileHeader(kind(k)%kinds, page)
		if err != nil {
			require.True(t, errors.Is(err, codec.ErrCorrupt) || errors.Is(err, codec.ErrVersion))
			return
		}
		again, _, err := parseFileHeader(h.kind, h.encode())
		require.NoError(t, err)
		require.Equal(t, h, again)
	})
}

// FuzzSlot changes bytes of a slot's rows: none may pass unnoticed.
func FuzzSlot(f *testing.F) {
	f.Add(uint16(0), []byte{0})
	f.Add(uint16(100), []byte{1, 2, 3})
	f.Add(uint16(70), []byte{0, 0, 0, 0, 0, 0, 0, 0x80})
	lay, err := newLayout(20, 1, 64, 1<<40)
	require.NoError(f, err)
	e := point(5, 9, 20)
	base := codec.CRC(testUUID[:])
	f.Fuzz(func(t *testing.T, at uint16, patch []byte) {
		rows := make([]byte, lay.stride[vectors]+lay.stride[codes]+sideSize)
		vec, code, side := split(&lay, rows)
		side.set(base, e.Slot, &e, vec, code)
		require.True(t, side.matchesVector(base, e.Slot, vec) && side.matchesCodes(code))
		before := string(rows)
		copy(rows[int(at)%len(rows):], patch)
		if string(rows) != before {
			require.False(t, side.matchesVector(base, e.Slot, vec) && side.matchesCodes(code))
		}
		require.False(t, side.matchesVector(base, e.Slot+1, vec), "another slot's")
	})
}

func split(l *layout, rows []byte) (vec, code []byte, side sideRow) {
	v, c := l.stride[vectors], l.stride[vectors]+l.stride[codes]
	return rows[:v], rows[v:c], sideRow(rows[c:])
}
