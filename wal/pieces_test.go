package wal

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/vfs"
)

// inPieces is a payload that is written in four pieces.
func inPieces() [][]byte {
	p := bytes.Repeat([]byte("a large one, "), 3*pieceBytes/13+1000)
	return [][]byte{p[:7], p[7 : 2*pieceBytes], nil, p[2*pieceBytes:]}
}

func TestE16_ARecordThatIsWrittenInPiecesIsReadAsOne(t *testing.T) {
	parts := inPieces()
	for cut := range 20 { // lengths around the size of a piece
		l, in, mem := faulty(t, oneSegment())
		last := parts[3][:len(parts[3])-cut]
		before := in.Calls(vfs.OpWrite)
		_, err := l.Append(1, parts[0], parts[1], parts[2], last)
		require.NoError(t, err)
		require.GreaterOrEqual(t, in.Calls(vfs.OpWrite)-before, 4)
		lsn, err := l.Append(1, payloadOf(2))
		require.NoError(t, err)
		require.NoError(t, l.Sync(lsn))
		var got [][]byte
		again, _, err := Open(mem.Crash(1, vfs.Crash{}), oneSegment(), 0, func(r Record) error {
			got = append(got, bytes.Clone(r.Payload))
			return nil
		})
		require.NoError(t, err)
		require.Len(t, got, 2)
		require.True(t, bytes.Equal(bytes.Join([][]byte{parts[0], parts[1], last}, nil), got[0]))
		require.Equal(t, payloadOf(2), got[1])
		require.NoError(t, again.Close())
	}
}

func TestI4_ALargeFrameIsWrittenFromItsSecondPieceOnThenItsFirstThenItsLast(t *testing.T) {
	l, in, _ := faulty(t, oneSegment())
	for range 2 {
		var offs []int64
		in.Before(func(c vfs.Call) {
			if c.Op == vfs.OpWrite && c.Off >= headerBlock && len(offs) < 4 { // then the next segment is filled ahead
				offs = append(offs, c.Off)
			}
		})
		_, err := l.Append(1, inPieces()...)
		require.NoError(t, err)
		in.Before(func(vfs.Call) {})
		size := 0
		for _, p := range inPieces() {
			size += len(p)
		}
		start := l.segments[len(l.segments)-1].end - frameSize(size)
		require.Equal(t, []int64{start + pieceBytes, start + 2*pieceBytes, start, start + 3*pieceBytes}, offs)
	}
}

func TestB06_ARecordWithAPieceThatFailsIsNeverReadAgain(t *testing.T) {
	for piece := range 4 {
		for _, short := range []int{0, 1, 4096, pieceBytes - 1} {
			l, in, mem := faulty(t, oneSegment())
			_, err := l.Append(1, payloadOf(1))
			require.NoError(t, err)
			_, err = l.Append(2, inPieces()...) // so that the segment has room for another
			require.NoError(t, err)
			written := 0 // of the file that the record is written to
			in.Add(&vfs.Fault{Ops: []vfs.Op{vfs.OpWrite}, Count: 1, Err: errDisk, Short: func(n int) int { return min(n, short) },
				When: func(c vfs.Call) bool {
					if c.Off < headerBlock || written > piece {
						return false
					}
					written++
					return written > piece
				}})
			_, err = l.Append(1, inPieces()...)
			require.ErrorIs(t, err, errDisk, "piece %d", piece)
			lsn, err := l.Append(1, payloadOf(3))
			require.NoError(t, err)
			require.Equal(t, uint64(3), lsn)
			require.NoError(t, l.Sync(lsn))
			n := 0
			again, rec, err := Open(mem.Crash(1, vfs.Crash{}), oneSegment(), 0, func(r Record) error {
				if n++; r.Kind == 1 {
					require.Equal(t, payloadOf(r.LSN), r.Payload)
				}
				return nil
			})
			require.NoError(t, err)
			require.Equal(t, 3, n)
			require.Zero(t, rec.TornBytes)
			require.NoError(t, again.Close())
		}
	}
}

func TestAKillOrAPowerCutBetweenThePiecesOfARecordKeepsWhatIsBeforeIt(t *testing.T) {
	l, in, mem := faulty(t, oneSegment())
	_, err := l.Append(2, inPieces()...) // so that the segment has room for another
	require.NoError(t, err)
	lsn, err := l.Append(1, payloadOf(2))
	require.NoError(t, err)
	require.NoError(t, l.Sync(lsn))
	var disks []*vfs.Mem
	in.Before(func(c vfs.Call) {
		if c.Op != vfs.OpWrite || c.Off < headerBlock || len(disks) == 16 { // then the next segment is filled ahead
			return
		}
		disks = append(disks, mem.Crash(1, vfs.Crash{Keep: 1})) // as after a kill
		for seed := range uint64(3) {
			disks = append(disks, mem.Crash(seed, vfs.Crash{Keep: 0.5, Torn: 0.3, Garbage: 0.1}))
		}
	})
	_, err = l.Append(1, inPieces()...)
	require.NoError(t, err)
	in.Before(func(vfs.Call) {})
	require.Len(t, disks, 16)
	torn := 0
	for _, disk := range disks {
		again, rec, err := Open(disk, oneSegment(), 0, none)
		require.NoError(t, err)
		require.Equal(t, uint64(2), rec.LastLSN)
		if rec.TornBytes > 0 {
			torn++
		}
		lsn, err := again.Append(1, payloadOf(3))
		require.NoError(t, err)
		require.NoError(t, again.Sync(lsn))
		require.NoError(t, again.Close())
		n := uint64(0)
		again, rec, err = Open(disk.Crash(1, vfs.Crash{}), oneSegment(), 0, func(r Record) error {
			if n++; r.Kind == 1 {
				require.Equal(t, payloadOf(r.LSN), r.Payload)
			}
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, uint64(3), n)
		require.Zero(t, rec.TornBytes)
		require.NoError(t, again.Close())
	}
	require.GreaterOrEqual(t, torn, 9)
}

func TestI10_CloseCutsTheZerosOffOnceAndOnlyAfterAWrite(t *testing.T) {
	mem := vfs.NewMem()
	require.NoError(t, Create(mem, oneSegment()))
	size := func() int64 {
		e, err := mem.Stat(firstSegment)
		require.NoError(t, err)
		return e.Size
	}
	whole := size()
	l, _, err := Open(mem, oneSegment(), 0, none)
	require.NoError(t, err)
	require.NoError(t, l.Close())
	require.Equal(t, whole, size(), "nothing was appended")
	l, _, err = Open(mem, oneSegment(), 0, none)
	require.NoError(t, err)
	for i := range uint64(3) {
		_, err := l.Append(1, payloadOf(i+1))
		require.NoError(t, err)
	}
	require.NoError(t, l.Close())
	require.Equal(t, int64(2*headerBlock), size())

	in := vfs.NewInject(mem)
	for n := uint64(3); n < 9; n++ { // goes on in the next segment
		l, rec, err := recovered(t, in, oneSegment(), n)
		require.NoError(t, err)
		require.Equal(t, n, rec.LastLSN)
		before := in.Calls(vfs.OpTruncate) + in.Calls(vfs.OpWrite)
		require.NoError(t, l.Close())
		require.Equal(t, before, in.Calls(vfs.OpTruncate)+in.Calls(vfs.OpWrite))
		l, _, err = recovered(t, in, oneSegment(), n)
		require.NoError(t, err)
		_, err = l.Append(1, payloadOf(n+1))
		require.NoError(t, err)
		require.NoError(t, l.Close())
	}
	l, rec, err := recovered(t, mem.Crash(1, vfs.Crash{}), oneSegment(), 0)
	require.NoError(t, err)
	require.Equal(t, uint64(9), rec.LastLSN)
	require.NoError(t, l.Close())
}
