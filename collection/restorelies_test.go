package collection

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/vfs"
)

// keyed is the archive of a collection that names points by keys, after some were written
// and some deleted.
func keyed(t *testing.T, write, drop []string) *blockList {
	disk, list := vfs.NewMem(), &blockList{}
	require.NoError(t, Create(disk, Config{Dim: 4, Metric: Cosine, Keys: StringKeys}, [16]byte{1}))
	c, err := Open(Options{Name: "test", FS: disk, MaxPayload: 1 << 10, MaxK: 100, Knobs: Knobs{PauseIndexer: true, NoBackground: true}})
	require.NoError(t, err)
	for _, key := range write {
		require.NoError(t, c.Upsert(t.Context(), Point{Key: key, Vector: []float32{1, 2, 3, 4}}))
	}
	if len(drop) > 0 {
		_, err := c.DeleteKeys(t.Context(), drop...)
		require.NoError(t, err)
	}
	require.NoError(t, Backup(t.Context(), c, list))
	require.NoError(t, c.Close())
	return list
}

// at returns the place of the first block of a kind.
func (l *blockList) at(kind uint8) int {
	for i, k := range l.kinds {
		if k == kind {
			return i
		}
	}
	return -1
}

// Each lie is refused by Restore itself, before anybody opens what it has made.
func TestRestoreItselfRefusesWhatIsNoBackup(t *testing.T) {
	le := binary.LittleEndian
	moment := func(change func(m *archived)) func(l *blockList) {
		return func(l *blockList) {
			m, err := decodeArchived(l.blocks[l.at(blockMoment)])
			require.NoError(t, err)
			change(&m)
			l.blocks[l.at(blockMoment)] = m.encode()
		}
	}
	id := func(id uint64) func(l *blockList) {
		return func(l *blockList) { le.PutUint64(l.blocks[l.at(blockRows)][rowsHead:], id) }
	}
	place := []byte("\x01\x00a\x07\x00\x00\x00\x00\x00\x00\x00")
	for what, lie := range map[string]func(l *blockList){
		"a key that is no text":           func(l *blockList) { b := l.blocks[l.at(blockRows)]; b[len(b)-2] = 0xff },
		"a key's number that is 0":        id(0),
		"a key's number that nobody has":  id(1 << 40),
		"a row less than it says":         moment(func(m *archived) { m.rows++; m.slots++ }),
		"a row more that lives than said": moment(func(m *archived) { m.live-- }),
		"a row of a later write":          moment(func(m *archived) { m.lsn-- }),
		"no moment, and nothing":          func(l *blockList) { l.kinds, l.blocks = []uint8{blockConfig, blockDone}, [][]byte{l.blocks[0], nil} },
		"a configuration of another kind": func(l *blockList) { l.kinds[0] = blockGraph },
		"places that come after the rows": func(l *blockList) {
			moment(func(m *archived) { m.positions = 1 })(l)
			end := len(l.kinds) - 1
			l.kinds = append(l.kinds[:end:end], blockPositions, blockDone)
			l.blocks = append(l.blocks[:end:end], place, nil)
		},
	} {
		t.Run(what, func(t *testing.T) {
			in := keyed(t, []string{"a", "b", "c"}, nil)
			lie(in)
			_, err := Restore(t.Context(), vfs.NewMem(), in, [16]byte{2})
			require.ErrorIs(t, err, codec.ErrCorrupt)
		})
	}
	_, err := Restore(t.Context(), vfs.NewMem(), keyed(t, []string{"a", "b", "c"}, nil), [16]byte{2})
	require.NoError(t, err)
}

// A number that a key had is not given to another one, also where no key is left.
func TestTheNextKeysNumberComesAlongWithoutAPoint(t *testing.T) {
	in, disk := keyed(t, []string{"a", "b", "c"}, []string{"a", "b", "c"}), vfs.NewMem()
	m, err := decodeArchived(in.blocks[in.at(blockMoment)])
	require.NoError(t, err)
	require.Greater(t, m.nextKey, uint64(3))
	_, err = Restore(t.Context(), disk, in, [16]byte{2})
	require.NoError(t, err)
	c, err := Open(Options{Name: "test", FS: disk, MaxPayload: 1 << 10, MaxK: 100, Knobs: Knobs{PauseIndexer: true, NoBackground: true}})
	require.NoError(t, err)
	require.Equal(t, m.nextKey, c.keys.next)
	require.NoError(t, c.Close())
}
