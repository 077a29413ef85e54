package wal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/vfs"
)

// written makes a log of records that are all durable, but for the last, of which
// no frame says so; the process is gone without Close.
func written(t testing.TB, records int, opts Options) *vfs.Mem {
	t.Helper()
	mem := vfs.NewMem()
	require.NoError(t, Create(mem, opts))
	l, _, err := Open(mem, opts, 0, none)
	require.NoError(t, err)
	for i := range records {
		lsn, err := l.Append(1, payloadOf(uint64(i+1)))
		require.NoError(t, err)
		require.NoError(t, l.Sync(lsn))
	}
	left := mem.Crash(1, vfs.Crash{})
	require.NoError(t, l.Close())
	return left
}

func none(Record) error { return nil }

// payloadOf returns what record lsn holds.
func payloadOf(lsn uint64) []byte {
	r := rand.New(rand.NewPCG(lsn, 3))
	b := make([]byte, 20+r.IntN(60))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// bytesOf and setBytes read and replace a file.
func bytesOf(t testing.TB, fsys vfs.FS, name string) []byte {
	t.Helper()
	f, err := fsys.Open(name)
	require.NoError(t, err)
	size, err := f.Size()
	require.NoError(t, err)
	b := make([]byte, size)
	if _, err = f.ReadAt(b, 0); !errors.Is(err, io.EOF) {
		require.NoError(t, err)
	}
	require.NoError(t, f.Close())
	return b
}

func setBytes(t testing.TB, fsys vfs.FS, name string, b []byte) {
	t.Helper()
	f, err := fsys.OpenRW(name)
	if err != nil {
		f, err = fsys.Create(name)
	}
	require.NoError(t, err)
	require.NoError(t, f.Truncate(0))
	_, err = f.WriteAt(b, 0)
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	require.NoError(t, f.Close())
}

// files returns everything in the folder, by name.
func files(t testing.TB, fsys vfs.FS) map[string]string {
	t.Helper()
	entries, err := fsys.List(".")
	require.NoError(t, err)
	all := map[string]string{}
	for _, e := range entries {
		if e.Regular {
			all[e.Name] = string(bytesOf(t, fsys, e.Name))
		}
	}
	return all
}

// recovered opens the log and returns how many records it has, each of which must
// be as it was written.
func recovered(t testing.TB, fsys vfs.FS, opts Options, after uint64) (*Log, Recovery, error) {
	t.Helper()
	next := after + 1
	return Open(fsys, opts, after, func(r Record) error {
		require.Equal(t, next, r.LSN)
		require.Equal(t, payloadOf(r.LSN), r.Payload)
		next++
		return nil
	})
}

// requireRefused asserts that the log is refused for damage, with its place, and
// that nothing was written.
func requireRefused(t testing.TB, fsys vfs.FS, opts Options, what string) {
	t.Helper()
	before := files(t, fsys)
	_, _, err := recovered(t, fsys, opts, 0)
	require.ErrorIs(t, err, codec.ErrCorrupt, what)
	require.Regexp(t, `wal [0-9a-f]{16}\.wal.*`, err.Error(), what)
	require.Equal(t, before, files(t, fsys), what)
}

// requireUsable asserts that the log takes and keeps one more record.
func requireUsable(t testing.TB, fsys vfs.FS, l *Log, opts Options, what string) {
	t.Helper()
	lsn, err := l.Append(1, payloadOf(l.Last()+1))
	require.NoError(t, err, what)
	require.NoError(t, l.Close(), what)
	l, rec, err := recovered(t, fsys, opts, 0)
	require.NoError(t, err, what)
	require.Equal(t, lsn, rec.LastLSN, what)
	require.NoError(t, l.Close())
}

// frames returns where each frame of a segment begins, and where the last one ends.
func frames(t testing.TB, fsys vfs.FS, name string, opts Options) (starts []int64, end int64) {
	t.Helper()
	first, ok := parseName(name)
	require.True(t, ok)
	seg := &segment{header: header{first: first}, name: name}
	s, err := openSegment(fsys, seg, opts.UUID)
	require.NoError(t, err)
	defer s.close()
	require.NoError(t, s.frames(1<<40, func(frame, []byte) error {
		starts = append(starts, seg.end)
		return nil
	}))
	return starts, seg.end
}

const firstSegment = "0000000000000001.wal"

func oneSegment() Options { return Options{UUID: testUUID, Foreground: true} }

func TestC01_GarbageBehindTheLastRecordIsCutOffAndKeptAside(t *testing.T) {
	for _, n := range []int{1, 8, 33, 512, 4096, 20_000, 64 << 10} {
		disk := written(t, 10, oneSegment())
		data := bytesOf(t, disk, firstSegment)
		_, end := frames(t, disk, firstSegment, oneSegment())
		garbage := make([]byte, n)
		r := rand.New(rand.NewPCG(uint64(n), 1))
		for i := range garbage {
			garbage[i] = byte(1 + r.IntN(255))
		}
		data = append(data[:end], garbage...)
		setBytes(t, disk, firstSegment, data)
		l, rec, err := recovered(t, disk, oneSegment(), 0)
		require.NoError(t, err)
		require.Equal(t, uint64(10), rec.LastLSN)
		require.Equal(t, int64(n), rec.TornBytes)
		require.True(t, bytes.Equal(garbage, bytesOf(t, disk, rec.TornFile)))
		requireUsable(t, disk, l, oneSegment(), fmt.Sprint(n))
	}
}

func TestC02_ALastBatchCutAtAnyByteIsAbsentAndTheRestIsThere(t *testing.T) {
	base := written(t, 6, oneSegment())
	data := bytesOf(t, base, firstSegment)
	starts, end := frames(t, base, firstSegment, oneSegment())
	last := starts[5]
	for cut := last; cut < end; cut++ {
		for what, torn := range map[string][]byte{
			"the file ends there": data[:cut],
			"zeros from there":    append(append([]byte(nil), data[:cut]...), make([]byte, len(data)-int(cut))...),
		} {
			disk := base.Crash(1, vfs.Crash{})
			setBytes(t, disk, firstSegment, torn)
			what = fmt.Sprintf("%s: offset %d", what, cut)
			l, rec, err := recovered(t, disk, oneSegment(), 0)
			require.NoError(t, err, what)
			require.Equal(t, uint64(5), rec.LastLSN, what)
			requireUsable(t, disk, l, oneSegment(), what)
		}
	}
}

func TestC03_C04_EveryFlippedBitOfADurableRecordIsDamage(t *testing.T) {
	base := written(t, 5, oneSegment())
	data := bytesOf(t, base, firstSegment)
	starts, _ := frames(t, base, firstSegment, oneSegment())
	flips := 0
	for at := starts[0]; at < starts[4]; at++ { // the last frame says that the four before it are durable
		for bit := range 8 {
			disk := base.Crash(1, vfs.Crash{})
			changed := bytes.Clone(data)
			changed[at] ^= 1 << bit
			setBytes(t, disk, firstSegment, changed)
			requireRefused(t, disk, oneSegment(), fmt.Sprintf("byte %d, bit %d", at, bit))
			flips++
		}
	}
	t.Logf("%d flips", flips)
}

func TestC04_AFlipInASegmentThatHasASuccessorIsDamage(t *testing.T) {
	base := written(t, 200, small())
	data := bytesOf(t, base, firstSegment)
	_, end := frames(t, base, firstSegment, small())
	for at := int64(headerBlock); at < end; at += 7 {
		disk := base.Crash(1, vfs.Crash{})
		changed := bytes.Clone(data)
		changed[at] ^= 0x10
		setBytes(t, disk, firstSegment, changed)
		requireRefused(t, disk, small(), fmt.Sprintf("byte %d", at))
	}
}

func TestC05_AnyLengthFieldIsDamageAndCostsNoMemory(t *testing.T) {
	base := written(t, 5, oneSegment())
	data := bytesOf(t, base, firstSegment)
	starts, _ := frames(t, base, firstSegment, oneSegment())
	h, err := decodeHeader(data[:headerBlock], testUUID)
	require.NoError(t, err)
	for _, length := range []uint32{0, 1, 1 << 16, MaxRecord - 1, MaxRecord, MaxRecord + 1, 1 << 31, 1<<32 - 1, uint32(len(data))} {
		for _, sealed := range []bool{false, true} {
			for _, at := range []int64{starts[0], starts[2]} {
				changed := bytes.Clone(data)
				binary.LittleEndian.PutUint32(changed[at:], length)
				if sealed { // a head that is whole, and lies
					binary.LittleEndian.PutUint32(changed[at+28:], codec.CRCUpdate(h.seed, changed[at:at+28]))
				}
				disk := base.Crash(1, vfs.Crash{})
				setBytes(t, disk, firstSegment, changed)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				_, _, err := Open(disk, oneSegment(), 0, none)
				runtime.ReadMemStats(&after)
				require.ErrorIs(t, err, codec.ErrCorrupt)
				require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4*len(data)+1<<20), "length %d", length)
			}
		}
	}
}

// segments returns the names of all segments of a log of several.
func segments(t testing.TB, disk *vfs.Mem) (names []string) {
	t.Helper()
	all, _, err := listSegments(disk)
	require.NoError(t, err)
	require.Greater(t, len(all), 3)
	for _, s := range all {
		names = append(names, s.name)
	}
	return names
}

func TestC06_SegmentsMissingExchangedOrTwiceAreDamage(t *testing.T) {
	base := written(t, 300, small())
	names := segments(t, base)
	change := map[string]func(d *vfs.Mem){
		"the first one missing": func(d *vfs.Mem) { require.NoError(t, d.Remove(names[0])) },
		"a middle one missing":  func(d *vfs.Mem) { require.NoError(t, d.Remove(names[1])) },
		"two exchanged": func(d *vfs.Mem) {
			a, b := bytesOf(t, d, names[1]), bytesOf(t, d, names[2])
			setBytes(t, d, names[1], b)
			setBytes(t, d, names[2], a)
		},
		"one under two names":          func(d *vfs.Mem) { setBytes(t, d, names[2], bytesOf(t, d, names[1])) },
		"one under a name in between":  func(d *vfs.Mem) { setBytes(t, d, segmentName(3), bytesOf(t, d, names[1])) },
		"an empty one":                 func(d *vfs.Mem) { setBytes(t, d, names[1], nil) },
		"an empty one behind the last": func(d *vfs.Mem) { setBytes(t, d, segmentName(1<<40), nil) },
		"a header cut short":           func(d *vfs.Mem) { setBytes(t, d, names[1], bytesOf(t, d, names[1])[:60]) },
		"one cut in half":              func(d *vfs.Mem) { b := bytesOf(t, d, names[1]); setBytes(t, d, names[1], b[:len(b)/2]) },
	}
	for what, do := range change {
		disk := base.Crash(1, vfs.Crash{})
		do(disk)
		before := files(t, disk)
		_, _, err := recovered(t, disk, small(), 0)
		require.ErrorIs(t, err, codec.ErrCorrupt, what)
		require.Equal(t, before, files(t, disk), what)
	}
}

func TestC07_ASegmentOfAnotherCollectionIsDamage(t *testing.T) {
	opts := small()
	opts.UUID[3] = 9
	foreign := written(t, 300, opts)
	disk := written(t, 300, small())
	names := segments(t, disk)
	for _, name := range names {
		d := disk.Crash(1, vfs.Crash{})
		setBytes(t, d, name, bytesOf(t, foreign, name))
		requireRefused(t, d, small(), name)
	}
}

func TestC08_ZerosBehindTheEndAreNoneInTheMiddleTheyAreDamage(t *testing.T) {
	base := written(t, 5, oneSegment())
	data := bytesOf(t, base, firstSegment)
	starts, end := frames(t, base, firstSegment, oneSegment())
	for _, more := range []int{0, 1, 4096, 1 << 20} {
		disk := base.Crash(1, vfs.Crash{})
		setBytes(t, disk, firstSegment, append(bytes.Clone(data[:end]), make([]byte, more)...))
		l, rec, err := recovered(t, disk, oneSegment(), 0)
		require.NoError(t, err)
		require.Equal(t, uint64(5), rec.LastLSN)
		require.Zero(t, rec.TornBytes)
		requireUsable(t, disk, l, oneSegment(), "zeros behind")
	}
	for i := range 4 {
		disk := base.Crash(1, vfs.Crash{})
		changed := bytes.Clone(data)
		clear(changed[starts[i]:starts[i+1]])
		setBytes(t, disk, firstSegment, changed)
		requireRefused(t, disk, oneSegment(), fmt.Sprintf("record %d", i+1))
	}
}

func TestC15_ASegmentOfANewerVersionIsRefusedAndNothingIsWritten(t *testing.T) {
	disk := written(t, 5, oneSegment())
	data := bytesOf(t, disk, firstSegment)
	newer := codec.Header{Magic: magic, Version: version + 1, UUID: testUUID}.AppendTo(nil)
	setBytes(t, disk, firstSegment, append(newer, data[len(newer):]...))
	before := files(t, disk)
	_, _, err := recovered(t, disk, oneSegment(), 0)
	require.ErrorIs(t, err, codec.ErrVersion)
	require.ErrorContains(t, err, "version 2, this program reads up to 1")
	require.Equal(t, before, files(t, disk))
}

func TestC18_OtherFilesAndFoldersAreNeverTakenForSegments(t *testing.T) {
	disk := written(t, 5, oneSegment())
	for _, name := range []string{"next.tmp", "0000000000000001.wal.tmp", ".0000000000000003.wal", "0000000000000003.wal~", "3.wal",
		"000000000000000A.wal", "0000000000000000.wal", "README", "0000000000000003.repair"} {
		setBytes(t, disk, name, []byte("not a segment"))
	}
	require.NoError(t, disk.Mkdir("00000000000000ff.wal"))
	l, rec, err := recovered(t, disk, oneSegment(), 0)
	require.NoError(t, err)
	require.Equal(t, uint64(5), rec.LastLSN)
	require.NoError(t, l.Close())
	there := files(t, disk)
	require.NotContains(t, there, "next.tmp")
	require.Contains(t, there, "README")
	require.Contains(t, there, "3.wal")
}

func TestAReadOnlyLogWritesNothingWhateverItFinds(t *testing.T) {
	disk := written(t, 5, oneSegment())
	data := bytesOf(t, disk, firstSegment)
	_, end := frames(t, disk, firstSegment, oneSegment())
	data[end+3] = 7
	setBytes(t, disk, firstSegment, data)
	setBytes(t, disk, "next.tmp", data)
	before := files(t, disk)
	opts := oneSegment()
	opts.ReadOnly = true
	l, rec, err := recovered(t, disk, opts, 0)
	require.NoError(t, err)
	require.Equal(t, int64(4), rec.TornBytes)
	_, err = l.Append(1, nil)
	require.ErrorIs(t, err, ErrReadOnly)
	require.ErrorIs(t, l.Advance(3), ErrReadOnly)
	require.NoError(t, l.Close())
	require.Equal(t, before, files(t, disk))
}
