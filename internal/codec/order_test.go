package codec

import (
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestE20_NumbersOfAnyMachineAreWrittenInOneOrder(t *testing.T) {
	h := Header{Magic: [8]byte{'T', 'E', 'S', 'T'}, Version: 0x01020304, UUID: [16]byte{15: 9}}
	b := h.AppendTo(nil)
	require.Equal(t, "5445535400000000"+"04030201"+"00000000"+"00000000000000000000000000000009"+"000000000000000000000000",
		hex.EncodeToString(b[:44]))
	back, err := ParseHeader(b, h.Magic, 0x01020304)
	require.NoError(t, err)
	require.Equal(t, h, back)
	c := NewCursor([]byte{1, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0x80})
	require.Equal(t, uint16(1), c.U16())
	require.Equal(t, uint32(2), c.U32())
	require.Equal(t, uint64(1<<63|3), c.U64())
	require.NoError(t, c.Err())
}
