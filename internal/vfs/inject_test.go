package vfs

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

var errDisk = errors.New("disk error")

func TestAFaultStrikesByKindNameAndCount(t *testing.T) {
	fault := &Fault{Ops: []Op{OpWrite}, Glob: "*.wal", Skip: 1, Count: 2, Err: errDisk}
	in := NewInject(NewMem(), fault)
	require.NoError(t, in.Mkdir("d"))
	sub, err := in.Sub("d")
	require.NoError(t, err)
	a, b := create(t, sub, "a.wal"), create(t, sub, "b")
	var errs []error
	for range 4 {
		_, err := a.WriteAt([]byte("x"), 0)
		errs = append(errs, err)
		write(t, b, 0, "x")
	}
	require.Equal(t, []error{nil, errDisk, errDisk, nil}, errs)
	require.Equal(t, 2, in.Hits(fault))
	require.Equal(t, 8, in.Calls(OpWrite))
	in.Clear()
	write(t, a, 0, "x")
}

func TestB06_AShortWriteWritesAPartAndFails(t *testing.T) {
	m := NewMem()
	in := NewInject(m, &Fault{Ops: []Op{OpWrite}, Err: errDisk, Short: func(n int) int { return n / 2 }})
	f := create(t, in, "a")
	n, err := f.WriteAt([]byte("abcd"), 0)
	require.Equal(t, 2, n)
	require.ErrorIs(t, err, errDisk)
	require.Equal(t, "ab", content(t, m, "a"))
}

func TestB01_AnInjectedFsyncErrorIsErrFailedAsARealOneIs(t *testing.T) {
	in := NewInject(NewMem(), &Fault{Ops: []Op{OpSync, OpSyncData, OpSyncDir}, Err: errDisk})
	f := create(t, in, "a")
	for _, err := range []error{f.Sync(), f.SyncData(), in.SyncDir(".")} {
		require.ErrorIs(t, err, ErrFailed)
		require.ErrorIs(t, err, errDisk)
	}
}

func TestHooksSeeEveryOperation(t *testing.T) {
	in := NewInject(NewMem())
	var before, after []string
	in.Before(func(c Call) { before = append(before, c.Op.String()+" "+c.Name) })
	in.After(func(c Call, err error) {
		require.NoError(t, err)
		after = append(after, c.Op.String()+" "+c.Name)
	})
	f := create(t, in, "a")
	write(t, f, 0, "x")
	require.NoError(t, f.SyncData())
	require.NoError(t, in.Rename("a", "b"))
	_, err := f.Map(0, 1, MapRead)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.Equal(t, []string{"create a", "write a", "sync data a", "rename a", "map a", "close a"}, before)
	require.Equal(t, before, after)
	for op := range opCount {
		require.NotEmpty(t, op.String())
	}
	require.True(t, OpAllocate.Mutates())
	require.False(t, OpOpen.Mutates())
}
