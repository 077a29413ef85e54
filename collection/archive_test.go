package collection

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/codec"
)

// rowsBlock makes a block as Backup does.
func rowsBlock(t testing.TB, rows []archiveRow, dim int) []byte {
	t.Helper()
	block := make([]byte, rowsHead+len(rows)*(rowHead+4*dim))
	binary.LittleEndian.PutUint64(block, uint64(len(rows)))
	vectors, err := rowsVectors(block, len(rows), dim)
	require.NoError(t, err)
	for i := range rows {
		putRowHead(block, i, &rows[i])
		for j := range dim {
			vectors[i*dim+j] = float32(i*dim + j)
		}
	}
	for i := range rows {
		block = append(block, rows[i].payload...)
	}
	return block
}

var sampleRows = []archiveRow{
	{id: 1, lsn: 1, slot: 0, live: true, left: true},
	{id: 1 << 63, lsn: 1<<63 - 1, slot: 7, live: true, payload: []byte(`{"a":1}`)},
	{id: 9, lsn: 3, slot: 9, payload: []byte(`{}`)},
}

func TestRowsOfABackupAreReadAsTheyWereWritten(t *testing.T) {
	got, vectors, err := decodeRows(rowsBlock(t, sampleRows, 3), 3)
	require.NoError(t, err)
	require.Equal(t, sampleRows, got)
	require.Equal(t, []float32{0, 1, 2, 3, 4, 5, 6, 7, 8}, vectors)
	m := archived{lsn: 1, slots: 10, rows: 3, live: 2, positions: 4, graphBytes: 5, graphCRC: 6}
	again, err := decodeArchived(m.encode())
	require.NoError(t, err)
	require.Equal(t, m, again)
}

func TestRowsThatLieAboutTheirSizeAreDamage(t *testing.T) {
	good := rowsBlock(t, sampleRows, 3)
	for name, change := range map[string]func(b []byte) []byte{
		"more rows than bytes":    func(b []byte) []byte { b[3] = 0xff; return b },
		"a payload that is short": func(b []byte) []byte { return b[:len(b)-1] },
		"bytes that are nobody's": func(b []byte) []byte { return append(b, 0) },
		"a flag that is unknown":  func(b []byte) []byte { b[rowsHead+21] = 0x80; return b },
		"a dead row to be found":  func(b []byte) []byte { b[rowsHead+2*rowHead+20] |= rowLeft; return b },
		"a write without number":  func(b []byte) []byte { clear(b[rowsHead+8 : rowsHead+16]); return b },
		"a payload of no bytes": func(b []byte) []byte {
			clear(b[rowsHead+2*rowHead+24 : rowsHead+2*rowHead+28])
			return b[:len(b)-len("{}")]
		},
		"nothing": func([]byte) []byte { return nil },
	} {
		_, _, err := decodeRows(change(append([]byte(nil), good...)), 3)
		require.ErrorIs(t, err, codec.ErrCorrupt, name)
	}
}

func FuzzArchivedBlocks(f *testing.F) {
	f.Add(byte(0), rowsBlock(f, sampleRows, 3))
	f.Add(byte(1), (&archived{lsn: 9, slots: 3, rows: 2, live: 1}).encode())
	f.Add(byte(2), []byte("\x01\x00a\x07\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, what byte, data []byte) {
		switch what % 3 {
		case 0:
			aligned := append(make([]byte, 0, len(data)+8), data...)
			if rows, vectors, err := decodeRows(aligned, 3); err == nil {
				require.Len(t, vectors, 3*len(rows))
			}
		case 1:
			if m, err := decodeArchived(data); err == nil {
				require.Equal(t, data, m.encode())
			}
		default:
			_ = decodePositions(data, map[string]uint64{})
		}
	})
}
