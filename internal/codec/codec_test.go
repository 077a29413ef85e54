package codec

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
)

var magic = [8]byte{'T', 'E', 'S', 'T', 1, 2, 3, 4}

func TestACursorReadsWhatWasWrittenAndThenSticks(t *testing.T) {
	le := binary.LittleEndian
	b := []byte{7}
	b = le.AppendUint16(b, 8)
	b = le.AppendUint32(b, 9)
	b = le.AppendUint64(b, 10)
	b = le.AppendUint32(b, 0x3fc00000)
	b = binary.AppendUvarint(b, 300)
	b = append(b, "rest"...)
	c := NewCursor(b)
	require.EqualValues(t, 7, c.U8())
	require.EqualValues(t, 8, c.U16())
	require.EqualValues(t, 9, c.U32())
	require.EqualValues(t, 10, c.U64())
	require.EqualValues(t, 0x3fc00000, c.U32())
	require.EqualValues(t, 300, c.Uvarint())
	require.Equal(t, "rest", string(c.Rest()))
	require.NoError(t, c.Err())
	require.Zero(t, c.U64())
	first := c.Err()
	require.ErrorIs(t, first, ErrCorrupt)
	require.Zero(t, c.U8())
	require.Nil(t, c.Rest())
	require.Equal(t, first, c.Err())
}

func TestACursorRefusesNegativeLengths(t *testing.T) {
	c := NewCursor(make([]byte, 4))
	require.Nil(t, c.Bytes(-1))
	require.ErrorIs(t, c.Err(), ErrCorrupt)
}

func TestC15_AHeaderOfANewerVersionIsToldFromDamage(t *testing.T) {
	h := Header{Magic: magic, Version: 3, UUID: [16]byte{1, 2, 3}}
	b := h.AppendTo(nil)
	require.Len(t, b, HeaderSize)
	got, err := ParseHeader(b, magic, 3)
	require.NoError(t, err)
	require.Equal(t, h, got)
	_, err = ParseHeader(b, magic, 2)
	require.ErrorIs(t, err, ErrVersion)
	require.ErrorContains(t, err, "version 3")
	require.ErrorContains(t, err, "up to 2")
	_, err = ParseHeader(b[:47], magic, 3)
	require.ErrorIs(t, err, ErrCorrupt)
	_, err = ParseHeader(b, [8]byte{}, 3)
	require.ErrorIs(t, err, ErrCorrupt)
}

func TestC15_AnUnknownFlagIsAVersion(t *testing.T) {
	b := Header{Magic: magic, Version: 1}.AppendTo(nil)
	b[12] = 1
	binary.LittleEndian.PutUint32(b[44:], CRC(b[:44]))
	_, err := ParseHeader(b, magic, 1)
	require.ErrorIs(t, err, ErrVersion)
}

func TestEveryFlippedBitOfAHeaderIsCorrupt(t *testing.T) {
	b := Header{Magic: magic, Version: 1, UUID: [16]byte{9}}.AppendTo(nil)
	for bit := range len(b) * 8 {
		d := bytes.Clone(b)
		d[bit/8] ^= 1 << (bit % 8)
		_, err := ParseHeader(d, magic, 1)
		require.ErrorIs(t, err, ErrCorrupt, "bit %d", bit)
	}
}

func FuzzParseHeader(f *testing.F) {
	f.Add(Header{Magic: magic, Version: 1}.AppendTo(nil))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseHeader(b, magic, 1)
		if err == nil && !bytes.Equal(h.AppendTo(nil), b[:HeaderSize]) {
			t.Fatal("a header that was accepted is written otherwise")
		}
	})
}

func FuzzCursor(f *testing.F) {
	f.Add([]byte{1, 2, 3}, []byte{0, 5, 9})
	f.Fuzz(func(t *testing.T, data, steps []byte) {
		c := NewCursor(data)
		for _, s := range steps {
			switch s % 6 {
			case 0:
				c.U8()
			case 1:
				c.U16()
			case 2:
				c.U32()
			case 3:
				c.U64()
			case 4:
				c.Uvarint()
			case 5:
				c.Bytes(int(int8(s)))
			}
		}
		if c.Offset() > len(data) {
			t.Fatal("read past the end")
		}
	})
}
