package vecfile

import (
	"math"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/kernel"
	"github.com/tarndb/tarn/internal/vfs"
)

func TestWhatIsWrittenIsReadBackAfterReopening(t *testing.T) {
	for what, dir := range map[string]vfs.FS{"disk": disk(t), "memory": vfs.NewMem()} {
		t.Run(what, func(t *testing.T) {
			s := open(t, dir, config(), 0)
			want := fill(t, s, 0, 150, 1)
			requireHolds(t, s, want)
			require.NoError(t, s.Sync())
			require.NoError(t, s.Close())
			bytes := onDisk(t, dir)
			s = open(t, dir, config(), 150)
			requireHolds(t, s, want)
			require.Equal(t, bytes, onDisk(t, dir))
			more := fill(t, s, 150, 300, 2)
			requireHolds(t, s, append(want, more...))
		})
	}
}

func TestE08_EveryIdIsLegal(t *testing.T) {
	s := open(t, disk(t), config(), 0)
	require.NoError(t, s.Reserve(6))
	ids := []uint64{0, 1, 1 << 63, math.MaxUint64, math.MaxUint64 - 1}
	var entries []Entry
	for i, id := range ids {
		e := point(uint32(i), uint64(i+1), 20)
		e.ID = id
		entries = append(entries, e)
	}
	require.NoError(t, s.Write(entries))
	requireHolds(t, s, entries)
	for i, id := range ids {
		slot, ok, err := s.Find(all(5), id)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, uint32(i), slot)
	}
	_, ok, err := s.Find(all(6), 77)
	require.NoError(t, err)
	require.False(t, ok)
}

func TestOneWriteMayJumpBetweenSlotsAndChunks(t *testing.T) {
	s := open(t, disk(t), config(), 0)
	require.NoError(t, s.Reserve(1000))
	var want []Entry
	for _, slot := range []uint32{0, 1, 2, 62, 63, 64, 65, 999, 500, 501, 10} {
		want = append(want, point(slot, 3, 20))
	}
	require.NoError(t, s.Write(want))
	requireHolds(t, s, want)
}

func TestALongRunIsWrittenInPieces(t *testing.T) {
	cfg := Config{Dim: 5000, Metric: kernel.L2, UUID: testUUID}
	s := open(t, disk(t), cfg, 0)
	requireHolds(t, s, fill(t, s, 0, 200, 1))
}

func TestASlotMayBeUsedAgain(t *testing.T) {
	s := open(t, disk(t), config(), 0)
	first := fill(t, s, 0, 100, 1)
	second := points(20, 40, 2, 20)
	require.NoError(t, s.Write(second))
	requireHolds(t, s, first[:20])
	requireHolds(t, s, second)
	requireHolds(t, s, first[40:])
}

func TestWriteRefusesWhatHasNoPlace(t *testing.T) {
	s := open(t, disk(t), config(), 0)
	fill(t, s, 0, 10, 1)
	require.Error(t, s.Write(points(s.Reserved(), s.Reserved()+1, 1, 20)))
	require.Error(t, s.Write(points(0, 1, 1, 21)))
	require.Error(t, s.Check([]uint32{s.Reserved()}))
}

func TestTheFilesChunkSizeGoesBeforeTheDefault(t *testing.T) {
	dir := disk(t)
	s := open(t, dir, config(), 0)
	want := fill(t, s, 0, 200, 1)
	require.NoError(t, s.Close())
	cfg := config()
	cfg.ChunkSlots = 0
	requireHolds(t, open(t, dir, cfg, 200), want)
}

func TestASmallCollectionIsSmallOnDisk(t *testing.T) {
	if wholeFiles {
		t.Skip("files are made whole")
	}
	dir := disk(t)
	s := open(t, dir, Config{Dim: 384, UUID: testUUID}, 0)
	fill(t, s, 0, 5, 1)
	require.LessOrEqual(t, onDisk(t, dir), int64(64<<10))
}

func TestManyChunksNeedFewDescriptors(t *testing.T) {
	dir := disk(t)
	cfg := config()
	cfg.ChunkSlots = 1
	s := open(t, dir, cfg, 0)
	want := fill(t, s, 0, 120, 1)
	require.LessOrEqual(t, len(s.handles), maxHandles)
	requireHolds(t, s, want)
	require.NoError(t, s.Sync())
	require.LessOrEqual(t, len(s.handles), idleHandles)
	want = points(0, 120, 2, 20)
	require.NoError(t, s.Write(want))
	require.NoError(t, s.Sync())
	require.NoError(t, s.Close())
	s = open(t, dir, cfg, 120)
	require.Empty(t, s.handles)
	requireHolds(t, s, want)
}

func TestScansMeetTheLiveSlotsOfTheirRange(t *testing.T) {
	s := open(t, disk(t), config(), 0)
	entries := fill(t, s, 0, 200, 1)
	var live bitmap.Set
	var want []uint64
	sum := uint64(0)
	for slot := uint32(0); slot < 200; slot += 3 {
		live.Add(slot)
		sum += s.Hash(slot)
		if slot >= 10 && slot < 150 {
			want = append(want, entries[slot].ID)
		}
	}
	live.Add(5000) // beyond what is there
	var got []uint64
	require.NoError(t, s.ScanIDs(&live, 10, 150, func(slot uint32, id uint64) bool {
		got = append(got, id)
		return true
	}))
	require.Equal(t, want, got)
	digest, err := s.Digest(&live)
	require.NoError(t, err)
	require.Equal(t, sum, digest)
	n := 0
	require.NoError(t, s.ScanIDs(&live, 0, math.MaxUint32, func(uint32, uint64) bool { n++; return n < 7 }))
	require.Equal(t, 7, n)
}

func TestSteadyWritesAndChecksAllocateNothing(t *testing.T) {
	s := open(t, disk(t), config(), 0)
	batch := fill(t, s, 0, 60, 1)
	slots := []uint32{3, 1, 59}
	require.Zero(t, testing.AllocsPerRun(20, func() { _ = s.Write(batch) }))
	require.Zero(t, testing.AllocsPerRun(20, func() { _ = s.Check(slots) }))
	require.Zero(t, testing.AllocsPerRun(20, func() { _ = s.Reserve(60) }))
}

func TestD05_D08_AClosedStoreIsGone(t *testing.T) {
	count := func() int {
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("no /proc")
		}
		return len(fds)
	}
	dir := disk(t)
	before := 0
	for round := range 20 {
		s, err := Open(dir, config(), uint32(min(round, 1)*100))
		require.NoError(t, err)
		fill(t, s, 0, 100, uint64(round+1))
		require.NoError(t, s.Close())
		require.NoError(t, s.Close())
		require.Error(t, s.Write(points(0, 1, 1, 20)))
		require.Error(t, s.Reserve(1000))
		require.Error(t, s.Sync())
		if round == 1 {
			before = count()
		}
	}
	require.LessOrEqual(t, count(), before)
}

// Readers of slots that are live, a writer of others, fsyncs and the copying of
// codes, all at once: for the race detector and for I2.
func TestI2_ReadersWritersAndCopyingDoNotMeet(t *testing.T) {
	for what, dir := range map[string]vfs.FS{"disk": disk(t), "memory": vfs.NewMem()} {
		t.Run(what, func(t *testing.T) {
			s := open(t, dir, config(), 0)
			s.warmMin = 0
			want := fill(t, s, 0, 100, 1)
			live := all(100)
			stop := make(chan struct{})
			var others sync.WaitGroup
			loop := func(fn func() error) {
				others.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
						}
						if err := fn(); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			loop(func() error {
				_, err := s.Digest(live)
				return err
			})
			loop(func() error {
				rows := s.Codes()
				for slot := range uint32(100) {
					if rows.Bytes(slot)[0] != s.Codes().Bytes(slot)[0] {
						t.Error("codes changed")
					}
				}
				_, err := s.Vector(99, nil)
				return err
			})
			loop(s.Sync)
			loop(func() error { return s.Warm(t.Context()) })
			for round := range uint64(30) {
				fill(t, s, 100, 100+uint32(round+1)*20, round+2)
			}
			close(stop)
			others.Wait()
			requireHolds(t, s, want)
			requireHolds(t, s, points(100, 700, 31, 20))
		})
	}
}
