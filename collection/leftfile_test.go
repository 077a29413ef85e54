package collection

import (
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/vfs"
)

var (
	// hardKnobs have a graph answer, and no rebuild because of what it does not find.
	hardKnobs = Knobs{ExactThreshold: -1, FewDeaths: 1 << 30}
	// unaudited are those without audits.
	unaudited = Knobs{ExactThreshold: -1, FewDeaths: 1 << 30, NoBackground: true}
	// untouched are those without indexers as well: the view stays as Open makes it.
	untouched = Knobs{ExactThreshold: -1, FewDeaths: 1 << 30, NoBackground: true, PauseIndexer: true}
)

func openOn(t testing.TB, fs vfs.FS, k Knobs) *Collection {
	t.Helper()
	c, err := Open(Options{Name: "test", FS: fs, MaxPayload: 1 << 10, MaxK: 100, Knobs: k})
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// hardOnDisk is a collection on a disk in memory whose graph, all of it audited, does not
// find a tenth of its points.
func hardOnDisk(t *testing.T) (*vfs.Mem, *Collection, []Point) {
	const n, dim = 2_500, 48
	disk, ps := vfs.NewMem(), hard(41, n, dim)
	require.NoError(t, Create(disk, Config{Dim: dim, Index: IndexConfig{M: 4, EfConstruction: 16, EfSearch: 5}}, [16]byte{1}))
	c := openOn(t, disk, hardKnobs)
	require.NoError(t, c.Upsert(t.Context(), ps...))
	untilTrue(t, "all is quiet", c.quiet)
	require.Greater(t, c.view.Load().missed.parked.Load(), int64(n/20))
	return disk, c, ps
}

// missedOf counts the points that a search by their own vector does not find.
func (c *Collection) missedOf(t *testing.T, ps []Point) (n int) {
	for _, p := range ps {
		near, err := c.Search(t.Context(), p.Vector, 1)
		require.NoError(t, err)
		if len(near) == 0 || near[0].ID != p.ID && near[0].Distance > 0 {
			n++
		}
	}
	return n
}

func TestI2_WhatTheGraphDoesNotFindIsFoundAfterOpen(t *testing.T) {
	disk, c, ps := hardOnDisk(t)
	require.Zero(t, c.missedOf(t, ps))
	require.NoError(t, c.checkpoint(t.Context(), true))
	killed := disk.Crash(1, vfs.Crash{})
	require.NoError(t, c.Close())
	for what, disk := range map[string]*vfs.Mem{"closed": disk, "killed": killed} {
		t.Run(what, func(t *testing.T) {
			c := openOn(t, disk, untouched)
			require.Zero(t, c.missedOf(t, ps))
			require.NoError(t, c.Close())
			c = openOn(t, disk, unaudited)
			untilTrue(t, "the indexer has asked", func() bool {
				v := c.view.Load()
				return int64(v.delta.Len()) == v.missed.parked.Load()
			})
			require.Zero(t, c.missedOf(t, ps))
			require.Zero(t, c.index.old.Load(), "what is there to stay gives writers no room")
		})
	}
}

func TestI2_WhatTheGraphDoesNotFindIsFoundInARestoredStore(t *testing.T) {
	_, c, ps := hardOnDisk(t)
	list, disk := &blockList{}, vfs.NewMem()
	require.NoError(t, Backup(t.Context(), c, list))
	_, err := Restore(t.Context(), disk, list, [16]byte{2})
	require.NoError(t, err)
	c = openOn(t, disk, untouched)
	require.Equal(t, len(ps), c.view.Load().graph.Len(), "the graph came along")
	require.Zero(t, c.missedOf(t, ps))
}

// What an audit finds after Open is named by Close although no graph is written.
func TestI2_WhatAnAuditHasFoundIsFoundAfterTheNextOpen(t *testing.T) {
	disk, c, ps := hardOnDisk(t)
	require.NoError(t, c.Close())
	graph := c.check.named.name
	require.NoError(t, disk.Remove(leftName(graph)))
	c = openOn(t, disk, untouched)
	unknown := c.missedOf(t, ps)
	require.NotZero(t, unknown, "nobody knows of them")
	require.NoError(t, c.Close())
	c = openOn(t, disk, hardKnobs)
	untilTrue(t, "all is quiet", c.quiet)
	lost := c.view.Load().missed.lostSince(0)
	require.NoError(t, c.Close())
	require.Equal(t, graph, c.check.named.name)
	c = openOn(t, disk, untouched)
	for slot := range lost.All() {
		require.True(t, c.view.Load().delta.Has(slot))
	}
	require.Less(t, c.missedOf(t, ps), unknown/10, "but for those that linking others brought back before they were asked for")
}

// A slot that is found, or lost and found again, while the graph is written may be in the
// file as it was before.
func TestWhatIsFoundWhileTheGraphIsWrittenIsNamedBesideIt(t *testing.T) {
	disk := vfs.NewMem()
	c := held(t, disk, 50, 3)
	v := c.view.Load()
	c.returnToDelta(v, 4)
	v.delta.Remove(4) // long ago
	var cut *vfs.Mem
	c.opts.Knobs.Hook = func(step string) {
		switch step {
		case "snapshot: before rename":
			c.returnToDelta(v, 5)
			v.delta.Remove(3)
			v.delta.Remove(5)
		case "checkpoint: after commit":
			cut = disk.Crash(1, vfs.Crash{})
		}
	}
	require.NoError(t, c.checkpoint(t.Context(), true))
	require.Equal(t, []uint32{5}, slices.Collect(v.missed.lostSince(0).All()), "the file holds 4 as it was found again")
	require.Equal(t, []uint32{3, 5}, openOn(t, cut, untouched).inDelta())
}

// held is a collection of n points that a graph holds, of which some slots are in the
// delta all the same. Nothing moves of itself.
func held(t testing.TB, fs vfs.FS, n int, slots ...uint32) *Collection {
	t.Helper()
	require.NoError(t, Create(fs, Config{Dim: 8}, [16]byte{1}))
	c := openOn(t, fs, untouched)
	require.NoError(t, c.Upsert(t.Context(), randomPoints(1, 0, n)...))
	v := c.view.Load()
	for slot := range uint32(n) {
		require.NoError(t, v.graph.Insert(t.Context(), slot))
		if !slices.Contains(slots, slot) {
			v.delta.Remove(slot)
		}
	}
	return c
}

// inDelta returns what is in the delta.
func (c *Collection) inDelta() []uint32 { return slices.Collect(c.view.Load().delta.In().All()) }

func TestWhatIsNamedBesideAGraphAndDiedIsNotBroughtBack(t *testing.T) {
	ctx, disk := t.Context(), vfs.NewMem()
	c := held(t, disk, 50, 3, 4, 5, 6)
	require.NoError(t, c.checkpoint(ctx, true))
	graph := c.check.named.name
	_, err := c.Delete(ctx, 3)
	require.NoError(t, err)
	moved := randomPoints(2, 4, 1) // of id 4, which was in slot 4
	require.NoError(t, c.Upsert(ctx, moved...))
	require.NoError(t, c.Checkpoint(ctx))
	_, err = c.Delete(ctx, 5) // only in the log
	require.NoError(t, err)
	for _, c := range []*Collection{c, openOn(t, disk.Crash(1, vfs.Crash{}), untouched)} {
		require.Equal(t, graph, c.check.named.name)
		require.Equal(t, []uint32{6, 50}, c.inDelta())
		require.Equal(t, 48, c.Len())
		got, err := c.Search(ctx, moved[0].Vector, 100)
		require.NoError(t, err)
		var ids []uint64
		for _, p := range got {
			ids = append(ids, p.ID)
		}
		require.Equal(t, uint64(4), ids[0])
		slices.Sort(ids)
		require.Len(t, slices.Compact(ids), 48)
		require.NotContains(t, ids, uint64(3))
		require.NotContains(t, ids, uint64(5))
	}
	require.NoError(t, c.Close())

	// A new graph holds none of the dead. Their slots may be written again, once nobody
	// can see them any more.
	c = openOn(t, disk, untouched)
	require.NoError(t, c.Rebuild(ctx, IndexConfig{}))
	require.NoError(t, c.Upsert(ctx, randomPoints(3, 100, 3)...))
	var fresh []uint32
	c.ids.getAll(3, func(i int) uint64 { return 100 + uint64(i) }, func(_ int, slot uint32) { fresh = append(fresh, slot) })
	require.Len(t, fresh, 3)
	require.ElementsMatch(t, fresh, c.inDelta())
	require.NoError(t, c.Close())
	_, err = disk.Stat(leftName(graph))
	require.True(t, isNotExist(err))
	c = openOn(t, disk, untouched)
	require.ElementsMatch(t, fresh, c.inDelta())
	require.Zero(t, c.check.named.left.Len())
}

// Whenever the power is cut, a graph that is named comes with what is named beside it.
func TestAPowerCutLeavesWhatIsNamedBesideAGraph(t *testing.T) {
	disk := vfs.NewMem()
	fs := vfs.NewInject(disk)
	c := held(t, fs, 50, 3, 4)
	require.NoError(t, c.checkpoint(t.Context(), true))
	first := c.check.named.name
	var cuts []*vfs.Mem
	fs.Before(func(vfs.Call) {
		for seed := range uint64(3) {
			cuts = append(cuts, disk.Crash(seed, vfs.Crash{Keep: float64(seed) / 2}))
		}
	})
	require.NoError(t, c.Upsert(t.Context(), randomPoints(2, 50, 1)...))
	require.NoError(t, c.view.Load().graph.Insert(t.Context(), 50))
	c.view.Load().delta.Remove(3) // found at last
	require.NoError(t, c.checkpoint(t.Context(), true))
	second := c.check.named.name
	require.NotEqual(t, first, second)
	seen := map[string]int{}
	for _, cut := range cuts {
		c := openOn(t, cut, untouched)
		if _, err := c.Get(t.Context(), 50); err == nil {
			require.Equal(t, map[string][]uint32{first: {3, 4, 50}, second: {4, 50}}[c.check.named.name], c.inDelta())
		} else {
			require.Equal(t, []uint32{3, 4}, c.inDelta())
		}
		seen[c.check.named.name]++
		entries, err := cut.List(".")
		require.NoError(t, err)
		for _, e := range entries {
			if strings.HasPrefix(e.Name, snapshotPrefix) {
				require.Contains(t, []string{c.check.named.name, leftName(c.check.named.name)}, e.Name)
			}
		}
		require.NoError(t, c.Close())
	}
	require.Len(t, seen, 2)
}

// It is derived: whatever became of it, the store opens, Verify tells of damage, and the
// next checkpoint mends it.
func TestC11_WhatIsNamedBesideAGraphMayBeDamaged(t *testing.T) {
	disk := vfs.NewMem()
	c := held(t, disk, 50, 3, 4)
	require.NoError(t, c.Close())
	name := leftName(c.check.named.name)
	whole := encodeLeft(c.check.named.crc, c.uuid, bitmapOf(3, 4))
	require.Equal(t, whole, readAll(t, disk, name))
	damages := map[string][]byte{
		"empty": {}, "cut": whole[:len(whole)-4], "a header only": whole[:codec.HeaderSize], "longer": append(slices.Clone(whole), 0, 0, 0, 0),
		"of another graph": encodeLeft(c.check.named.crc+1, c.uuid, bitmapOf(3, 4, 5)), "of another collection": encodeLeft(c.check.named.crc, [16]byte{9}, bitmapOf(3, 4, 5)),
		"of a later version": codec.Header{Magic: leftMagic, Version: leftVersion + 1, UUID: c.uuid}.AppendTo(nil),
	}
	for i := range whole {
		flipped := slices.Clone(whole)
		flipped[i] ^= 1 << (i % 8)
		damages["flipped at "+hex.EncodeToString([]byte{byte(i)})] = flipped
	}
	for damage, data := range damages {
		writeAll(t, disk, name, data)
		c := openOn(t, disk, untouched)
		require.Empty(t, c.inDelta(), damage)
		require.Equal(t, []string{name}, findings(t, c), damage)
		require.NoError(t, c.Close())
		c = openOn(t, disk, untouched)
		require.Empty(t, findings(t, c), damage)
		require.NoError(t, c.Close())
	}
	require.Equal(t, encodeLeft(c.check.named.crc, c.uuid, bitmapOf()), readAll(t, disk, name))
	writeAll(t, disk, name, encodeLeft(c.check.named.crc, c.uuid, bitmapOf(7, 60, 1<<32-2)))
	c = openOn(t, disk, untouched)
	require.Equal(t, []uint32{7}, c.inDelta())
	require.Equal(t, 1, c.check.named.left.Len(), "those that the graph does not hold are nobody's")
}

func TestNoRoomForWhatIsNamedBesideAGraphIsNoError(t *testing.T) {
	disk, full := vfs.NewMem(), true
	noSpace := &vfs.Fault{Ops: []vfs.Op{vfs.OpCreate}, Glob: "*.left.tmp", When: func(vfs.Call) bool { return full }, Err: vfs.ErrNoSpace}
	c := held(t, vfs.NewInject(disk, noSpace), 50, 3, 4)
	require.NoError(t, c.checkpoint(t.Context(), true))
	_, err := disk.Stat(leftName(c.check.named.name))
	require.True(t, isNotExist(err))
	full = false
	require.NoError(t, c.checkpoint(t.Context(), false), "it is tried again")
	require.Equal(t, []uint32{3, 4}, openOn(t, disk.Crash(1, vfs.Crash{}), untouched).inDelta())
}

func TestAStoreWhoseGraphFindsAllWritesNothingBesideIt(t *testing.T) {
	disk := vfs.NewMem()
	c := held(t, disk, 50)
	require.NoError(t, c.Close())
	_, err := disk.Stat(leftName(c.check.named.name))
	require.True(t, isNotExist(err))
}

// The bytes of version 1.
func TestTheBytesBesideAGraphStay(t *testing.T) {
	data := encodeLeft(0x01020304, [16]byte{0xaa, 0xbb}, bitmapOf(7, 1, 65_536))
	require.Equal(t, "5441524e4c46540a"+"01000000"+"00000000"+"aabb0000000000000000000000000000"+"000000000000000000000000", hex.EncodeToString(data[:44]))
	require.Equal(t, "04030201"+"01000000"+"07000000"+"00000100", hex.EncodeToString(data[codec.HeaderSize:len(data)-4]))
	require.Equal(t, codec.CRC(data[:len(data)-4]), binary.LittleEndian.Uint32(data[len(data)-4:]))
}

func bitmapOf(slots ...uint32) *bitmap.Set {
	s := new(bitmap.Set)
	for _, slot := range slots {
		s.Add(slot)
	}
	return s
}

func readAll(t *testing.T, fs vfs.FS, name string) []byte {
	f, err := fs.Open(name)
	require.NoError(t, err)
	defer f.Close()
	size, err := f.Size()
	require.NoError(t, err)
	data := make([]byte, size)
	_, err = f.ReadAt(data, 0)
	require.NoError(t, err)
	return data
}

func writeAll(t *testing.T, fs vfs.FS, name string, data []byte) {
	f, err := vfs.AtomicFile(fs, name, func(f vfs.File) error {
		_, err := f.WriteAt(data, 0)
		return err
	})
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

// findings returns the files that Verify finds damaged.
func findings(t *testing.T, c *Collection) (files []string) {
	_, err := Verify(t.Context(), c, func(f Finding) { files = append(files, f.File) })
	require.NoError(t, err)
	return files
}
