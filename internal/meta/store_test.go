package meta

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/vfs"
)

func findings(t *testing.T, s *Store) (all []string) {
	t.Helper()
	_, _, err := s.Verify(context.Background(), func(f Finding) { all = append(all, f.File+": "+f.Problem) })
	require.NoError(t, err)
	return all
}

func TestWhatIsCommittedIsReadBackAfterReopening(t *testing.T) {
	s := newStore(t, disk(t))
	want := Checkpoint{LSN: 77, Slots: 200_000, Live: set(0, 5, 70_000, 199_999), Digest: 1 << 63, Generation: 9,
		Snapshot: "graph-9.snap", SnapshotCRC: 0xDEADBEEF, UUID: testUUID}
	require.NoError(t, s.Commit(Update{
		Checkpoint: &want,
		Payloads:   bySlot(map[uint32][]byte{5: []byte("five"), 70_000: {}, 1<<32 - 1: []byte("last")}),
		Positions:  map[string]uint64{"kafka-0": 12, "": 1<<64 - 1},
		Config:     []byte("{}"),
	}))
	s = reopen(t, s)
	got, err := s.Checkpoint()
	require.NoError(t, err)
	require.Equal(t, slices.Collect(want.Live.All()), slices.Collect(got.Live.All()))
	got.Live = want.Live
	require.Equal(t, want, got)
	all, err := s.Positions()
	require.NoError(t, err)
	require.Equal(t, map[string]uint64{"kafka-0": 12, "": 1<<64 - 1}, all)
	into := [][]byte{make([]byte, 0, 100), nil, nil, []byte("old")}
	require.NoError(t, s.Payloads([]uint32{5, 70_000, 1<<32 - 1, 6}, into))
	require.Equal(t, [][]byte{[]byte("five"), {}, []byte("last"), nil}, into)
	require.Equal(t, testUUID, s.UUID())
	require.Empty(t, findings(t, s))
}

func TestOnlyPiecesOfTheBitmapThatChangedAreWritten(t *testing.T) {
	s := newStore(t, disk(t))
	alive := &bitmap.Set{}
	for slot := uint32(0); slot < 10*bitmap.PieceSlots; slot += 64 {
		alive.Add(slot)
	}
	require.NoError(t, s.Commit(Update{Checkpoint: &Checkpoint{Slots: 1 << 20, Live: alive}}))
	alive.Remove(64)
	puts := 0
	require.NoError(t, s.back.update(func(w writer) error {
		_, err := putLive(countPuts{w, &puts}, alive)
		return err
	}))
	require.Equal(t, 1, puts)
	require.NoError(t, s.Commit(Update{Checkpoint: &Checkpoint{Slots: 70_000, Live: set(3)}}))
	c, err := s.Checkpoint()
	require.NoError(t, err)
	require.Equal(t, []uint32{3}, slices.Collect(c.Live.All()))
}

type countPuts struct {
	writer
	n *int
}

func (c countPuts) put(b bucket, key, value []byte) error {
	*c.n++
	return c.writer.put(b, key, value)
}

func TestACommitThatSaysNonsenseChangesNothing(t *testing.T) {
	s := newStore(t, disk(t))
	require.Error(t, s.Commit(Update{Config: []byte("x"), Checkpoint: &Checkpoint{Slots: 3, Live: set(3)}}))
	require.Error(t, s.Commit(Update{Config: []byte("x"), Checkpoint: &Checkpoint{UUID: [16]byte{1}}}))
	require.Error(t, s.Commit(Update{Config: []byte("x"), Positions: map[string]uint64{strings.Repeat("long", 20_000): 1}}))
	cfg, err := s.Config()
	require.NoError(t, err)
	require.Equal(t, `{"dim":3}`, string(cfg))
	require.NoError(t, s.Commit(Update{Config: []byte("y")}))
}

func TestI1_CreationLeavesTheWholeFileOrNone(t *testing.T) {
	dir := disk(t)
	require.NoError(t, os.WriteFile(dir.Path(name+vfs.TempSuffix), []byte("left by a crash"), 0o600))
	s := newStore(t, dir)
	_, err := Create(dir, name, nil, testUUID)
	require.ErrorIs(t, err, fs.ErrExist)
	_, err = dir.Stat(name + vfs.TempSuffix)
	require.ErrorIs(t, err, fs.ErrNotExist)
	info, err := os.Stat(dir.Path(name))
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	require.NoError(t, s.Close())
	_, err = Open(dir, "other.db", false)
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestI3_TheCopyFollowsEveryCommitAndIsNotNeeded(t *testing.T) {
	dir := disk(t)
	s := newStore(t, dir)
	require.NoError(t, s.Commit(Update{Positions: map[string]uint64{"a": 1}}))
	require.Empty(t, findings(t, s))
	later, err := os.ReadFile(dir.Path("meta.copy"))
	require.NoError(t, err)

	require.NoError(t, os.WriteFile(dir.Path("meta.copy"), later[:50], 0o600))
	s = reopen(t, s)
	require.Len(t, findings(t, s), 1)
	require.NoError(t, os.Remove(dir.Path("meta.copy")))
	s = reopen(t, s)
	require.Len(t, findings(t, s), 1)
	require.NoError(t, s.Commit(Update{Payloads: bySlot(map[uint32][]byte{1: nil})}))
	require.Empty(t, findings(t, s), "the next commit makes it good")
}

func TestI3_C19_AFileOlderThanItsCopyIsCorrupt(t *testing.T) {
	dir := disk(t)
	s := newStore(t, dir)
	older, err := os.ReadFile(dir.Path(name))
	require.NoError(t, err)
	require.NoError(t, s.Commit(Update{Positions: map[string]uint64{"a": 1}}))
	require.NoError(t, s.Close())
	require.NoError(t, os.WriteFile(dir.Path(name), older, 0o600))
	_, err = Open(dir, name, false)
	require.ErrorIs(t, err, codec.ErrCorrupt)
	require.ErrorContains(t, err, "commit 2 is lost")
}

func TestB08_AReadOnlyStoreWritesNothing(t *testing.T) {
	path, want, has := story(t, 200)
	dir, err := vfs.OS(path)
	require.NoError(t, err)
	defer dir.Close()
	tree := func() (all []string) {
		require.NoError(t, filepath.Walk(path, func(p string, info fs.FileInfo, err error) error {
			all = append(all, fmt.Sprint(p, info.Size(), info.ModTime(), info.Mode()))
			return err
		}))
		return all
	}
	before := tree()
	a, err := Open(dir, name, true)
	require.NoError(t, err)
	b, err := Open(dir, name, true)
	require.NoError(t, err, "readers share")
	_, err = Open(dir, name, false)
	require.ErrorIs(t, err, vfs.ErrLocked)
	got, err := ask(b, 200, has)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Error(t, a.Commit(Update{Config: []byte("x")}))
	require.NoError(t, a.Close())
	require.NoError(t, b.Close())
	require.Equal(t, before, tree())
}

func TestD05_AClosedStoreSaysSo(t *testing.T) {
	s := newStore(t, disk(t))
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.Commit(Update{Config: []byte("x")}), fs.ErrClosed)
	_, err := s.Config()
	require.ErrorIs(t, err, fs.ErrClosed)
	_, err = s.Payload(1)
	require.ErrorIs(t, err, fs.ErrClosed)
}

func TestReadersSeeWholeCommitsWhileTheFileGrows(t *testing.T) {
	s := newStore(t, disk(t))
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		readers.Go(func() {
			into := make([][]byte, 2)
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := s.Payloads([]uint32{1, 500}, into); err != nil || string(into[0]) != string(into[1]) {
					t.Errorf("%q, %q: %v", into[0], into[1], err)
					return
				}
			}
		})
	}
	for round := range 20 {
		put := map[uint32][]byte{}
		u := Update{Payloads: bySlot(put)}
		for slot := range uint32(1000) {
			put[slot] = []byte(strings.Repeat("x", 10+20*round))
		}
		require.NoError(t, s.Commit(u))
	}
	close(stop)
	readers.Wait()
}

// Ascending slots are appended, which is faster; others are put as well.
func TestPayloadsMayComeInAnyOrderAndTheLastOfASlotCounts(t *testing.T) {
	for what, dir := range map[string]vfs.FS{"on a disk": disk(t), "in memory": vfs.NewMem()} {
		t.Run(what, func(t *testing.T) {
			s := newStore(t, dir)
			require.NoError(t, s.Commit(Update{Payloads: bySlot(map[uint32][]byte{300: []byte("old"), 301: []byte("gone")})}))
			slots := []uint32{70_000, 300, 5, 1<<32 - 1, 300, 256, 1, 0}
			want := map[uint32]string{}
			for i, slot := range slots {
				want[slot] = strings.Repeat(fmt.Sprint(i), i)
			}
			require.NoError(t, s.Commit(Update{DropPayloads: []uint32{300, 301}, Payloads: func(yield func(uint32, []byte) bool) {
				for i, slot := range slots {
					if !yield(slot, []byte(strings.Repeat(fmt.Sprint(i), i))) {
						return
					}
				}
			}}))
			got := map[uint32]string{}
			require.NoError(t, s.EachPayload(func(slot uint32, p []byte) error {
				got[slot] = string(p)
				return nil
			}))
			require.Equal(t, want, got)
		})
	}
}

// noPut is a transaction that nothing can be put into.
type noPut struct{ writer }

func (noPut) put(bucket, []byte, []byte) error { return vfs.ErrNoSpace }

func TestAPayloadThatCannotBePutEndsTheCommit(t *testing.T) {
	err := putPayloads(noPut{}, bySlot(map[uint32][]byte{7: []byte("seven")}))
	require.ErrorIs(t, err, vfs.ErrNoSpace)
	require.ErrorContains(t, err, "slot 7")
}

func TestEveryPayloadIsVisitedOnceInOrder(t *testing.T) {
	s := newStore(t, disk(t))
	put := map[uint32][]byte{1<<32 - 1: []byte("end")}
	for slot := range uint32(3000) {
		put[slot*7] = make([]byte, 1000)
	}
	require.NoError(t, s.Commit(Update{Payloads: bySlot(put)}))
	var slots []uint32
	require.NoError(t, s.EachPayload(func(slot uint32, p []byte) error {
		slots = append(slots, slot)
		require.Equal(t, put[slot], p)
		return nil
	}))
	require.True(t, slices.IsSorted(slots))
	require.Len(t, slots, 3001)
}
