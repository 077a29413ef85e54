package vecfile

import (
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/vfs"
)

// shared returns a store of which each run is one slot, with room for 400, and the
// disk under it.
func shared(t *testing.T) (*Store, *vfs.Inject) {
	t.Helper()
	inject := vfs.NewInject(vfs.NewMem())
	cfg := config()
	cfg.RunBytes = 1
	s := open(t, inject, cfg, 0)
	require.NoError(t, s.Reserve(400))
	return s, inject
}

// untouched spoils entries that nobody may look at any more: if somebody does, the
// race detector says so, or the slots.
func untouched(entries []Entry) {
	for i := range entries {
		clear(entries[i].Vector)
		entries[i] = Entry{Slot: math.MaxUint32}
	}
}

func TestALargeBatchIsWrittenBesideWhatComesFirstAndASmallOneAfterIt(t *testing.T) {
	s, disk := shared(t)
	some := make(chan struct{})
	disk.Add(&vfs.Fault{Ops: []vfs.Op{vfs.OpWrite}, Skip: 20, Hit: func(_ vfs.Call, n int) {
		if n == 1 {
			close(some)
		}
	}})
	require.NoError(t, s.WriteBeside(points(0, 200, 1, 20), func() error {
		<-some // or this never ends
		return nil
	}))
	requireHolds(t, s, points(0, 200, 1, 20))
	before := disk.Calls(vfs.OpWrite)
	require.NoError(t, s.WriteBeside(points(200, 202, 1, 20), func() error {
		require.Equal(t, before, disk.Calls(vfs.OpWrite))
		return nil
	}))
	requireHolds(t, s, points(0, 202, 1, 20))
}

func TestTheSlotsOfALargeBatchHoldNobodyUpUntilTheirLogIsWritten(t *testing.T) {
	s, disk := shared(t)
	written := make(chan struct{})
	disk.Add(&vfs.Fault{Ops: []vfs.Op{vfs.OpWrite}, Hit: func(_ vfs.Call, n int) {
		if n == 200*int(kinds) {
			close(written)
		}
	}})
	require.NoError(t, s.WriteBeside(points(0, 200, 1, 20), func() error {
		<-written
		return s.Sync() // a checkpoint: it must not wait for the log
	}))
	requireHolds(t, s, points(0, 200, 1, 20))
}

func TestNothingOfALargeBatchIsTouchedAfterWhatComesFirstFailed(t *testing.T) {
	refused := errors.New("refused")
	for range 50 {
		s, _ := shared(t)
		entries := points(0, 300, 1, 20)
		require.ErrorIs(t, s.WriteBeside(entries, func() error { return refused }), refused)
		untouched(entries)
		require.NoError(t, s.Write(points(0, 300, 2, 20)), "the slots may be written again")
		requireHolds(t, s, points(0, 300, 2, 20))
		require.NoError(t, s.Sync())
		require.NoError(t, s.Close())
	}
}

func TestNothingIsLockedOrTouchedAfterAPanicBesideALargeBatch(t *testing.T) {
	for range 50 {
		s, _ := shared(t)
		entries := points(0, 300, 1, 20)
		require.PanicsWithValue(t, "broken", func() {
			_ = s.WriteBeside(entries, func() error { panic("broken") })
		})
		untouched(entries)
		require.NoError(t, s.Sync())
		require.NoError(t, s.Write(points(0, 300, 2, 20)))
		requireHolds(t, s, points(0, 300, 2, 20))
		require.NoError(t, s.Close())
	}
}

func TestB06_ASharedWriteThatTheDiskRefusesSaysSo(t *testing.T) {
	for skip := range 5 {
		s, disk := shared(t)
		f := &vfs.Fault{Ops: []vfs.Op{vfs.OpWrite}, Skip: 40 * skip, Count: 1, Err: errDisk}
		disk.Add(f)
		entries := points(0, 300, 1, 20)
		require.ErrorIs(t, s.Write(entries), errDisk)
		untouched(entries)
		require.Equal(t, 1, disk.Hits(f))
		require.NoError(t, s.Write(points(0, 300, 2, 20)))
		requireHolds(t, s, points(0, 300, 2, 20))
		require.NoError(t, s.Close())
	}
}

func TestI6_NothingIsWrittenBesideALogOnceTheStoreHasFailed(t *testing.T) {
	s, disk := shared(t)
	require.NoError(t, s.Write(points(0, 1, 1, 20)))
	disk.Add(&vfs.Fault{Ops: []vfs.Op{vfs.OpSync}, Count: 1, Err: errDisk})
	require.ErrorIs(t, s.Sync(), vfs.ErrFailed)
	before := disk.Calls(vfs.OpWrite)
	require.ErrorIs(t, s.WriteBeside(points(0, 300, 1, 20), func() error { return nil }), vfs.ErrFailed)
	require.Equal(t, before, disk.Calls(vfs.OpWrite))
}

func TestTheStoreIsLockedUntilBothWhoShareAWriteHaveEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, disk := shared(t)
		led, lead, caller := make(chan struct{}), make(chan struct{}), make(chan struct{})
		disk.Add(&vfs.Fault{Ops: []vfs.Op{vfs.OpWrite}, Glob: "*.vec", Hit: func(_ vfs.Call, n int) {
			switch n {
			case 1:
				close(led)
				<-lead
			case 3:
				<-caller
			}
		}})
		done := make(chan error)
		go func() {
			done <- s.WriteBeside(points(0, 3, 1, 20), func() error {
				<-led // it has the first run
				return nil
			})
		}()
		synctest.Wait() // the caller has written the second and has the third
		close(lead)
		synctest.Wait() // nothing is left for lead
		if s.mu.TryLock() {
			s.mu.Unlock()
			t.Error("a Sync would take its files")
		}
		close(caller)
		require.NoError(t, <-done)
		requireHolds(t, s, points(0, 3, 1, 20))
		require.NoError(t, s.Close())
	})
}

func TestNoFileIsClosedWhileOneOfTwoWritesToIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inject := vfs.NewInject(vfs.NewMem())
		cfg := config()
		cfg.RunBytes, cfg.ChunkSlots = 1, 1
		s := open(t, inject, cfg, 0)
		const n = 3 * maxHandles
		require.NoError(t, s.Reserve(n))
		for _, f := range []string{"*.vec", "*.code", "*.side"} {
			f := &vfs.Fault{Ops: []vfs.Op{vfs.OpWrite}, Glob: f, Count: 1, Delay: time.Second} // the other does all the rest meanwhile
			inject.Add(f)
			require.NoError(t, s.Write(points(0, n, 2, 20)))
			require.Equal(t, 1, inject.Hits(f))
			requireHolds(t, s, points(0, n, 2, 20))
		}
		require.NoError(t, s.Sync())
		require.NoError(t, s.Close())
	})
}
