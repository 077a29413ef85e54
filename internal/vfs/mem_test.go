package vfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func write(t *testing.T, f File, off int64, s string) {
	t.Helper()
	_, err := f.WriteAt([]byte(s), off)
	require.NoError(t, err)
}

func create(t *testing.T, d FS, name string) File {
	t.Helper()
	f, err := d.Create(name)
	require.NoError(t, err)
	return f
}

func content(t *testing.T, d FS, name string) string {
	t.Helper()
	f, err := d.Open(name)
	require.NoError(t, err)
	defer f.Close()
	size, err := f.Size()
	require.NoError(t, err)
	b := make([]byte, size)
	_, err = f.ReadAt(b, 0)
	require.NoError(t, err)
	return string(b)
}

func names(t *testing.T, d FS) []string {
	t.Helper()
	entries, err := d.List(".")
	require.NoError(t, err)
	var out []string
	for _, e := range entries {
		out = append(out, e.Name)
	}
	return out
}

func TestA09_WhatWasNotSyncedIsLostAndWhatWasIsThere(t *testing.T) {
	m := NewMem()
	f := create(t, m, "a")
	write(t, f, 0, "one")
	require.NoError(t, f.Sync())
	require.Empty(t, names(t, m.Crash(1, Crash{})), "the name was not synced")
	require.NoError(t, m.SyncDir("."))
	write(t, f, 3, "two")
	create(t, m, "b")
	require.Equal(t, []string{".", "a", "b"}, append(m.Unsynced(), "b"))
	c := m.Crash(1, Crash{})
	require.Equal(t, []string{"a"}, names(t, c))
	require.Equal(t, "one", content(t, c, "a"))
	require.Equal(t, "onetwo", content(t, m, "a"), "the disk that was cut goes on")
	all := m.Crash(1, Crash{Keep: 1})
	require.Equal(t, []string{"a", "b"}, names(t, all))
	require.NoError(t, f.SyncData())
	require.NoError(t, m.SyncDir("."))
	require.Empty(t, m.Unsynced())
	require.Equal(t, "onetwo", content(t, m.Crash(1, Crash{}), "a"))
}

func TestA10_UnsyncedPagesSurviveInAnyOrder(t *testing.T) {
	m := NewMem()
	f := create(t, m, "a")
	require.NoError(t, f.Allocate(0, 3*memPageSize))
	require.NoError(t, f.Sync())
	require.NoError(t, m.SyncDir("."))
	for i := range int64(3) {
		write(t, f, i*memPageSize, "x")
	}
	seen := map[string]bool{}
	for seed := range uint64(200) {
		s := content(t, m.Crash(seed, Crash{Keep: 0.5}), "a")
		seen[fmt.Sprint(s[0], s[memPageSize], s[2*memPageSize])] = true
	}
	require.Len(t, seen, 8)
}

func TestA11_OnlyBytesWrittenSinceTheSyncAreEverTornOrNoise(t *testing.T) {
	m := NewMem()
	f := create(t, m, "a")
	old := bytes.Repeat([]byte{7}, 2*memPageSize)
	write(t, f, 0, string(old))
	require.NoError(t, f.Sync())
	require.NoError(t, m.SyncDir("."))
	write(t, f, 300, string(bytes.Repeat([]byte{9}, 2000)))
	torn, noise := false, false
	for seed := range uint64(300) {
		s := content(t, m.Crash(seed, Crash{Keep: 0.3, Torn: 0.6, Garbage: 0.2}), "a")
		for i := range s {
			if i < 300 || i >= 2300 {
				require.EqualValues(t, 7, s[i], "byte %d of seed %d", i, seed)
			}
		}
		torn = torn || s[600] == 7 && s[2200] == 9
		noise = noise || s[600] != 7 && s[600] != 9
	}
	require.True(t, torn)
	require.True(t, noise)
}

func TestA14_ARenameMayBeThereWithoutItsContent(t *testing.T) {
	m := NewMem()
	require.NoError(t, AtomicWrite(m, "a", []byte("old")))
	f := create(t, m, "a.tmp")
	write(t, f, 0, "new")
	require.NoError(t, m.Rename("a.tmp", "a"))
	seen := map[string]int{}
	for seed := range uint64(200) {
		seen[content(t, m.Crash(seed, Crash{Keep: 0.5}), "a")]++
	}
	require.Contains(t, seen, "old")
	require.Contains(t, seen, "new")
	require.Contains(t, seen, "")
}

func TestA14_AtomicWriteIsOldOrNewAtEveryStep(t *testing.T) {
	m := NewMem()
	require.NoError(t, AtomicWrite(m, "a", []byte("old")))
	in := NewInject(m)
	cuts := 0
	in.Before(func(c Call) {
		if !c.Op.Mutates() {
			return
		}
		cuts++
		for seed := range uint64(50) {
			s := content(t, m.Crash(seed, Crash{Keep: 0.5, Torn: 0.3, Garbage: 0.3, Ordered: seed%2 == 0}), "a")
			require.Contains(t, []string{"old", "new"}, s)
		}
	})
	require.NoError(t, AtomicWrite(in, "a", []byte("new")))
	require.Equal(t, "new", content(t, m.Crash(1, Crash{}), "a"))
	require.GreaterOrEqual(t, cuts, 5)
}

func TestNamesThatAreOrderedSurviveAsAPrefix(t *testing.T) {
	m := NewMem()
	for i := range 5 {
		create(t, m, fmt.Sprint(i))
	}
	lengths := map[int]bool{}
	for seed := range uint64(100) {
		left := names(t, m.Crash(seed, Crash{Keep: 0.3, Ordered: true}))
		lengths[len(left)] = true
		for i, name := range left {
			require.Equal(t, fmt.Sprint(i), name)
		}
	}
	require.Len(t, lengths, 6)
}

func TestARenameBetweenFoldersIsSyncedAsOne(t *testing.T) {
	m := NewMem()
	require.NoError(t, m.Mkdir("from"))
	require.NoError(t, m.Mkdir("to"))
	require.NoError(t, m.SyncDir("."))
	f := create(t, m, "from/a")
	require.NoError(t, f.Sync())
	require.NoError(t, m.SyncDir("from"))
	create(t, m, "to/b")
	require.NoError(t, m.Rename("from/a", "to/a"))
	require.NoError(t, m.SyncDir("from"))
	c := m.Crash(1, Crash{})
	_, err := c.Stat("to/a")
	require.NoError(t, err)
	_, err = c.Stat("from/a")
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestAFailedFsyncLosesPagesThatALaterOneDoesNotBringBack(t *testing.T) {
	m := NewMem()
	in := NewInject(m, &Fault{Ops: []Op{OpSync}, Count: 1, Err: errors.New("io"), Lose: true})
	f := create(t, in, "a")
	require.NoError(t, m.SyncDir("."))
	write(t, f, 0, "x")
	write(t, f, memPageSize, "y")
	require.ErrorIs(t, f.Sync(), ErrFailed)
	write(t, f, memPageSize+1, "z")
	require.NoError(t, f.Sync())
	s := content(t, m.Crash(1, Crash{Keep: 1}), "a")
	require.Equal(t, "\x00", s[:1])
	require.Equal(t, "yz", s[memPageSize:])
	require.Equal(t, "x", content(t, m, "a")[:1], "until it is asked for again")
	require.NoError(t, f.DropCache())
	require.Equal(t, "\x00", content(t, m, "a")[:1])
}

func TestAMappingOfMemoryFollowsTheFile(t *testing.T) {
	m := NewMem()
	f := create(t, m, "a")
	write(t, f, 0, "abc")
	p, err := f.Map(0, 2*PageSize, MapRead)
	require.NoError(t, err)
	own, err := f.Map(0, PageSize, MapCopy)
	require.NoError(t, err)
	write(t, f, PageSize-1, "xy")
	require.Equal(t, "abc", string(p.Bytes()[:3]))
	require.Equal(t, "xy", string(p.Bytes()[PageSize-1:PageSize+1]))
	require.Zero(t, own.Bytes()[PageSize-1])
	require.NoError(t, p.Close())
	require.NoError(t, own.Close())
	write(t, f, 0, "z")
}

func TestB03_AFullMemoryDiskIsNoSpaceUntilSomethingIsRemoved(t *testing.T) {
	m := NewMem()
	m.SetCapacity(10 * memPageSize)
	f := create(t, m, "a")
	require.NoError(t, f.Allocate(0, 10*memPageSize))
	g := create(t, m, "b")
	_, err := g.WriteAt([]byte("x"), 0)
	require.ErrorIs(t, err, ErrNoSpace)
	write(t, f, 5*memPageSize, "x")
	require.NoError(t, f.Truncate(4*memPageSize))
	write(t, g, 0, "x")
	require.NoError(t, m.Remove("a"))
	require.EqualValues(t, memPageSize, m.Used())
}

func TestLocksOfMemoryAreRefusedAtOnce(t *testing.T) {
	m := NewMem()
	_, err := m.Lock("L", true)
	require.ErrorIs(t, err, fs.ErrNotExist)
	l, err := m.Lock("L", false)
	require.NoError(t, err)
	_, err = m.Lock("L", true)
	require.ErrorIs(t, err, ErrLocked)
	require.NoError(t, l.Close())
	require.NoError(t, l.Close())
	s, err := m.Lock("L", true)
	require.NoError(t, err)
	_, err = m.Lock("L", false)
	require.ErrorIs(t, err, ErrLocked)
	require.NoError(t, s.Close())
}

// TestMemoryAndTheRealDiskBehaveAlike runs the same random operations on both.
func TestMemoryAndTheRealDiskBehaveAlike(t *testing.T) {
	for seed := range uint64(60) {
		real, _ := newOS(t)
		pair := []FS{NewMem(), real}
		rng := rand.New(rand.NewPCG(seed, 1))
		for step := range 150 {
			op := randomOp(rng)
			var outs [2]string
			for i, d := range pair {
				outs[i] = op(d)
			}
			require.Equal(t, outs[1], outs[0], "seed %d step %d: %s", seed, step, op(nil))
		}
	}
}

func randomOp(rng *rand.Rand) func(FS) string {
	all := []string{"a", "b", "d", "d/a", "d/b", "d/d", "d/d/x", "e"}
	name, other := all[rng.IntN(len(all))], all[rng.IntN(len(all))]
	off, n := rng.Int64N(10_000), rng.Int64N(9_000)
	kind := rng.IntN(11)
	return func(d FS) string {
		if d == nil {
			return fmt.Sprint(kind, name, other, off, n)
		}
		switch kind {
		case 0, 1, 2:
			f, err := d.Create(name)
			return outcome(err) + touch(f, off, n)
		case 3, 4:
			f, err := d.OpenRW(name)
			return outcome(err) + touch(f, off, n)
		case 5:
			return outcome(d.Remove(name))
		case 6:
			return outcome(d.Rename(name, other))
		case 7:
			return outcome(d.Mkdir(name))
		case 8:
			if n > 8_000 {
				_ = d.RemoveAll(name) // below a file the two disagree, harmlessly
			}
			return ""
		case 9:
			entries, err := d.List(name)
			entries = slices.DeleteFunc(entries, func(e Entry) bool { return e.Dir })
			return outcome(err) + fmt.Sprint(entries)
		default:
			f, err := d.Open(name)
			if err != nil {
				return outcome(err)
			}
			defer f.Close()
			b := make([]byte, n)
			got, err := f.ReadAt(b, off)
			return fmt.Sprintf("%d %t %x", got, errors.Is(err, io.EOF), b[:got])
		}
	}
}

func outcome(err error) string { return fmt.Sprintf("ok %t ", err == nil) }

// touch writes, grows and cuts an open file.
func touch(f File, off, n int64) string {
	if f == nil {
		return ""
	}
	defer f.Close()
	var err error
	switch n % 3 {
	case 0:
		_, err = f.WriteAt(bytes.Repeat([]byte{byte(n)}, int(n)), off)
	case 1:
		err = f.Truncate(n)
	case 2:
		err = f.Allocate(off, n)
	}
	size, _ := f.Size()
	return fmt.Sprint(outcome(err), size)
}
