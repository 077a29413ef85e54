package vecfile

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/vfs"
)

var errDisk = errors.New("input/output error")

// injected returns a folder in memory with a store of 60 slots, synced.
func injected(t *testing.T) (*vfs.Inject, *Store, []Entry) {
	t.Helper()
	inject := vfs.NewInject(vfs.NewMem())
	s := open(t, inject, config(), 0)
	want := fill(t, s, 0, 60, 1)
	require.NoError(t, s.Sync())
	return inject, s, want
}

func TestB04_B11_NoStepOfReservingHarmsWhatIsThere(t *testing.T) {
	for _, c := range []struct {
		op   vfs.Op
		err  error
		want error
	}{
		{vfs.OpCreate, vfs.ErrNoSpace, vfs.ErrNoSpace},
		{vfs.OpAllocate, vfs.ErrNoSpace, vfs.ErrNoSpace},
		{vfs.OpWrite, vfs.ErrNoSpace, vfs.ErrNoSpace},
		{vfs.OpMap, errors.New("cannot allocate memory"), nil},
		{vfs.OpCreate, errDisk, errDisk},
		{vfs.OpAllocate, errDisk, errDisk},
		{vfs.OpStat, errDisk, errDisk},
	} {
		for skip := range 4 {
			t.Run(fmt.Sprintf("%s %d %v", c.op, skip, c.err), func(t *testing.T) {
				inject, s, want := injected(t)
				fault := &vfs.Fault{Ops: []vfs.Op{c.op}, Skip: skip, Err: c.err}
				inject.Add(fault)
				err := s.Reserve(400)
				if inject.Hits(fault) > 0 {
					require.Error(t, err)
					if c.want != nil {
						require.ErrorIs(t, err, c.want)
					}
					require.Less(t, s.Reserved(), uint32(400))
				}
				requireHolds(t, s, want)
				inject.Clear()
				if got := s.Reserved(); got > 60 {
					require.NoError(t, s.Write(points(60, got, 2, 20)), "what is reserved is usable")
				}
				requireHolds(t, s, fill(t, s, 60, 400, 3))
				require.NoError(t, s.Sync())
				require.NoError(t, s.Close())
				requireHolds(t, open(t, inject, config(), 400), append(want, points(60, 400, 3, 20)...))
			})
		}
	}
}

func TestB04_AFullDiskIsAnErrorAndUsableOnceThereIsRoom(t *testing.T) {
	mem := vfs.NewMem()
	s := open(t, mem, config(), 0)
	fill(t, s, 0, 60, 1)
	mem.SetCapacity(mem.Used() + 40<<10)
	require.ErrorIs(t, s.Reserve(10_000), vfs.ErrNoSpace)
	n := s.Reserved()
	require.GreaterOrEqual(t, n, uint32(60))
	require.NoError(t, s.Write(points(0, n, 2, 20)), "no byte of a reserved slot needs room")
	require.NoError(t, s.Sync())
	mem.SetCapacity(0)
	requireHolds(t, s, fill(t, s, n, 1000, 3))
	requireHolds(t, s, points(0, n, 2, 20))
}

func TestB04_TheLastFreeBlocksAreUsed(t *testing.T) {
	mem := vfs.NewMem()
	cfg := config()
	cfg.ChunkSlots = 4096
	s := open(t, mem, cfg, 0)
	fill(t, s, 0, 1500, 1)
	n := s.Reserved()
	mem.SetCapacity(mem.Used() + 16<<10) // less than an extent
	require.NoError(t, s.Reserve(n+10))
	require.ErrorIs(t, s.Reserve(4096), vfs.ErrNoSpace)
}

func TestB01_B02_AFailedSyncIsFinalAndNotTriedAgain(t *testing.T) {
	for _, op := range []vfs.Op{vfs.OpSync, vfs.OpSyncDir} {
		t.Run(op.String(), func(t *testing.T) {
			inject, s, want := injected(t)
			fill(t, s, 60, 200, 2)
			inject.Add(&vfs.Fault{Ops: []vfs.Op{op}, Count: 1, Err: errDisk, Lose: true})
			require.ErrorIs(t, s.Sync(), vfs.ErrFailed)
			calls := inject.Calls(vfs.OpSync) + inject.Calls(vfs.OpSyncDir)
			require.ErrorIs(t, s.Sync(), vfs.ErrFailed)
			require.ErrorIs(t, s.Write(points(0, 1, 9, 20)), vfs.ErrFailed)
			require.ErrorIs(t, s.Reserve(1000), vfs.ErrFailed)
			requireHolds(t, s, want)
			require.NoError(t, s.Close())
			require.Equal(t, calls, inject.Calls(vfs.OpSync)+inject.Calls(vfs.OpSyncDir))
			requireHolds(t, open(t, inject, config(), 60), want)
		})
	}
}

func TestB02_AFileClosedForWantOfDescriptorsIsSyncedBefore(t *testing.T) {
	inject := vfs.NewInject(vfs.NewMem())
	cfg := config()
	cfg.ChunkSlots = 1
	s := open(t, inject, cfg, 0)
	inject.Add(&vfs.Fault{Ops: []vfs.Op{vfs.OpSync}, Glob: "00000000.*", Err: errDisk})
	require.ErrorIs(t, s.Reserve(120), vfs.ErrFailed)
	require.ErrorIs(t, s.Sync(), vfs.ErrFailed)
}

func TestB06_AWriteThatFailsIsAnError(t *testing.T) {
	inject, s, _ := injected(t)
	inject.Add(&vfs.Fault{Ops: []vfs.Op{vfs.OpWrite}, Skip: 1, Count: 1, Err: errDisk, Short: func(n int) int { return n / 2 }})
	require.ErrorIs(t, s.Write(points(0, 10, 2, 20)), errDisk)
	require.Error(t, s.Check([]uint32{3}), "what was half written does not count as checked")
	require.NoError(t, s.Write(points(0, 10, 3, 20)))
	requireHolds(t, s, points(0, 10, 3, 20))
}

func TestB09_NoDescriptorLeftIsAnError(t *testing.T) {
	inject, s, want := injected(t)
	require.NoError(t, s.Close())
	inject.Add(&vfs.Fault{Ops: []vfs.Op{vfs.OpOpen, vfs.OpOpenRW}, Skip: 2, Err: errors.New("too many open files")})
	_, err := Open(inject, config(), 60)
	require.ErrorContains(t, err, "too many open files")
	inject.Clear()
	requireHolds(t, open(t, inject, config(), 60), want)
}

// The caller syncs, then writes down how many slots there are: from then on a
// power cut takes none of them, whatever else was under way.
func TestA09_A10_A11_A13_WhatWasSyncedSurvivesAPowerCut(t *testing.T) {
	for _, c := range []vfs.Crash{{}, {Keep: 0.5}, {Keep: 0.5, Torn: 0.5, Garbage: 0.5}, {Keep: 0.9, Ordered: true}, {Keep: 1, Garbage: 0.2}} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			mem := vfs.NewMem()
			inject := vfs.NewInject(mem)
			acked, seed := []Entry{}, uint64(0)
			inject.After(func(call vfs.Call, _ error) {
				if seed++; call.Op.Mutates() {
					requireSurvives(t, mem.Crash(seed, c), acked, fmt.Sprintf("seed %d after %v", seed, call))
				}
			})
			s := open(t, inject, config(), 0)
			s.warmMin = 0
			require.NoError(t, s.Warm(context.Background()))
			for round := range uint32(8) {
				more := fill(t, s, round*23, round*23+23, uint64(round+1))
				require.NoError(t, s.Sync())
				acked = append(acked, more...)
			}
			require.Greater(t, seed, uint64(100))
		})
	}
}

// requireSurvives opens what a power cut left with what the checkpoint would say,
// and goes on writing over whatever else is there.
func requireSurvives(t *testing.T, dir vfs.FS, acked []Entry, when string) {
	t.Helper()
	n := uint32(len(acked))
	s, err := Open(dir, config(), n)
	require.NoError(t, err, when)
	defer s.Close()
	requireHolds(t, s, acked)
	require.Empty(t, findings(t, s, n), when)
	require.NoError(t, s.Reserve(n+100), when)
	again := points(n, n+100, 99, 20)
	require.NoError(t, s.Write(again), when)
	require.NoError(t, s.Sync(), when)
	require.NoError(t, s.Close())
	s, err = Open(dir, config(), n+100)
	require.NoError(t, err, when)
	defer s.Close()
	requireHolds(t, s, append(acked[:n:n], again...))
}
