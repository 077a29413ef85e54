package meta

import (
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheBytesOfVersion1StayAsTheyAre(t *testing.T) {
	c := Checkpoint{LSN: 1, Slots: 2, Digest: 3, Generation: 4, Snapshot: "graph", SnapshotCRC: 5, UUID: testUUID}
	require.Equal(t, "01000000"+"100f0e0d0c0b0a090807060504030201"+"0100000000000000"+"0400000000000000"+
		"0300000000000000"+"02000000"+"09000000"+"05000000"+"05"+hex.EncodeToString([]byte("graph")), hex.EncodeToString(c.encode(9)))

	require.Equal(t, "76616c7565"+"12f5f63f", hex.EncodeToString(sealed(payloads, slotKey(7), []byte("value"))))

	words, n := encodePiece(set(65_536, 65_536+64), 1)
	require.Equal(t, "01000000000000000100000000000000", hex.EncodeToString(words))
	require.Equal(t, uint32(2), n)

	var sum tally
	sum.add("source", 7)
	require.Equal(t, "0100000000000000"+"f488d7b9719890bf", hex.EncodeToString(sum.encode()))

	d := newDump(copyMagic, testUUID, 3)
	d.add(live, slotKey(1), []byte("words"))
	require.Equal(t, "5441524e4350590a0100000000000000100f0e0d0c0b0a090807060504030201"+"000000000000000000000000"+"56f89018"+"0300000000000000"+"0c00000000000000"+"ddc94f74"+
		"01"+"04"+"00000001"+"05"+hex.EncodeToString([]byte("words")),
		hex.EncodeToString(d.bytes()))
}
