package vecfile

import (
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/codec"
)

func TestTheBytesOfVersion1StayAsTheyAre(t *testing.T) {
	page := fileHeader{sidecar, testUUID, 384, 1, 12, 24, 7}.encode()
	require.Equal(t, "5441524e5349440a"+"01000000"+"00000000"+"0102030405060708090a0b0c0d0e0f10"+
		"000000000000000000000000"+hex.EncodeToString(page[44:48])+
		"80010000"+"01"+"0c"+"0000"+"18000000"+"07000000", hex.EncodeToString(page[:64]))
	require.Equal(t, uint32(0x48674bc7), codec.CRC(page), "what any bytes give that end with their CRC32C")

	row := make(sideRow, sideSize)
	e := Entry{Slot: 5, ID: 0x1122334455667788, LSN: 9, Payload: true}
	row.set(codec.CRC(testUUID[:]), 5, &e, []byte("vector"), []byte("codes"))
	require.Equal(t, "8877665544332211"+"0900000000000080"+"a9472a397010a4d7", hex.EncodeToString(row))
	require.Equal(t, uint64(9), row.lsn())
	require.True(t, row.payload())
	require.Equal(t, codec.CRC([]byte{1, 2, 3, 4, 0x0D, 0x0C, 0x0B, 0x0A}), crcOfSlot(codec.CRC([]byte{1, 2, 3, 4}), 0x0A0B0C0D))
}
