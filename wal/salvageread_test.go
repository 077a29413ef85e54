package wal

import (
	"bytes"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/vfs"
)

// unreadable is mem with a byte of a file that no read gets past.
func unreadable(mem *vfs.Mem, name string, bad int64) *vfs.Inject {
	return vfs.NewInject(mem, &vfs.Fault{Ops: []vfs.Op{vfs.OpRead}, Glob: name, Err: syscall.EIO,
		When: func(c vfs.Call) bool { return c.Off <= bad && bad < c.Off+c.Len }})
}

// A sector that cannot be read in the middle of a large record costs that record.
func TestSalvageOfALargeRecordThatCannotBeRead(t *testing.T) {
	opts := Options{UUID: testUUID, Foreground: true}
	mem := vfs.NewMem()
	require.NoError(t, Create(mem, opts))
	l, _, err := Open(mem, opts, 0, none)
	require.NoError(t, err)
	_, err = l.Append(1, []byte("small"))
	require.NoError(t, err)
	_, err = l.Append(1, bytes.Repeat([]byte{7}, 1<<20))
	require.NoError(t, err)
	require.NoError(t, l.Close())

	segs, _, err := listSegments(mem)
	require.NoError(t, err)
	const bad = headerBlock + 600<<10
	broken := unreadable(mem, segs[len(segs)-1].name, bad)
	var found []Finding
	n := 0
	sum, err := Salvage(t.Context(), broken, opts.UUID, 0, func(Record) error { n++; return nil }, func(f Finding) { found = append(found, f) })
	require.NoError(t, err)
	require.NotEmpty(t, found)
	require.Equal(t, 1, n)
	require.True(t, sum.NoEnd, "what is behind the last whole record cannot be read")
}

// One sector costs the records that are in it, and what is lost is said.
func TestSalvageGoesOnBehindASectorThatCannotBeRead(t *testing.T) {
	opts := Options{UUID: testUUID, Foreground: true}
	mem := vfs.NewMem()
	require.NoError(t, Create(mem, opts))
	l, _, err := Open(mem, opts, 0, none)
	require.NoError(t, err)
	for range 10 {
		_, err = l.Append(1, bytes.Repeat([]byte{7}, 4000))
		require.NoError(t, err)
	}
	require.NoError(t, l.Close())
	segs, _, err := listSegments(mem)
	require.NoError(t, err)
	require.Len(t, segs, 1)
	const bad = headerBlock + 5*4096
	broken := unreadable(mem, segs[0].name, bad)
	var found []Finding
	var got []uint64
	sum, err := Salvage(t.Context(), broken, opts.UUID, 0, func(r Record) error { got = append(got, r.LSN); return nil }, func(f Finding) { found = append(found, f) })
	require.NoError(t, err)
	require.NotEmpty(t, found)
	require.True(t, len(got) == 10 || sum.Lost > 0 || sum.NoEnd, "records are lost, and nothing of the sum says so")
	require.GreaterOrEqual(t, len(got), 8)
}

// The last segment's header cannot be read: what is in it is lost.
func TestSalvageOfALastSegmentWithoutItsHeader(t *testing.T) {
	opts := small()
	mem := written(t, 200, opts)
	segs, _, err := listSegments(mem)
	require.NoError(t, err)
	broken := vfs.NewInject(mem, &vfs.Fault{Ops: []vfs.Op{vfs.OpRead}, Glob: segs[len(segs)-1].name, Err: syscall.EIO})
	n := 0
	sum, err := Salvage(t.Context(), broken, opts.UUID, 0, func(Record) error { n++; return nil }, func(Finding) {})
	require.NoError(t, err)
	require.Less(t, n, 200)
	require.True(t, sum.NoEnd, "%d records of 200, and the sum is %+v", n, sum)
}
