package collection

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tarndb/tarn/internal/vfs"
)

// blockList is an archive in memory. Like the real one it takes the bytes of a block
// back at the call after the next one: then they are garbage.
type blockList struct {
	kinds  []uint8
	blocks [][]byte
	next   int
	lent   [][]byte
	before func(next int) // nil: nothing
}

func (l *blockList) Write(kind uint8, data []byte) error {
	l.kinds, l.blocks = append(l.kinds, kind), append(l.blocks, append([]byte(nil), data...))
	return nil
}

func (l *blockList) Next() (uint8, []byte, error) {
	if l.before != nil {
		l.before(l.next)
	}
	if l.next >= 2 {
		for i := range l.lent[l.next-2] {
			l.lent[l.next-2][i] = 0xee
		}
	}
	if l.next == len(l.kinds) {
		return 0, nil, io.EOF
	}
	l.lent = append(l.lent, append([]byte(nil), l.blocks[l.next]...))
	l.next++
	return l.kinds[l.next-1], l.lent[l.next-1], nil
}

// again returns the archive from its beginning.
func (l *blockList) again() *blockList { return &blockList{kinds: l.kinds, blocks: l.blocks} }

const restoredPoints = 96

// restoredPoint has a payload so large that a few make a block, and a commit.
func restoredPoint(id uint64) Point {
	return Point{ID: id, Vector: []float32{float32(id), 1, 2, 3}, Payload: Payload{"n": int64(id), "text": fmt.Sprintf("%032000d", id)}}
}

func archiveInMemory(t testing.TB) *blockList {
	t.Helper()
	disk, list := vfs.NewMem(), &blockList{}
	require.NoError(t, Create(disk, Config{Dim: 4}, [16]byte{1}))
	c, err := Open(Options{Name: "test", FS: disk, MaxPayload: 64 << 10, MaxK: 100, Knobs: Knobs{PauseIndexer: true, NoBackground: true, ChunkSlots: 64}})
	require.NoError(t, err)
	for id := range uint64(restoredPoints) {
		require.NoError(t, c.Upsert(context.Background(), restoredPoint(id)))
	}
	require.NoError(t, Backup(context.Background(), c, list))
	require.NoError(t, c.Close())
	return list
}

// eager makes every block of rows a time to ask the disk and, every other one, to sync.
func eager(t *testing.T) {
	back, sync := backBytes, syncBytes
	backBytes, syncBytes = 1, 1500<<10
	t.Cleanup(func() { backBytes, syncBytes = back, sync })
}

func requireRestored(t *testing.T, disk vfs.FS) {
	t.Helper()
	c, err := Open(Options{Name: "test", FS: disk, MaxPayload: 64 << 10, MaxK: 100, Knobs: Knobs{PauseIndexer: true, NoBackground: true}})
	require.NoError(t, err)
	require.Equal(t, restoredPoints, c.Len())
	for id := range uint64(restoredPoints) {
		p, err := c.Get(context.Background(), id)
		require.NoError(t, err)
		want := restoredPoint(id)
		require.Equal(t, want.Vector, p.Vector)
		require.Equal(t, want.Payload, p.Payload)
	}
	_, err = Verify(context.Background(), c, func(f Finding) { t.Errorf("%v", f) })
	require.NoError(t, err)
	require.NoError(t, c.Close())
}

func TestAllThatWasRestoredIsDurable(t *testing.T) {
	defer goleak.VerifyNone(t)
	list := archiveInMemory(t)
	for name, prepare := range map[string]func(*testing.T){"as it is": func(*testing.T) {}, "asked and synced all the way": eager} {
		t.Run(name, func(t *testing.T) {
			prepare(t)
			disk := vfs.NewMem()
			r, err := Restore(context.Background(), disk, list.again(), [16]byte{2})
			require.NoError(t, err)
			require.Equal(t, restoredPoints, r.Live)
			require.Empty(t, disk.Unsynced())
			requireRestored(t, disk.Crash(1, vfs.Crash{}))
		})
	}
}

// Whatever operation fails, also one beside the reading, Restore says so and leaves no
// goroutine behind. (The copy of meta.db is left to the next commit, if it fails.)
func TestAnErrorOfEachStepOfARestoreReachesItsCaller(t *testing.T) {
	defer goleak.VerifyNone(t)
	eager(t)
	list := archiveInMemory(t)
	boom := errors.New("boom")
	steps := 0
	for ; ; steps++ {
		fault := &vfs.Fault{Skip: steps, Count: 1, Err: boom, When: func(c vfs.Call) bool { return c.Op.Mutates() && !strings.HasPrefix(c.Name, "meta.copy") }}
		disk := vfs.NewInject(vfs.NewMem(), fault)
		_, err := Restore(context.Background(), disk, list.again(), [16]byte{2})
		if disk.Hits(fault) == 0 {
			require.NoError(t, err)
			requireRestored(t, disk)
			break
		}
		require.ErrorIs(t, err, boom, "step %d", steps)
	}
	require.Greater(t, steps, 50)
}

// A cut, an error of the reader and the end of the context, at each block.
func TestARestoreThatEndsBetweenTwoBlocksLeavesNoGoroutine(t *testing.T) {
	defer goleak.VerifyNone(t)
	eager(t)
	list := archiveInMemory(t)
	rows := 0
	for at, kind := range list.kinds {
		if kind == blockRows {
			rows++
		}
		cut := list.again()
		cut.kinds, cut.blocks = cut.kinds[:at], cut.blocks[:at]
		_, err := Restore(context.Background(), vfs.NewMem(), cut, [16]byte{2})
		require.ErrorContains(t, err, "it ends in the middle", "block %d", at)

		ctx, cancel := context.WithCancel(context.Background())
		ended := list.again()
		ended.before = func(next int) {
			if next == at {
				cancel()
			}
		}
		_, err = Restore(ctx, vfs.NewMem(), ended, [16]byte{2})
		if at < len(list.kinds)-1 { // else all has come
			require.ErrorIs(t, err, context.Canceled, "block %d", at)
		}
		cancel()
	}
	require.GreaterOrEqual(t, rows, 3)
}

// The reader takes a block's bytes back while nothing reads them any more, also when
// blocks without rows come between.
func TestARestoreHoldsNoBlockLongerThanTheReader(t *testing.T) {
	list := archiveInMemory(t)
	none := make([]byte, rowsHead)
	binary.LittleEndian.PutUint32(none, 0)
	sparse := &blockList{}
	for i, kind := range list.kinds {
		sparse.kinds, sparse.blocks = append(sparse.kinds, kind), append(sparse.blocks, list.blocks[i])
		if kind == blockRows {
			sparse.kinds, sparse.blocks = append(sparse.kinds, kind, kind), append(sparse.blocks, none, none)
		}
	}
	slow := func() vfs.FS { // vectors are written when the reader has had time to go on
		disk := vfs.NewInject(vfs.NewMem())
		disk.Before(func(c vfs.Call) {
			if c.Op == vfs.OpWrite {
				for range 100 {
					runtime.Gosched()
				}
			}
		})
		return disk
	}
	for _, in := range []*blockList{list, sparse} {
		disk := slow()
		_, err := Restore(context.Background(), disk, in.again(), [16]byte{2})
		require.NoError(t, err)
		requireRestored(t, disk)
	}
}

// afterRows is an archive that has something done after its first block of rows.
type afterRows struct {
	blockList
	do func()
}

func (a *afterRows) Write(kind uint8, data []byte) error {
	if kind == blockRows && a.do != nil {
		a.do()
		a.do = nil
	}
	return a.blockList.Write(kind, data)
}

// A backup reads payloads ahead. Of a slot that was freed and written again that is the
// payload of the point before, until a checkpoint has the new one.
func TestABackupHasThePayloadsOfItsMomentThoughACheckpointCommitsThemMeanwhile(t *testing.T) {
	const dim, n, reused = 4096, 200, 150 // more than one block of rows
	disk := vfs.NewMem()
	require.NoError(t, Create(disk, Config{Dim: dim}, [16]byte{1}))
	options := Options{Name: "test", FS: disk, MaxPayload: 1000, MaxK: 100, Knobs: Knobs{PauseIndexer: true, NoBackground: true}}
	c, err := Open(options)
	require.NoError(t, err)
	point := func(id uint64) Point {
		return Point{ID: id, Vector: append(make([]float32, dim-1), float32(id)), Payload: Payload{"t": fmt.Sprint("of ", id)}}
	}
	for id := range uint64(n) {
		require.NoError(t, c.Upsert(t.Context(), point(id)))
	}
	require.NoError(t, c.Checkpoint(t.Context()))
	_, err = c.Delete(t.Context(), reused)
	require.NoError(t, err)
	require.NoError(t, c.Checkpoint(t.Context())) // frees its slot
	require.NoError(t, c.Upsert(t.Context(), point(1000)))
	require.EqualValues(t, reused, c.ids.get(1000), "the slot is written again")
	archive := &afterRows{do: func() { require.NoError(t, c.Checkpoint(t.Context())) }}
	require.NoError(t, Backup(t.Context(), c, archive))
	require.Nil(t, archive.do, "it was written")
	require.NoError(t, c.Close())

	options.FS = vfs.NewMem()
	_, err = Restore(t.Context(), options.FS, archive.again(), [16]byte{2})
	require.NoError(t, err)
	c, err = Open(options)
	require.NoError(t, err)
	for slot := range c.live.All() {
		id := c.store.ID(slot)
		got, err := c.Get(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, point(id).Payload, got.Payload)
	}
	require.Equal(t, n, c.Len())
	require.NoError(t, c.Close())
}
