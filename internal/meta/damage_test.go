package meta

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/vfs"
)

// answers is all that a store can be asked.
type answers struct {
	Config     string
	Checkpoint Checkpoint
	Live       []uint32
	Positions  map[string]uint64
	Payloads   map[uint32]string
}

// ask asks a store everything, for the payloads of the slots below n as well. As a
// collection does by the sidecar, it knows which slots have one.
func ask(s *Store, n uint32, has *bitmap.Set) (a answers, err error) {
	cfg, err := s.Config()
	if err != nil {
		return a, err
	}
	a.Config = string(cfg)
	if a.Checkpoint, err = s.Checkpoint(); err != nil {
		return a, err
	}
	a.Live, a.Checkpoint.Live = slices.Collect(a.Checkpoint.Live.All()), nil
	if a.Positions, err = s.Positions(); err != nil {
		return a, err
	}
	a.Payloads = map[uint32]string{}
	slots, into := make([]uint32, n), make([][]byte, n)
	for i := range slots {
		slots[i] = uint32(i)
	}
	for from := uint32(0); from < n; from += 100 {
		if err := s.Payloads(slots[from:min(from+100, n)], into[from:min(from+100, n)]); err != nil {
			return a, err
		}
	}
	for slot, p := range into {
		if (p != nil) != has.Has(uint32(slot)) {
			return a, fmt.Errorf("payload of slot %d: %w", slot, codec.ErrCorrupt)
		}
		if p != nil {
			a.Payloads[uint32(slot)] = string(p)
		}
	}
	return a, nil
}

// story makes a store with several commits behind it, pages freed and branch
// pages, and returns its folder, its answers and the slots with payloads.
func story(t testing.TB, slots uint32) (path string, want answers, has *bitmap.Set) {
	t.Helper()
	dir := disk(t)
	s, err := Create(dir, name, []byte(`{"dim":3}`), testUUID)
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(1, 2))
	has = &bitmap.Set{}
	alive := &bitmap.Set{}
	for round := range uint32(4) {
		put := map[uint32][]byte{}
		u := Update{Payloads: bySlot(put), Positions: map[string]uint64{"a": uint64(round), fmt.Sprint("source-", round): 7}}
		for slot := range slots {
			switch {
			case slot%4 == round:
				put[slot] = bytes.Repeat([]byte{byte(slot)}, r.IntN(400))
				has.Add(slot)
				alive.Add(slot)
			case round == 2 && slot%8 == 1:
				u.DropPayloads = append(u.DropPayloads, slot)
				has.Remove(slot)
			}
		}
		u.Checkpoint = &Checkpoint{LSN: uint64(round) * 100, Slots: slots, Live: alive, Generation: uint64(round), Snapshot: "graph-1.snap"}
		require.NoError(t, s.Commit(u))
	}
	want, err = ask(s, slots, has)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	return filepath.Dir(dir.Path(name)), want, has
}

var examined int

// examineDamaged opens a folder whose meta file is damaged, asks everything and
// commits now and then. Nothing may panic or hang; answers must be right or errors.
func examineDamaged(t *testing.T, path string, want answers, has *bitmap.Set, what string) (detected bool) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		done <- func() error {
			dir, err := vfs.OS(path)
			if err != nil {
				return err
			}
			defer dir.Close()
			s, err := Open(dir, name, false)
			if err != nil {
				return err
			}
			defer s.Close()
			got, err := ask(s, want.Checkpoint.Slots, has)
			if err != nil {
				return err
			}
			if !maps.Equal(got.Payloads, want.Payloads) || !slices.Equal(got.Live, want.Live) || !maps.Equal(got.Positions, want.Positions) ||
				got.Config != want.Config || got.Checkpoint != want.Checkpoint {
				return errors.New("WRONG ANSWER")
			}
			if _, _, err := s.Verify(context.Background(), func(Finding) {}); err != nil {
				return err
			}
			if examined++; examined%16 != 0 {
				return nil // a commit waits for the disk
			}
			return s.Commit(Update{Payloads: bySlot(map[uint32][]byte{1: []byte("new")}), DropPayloads: []uint32{2}})
		}()
	}()
	select {
	case err := <-done:
		if err != nil {
			require.Truef(t, errors.Is(err, codec.ErrCorrupt) || errors.Is(err, codec.ErrVersion), "%s: %v", what, err)
		}
		return err != nil
	case <-time.After(5 * time.Second):
		require.FailNow(t, "hangs", what)
		return false
	}
}

// copyTo writes the meta file and its copy into a fresh folder.
func copyTo(t testing.TB, from, to string, data []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(to, name), data, 0o600))
	c, err := os.ReadFile(filepath.Join(from, copyName(name)))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(to, copyName(name)), c, 0o600))
}

func readStory(t testing.TB, slots uint32) (path, scratch string, data []byte, want answers, has *bitmap.Set) {
	t.Helper()
	path, want, has = story(t, slots)
	data, err := os.ReadFile(filepath.Join(path, name))
	require.NoError(t, err)
	return path, t.TempDir(), data, want, has
}

func TestC13_EveryPageZeroedOrRandomisedIsAnErrorOrChangesNothing(t *testing.T) {
	path, scratch, data, want, has := readStory(t, 500)
	r := rand.New(rand.NewPCG(3, 4))
	damages := map[string]func(page []byte){
		"zeroed":     func(page []byte) { clear(page) },
		"randomised": func(page []byte) { fillRandom(r, page) },
		"half":       func(page []byte) { fillRandom(r, page[2048:]) },
		"shifted":    func(page []byte) { copy(page, data[4096*5:]) },
	}
	detected := 0
	for off := 0; off+4096 <= len(data); off += 4096 {
		for what, damage := range damages {
			bad := slices.Clone(data)
			damage(bad[off : off+4096])
			copyTo(t, path, scratch, bad)
			if examineDamaged(t, scratch, want, has, fmt.Sprintf("page %d %s", off/4096, what)) {
				detected++
			}
		}
	}
	require.Greater(t, detected, 0)
}

func fillRandom(r *rand.Rand, b []byte) {
	for i := range b {
		b[i] = byte(r.Uint32())
	}
}

func TestC13_BothMetaPagesDamagedIsCorrupt(t *testing.T) {
	path, scratch, data, want, has := readStory(t, 100)
	for _, bit := range []int{16, 20, 32, 48, 79} {
		bad := slices.Clone(data)
		bad[bit] ^= 4
		bad[4096+bit] ^= 4
		copyTo(t, path, scratch, bad)
		require.True(t, examineDamaged(t, scratch, want, has, "both meta pages"))
	}
}

func TestC13_TheNewestMetaPageLostIsNotAnOlderState(t *testing.T) {
	path, scratch, data, want, has := readStory(t, 100)
	lost := 0
	for _, page := range []int{0, 4096} {
		bad := slices.Clone(data)
		clear(bad[page : page+4096])
		copyTo(t, path, scratch, bad)
		if examineDamaged(t, scratch, want, has, "one meta page") {
			lost++
		}
	}
	require.Equal(t, 1, lost, "the loss of the newest page is found, that of the older one means nothing")
}

func TestC13_AFileCutAnywhereIsCorrupt(t *testing.T) {
	path, scratch, data, want, has := readStory(t, 400)
	used := len(data)
	for used > 0 && len(bytes.Trim(data[used-4096:used], "\x00")) == 0 {
		used -= 4096 // bbolt makes its file longer than it needs
	}
	for size := 0; size < used; size += 1024 {
		copyTo(t, path, scratch, data[:size])
		require.True(t, examineDamaged(t, scratch, want, has, fmt.Sprintf("cut to %d", size)))
	}
}

func TestC13_FlippedBitsAreFoundOrChangeNothing(t *testing.T) {
	path, scratch, data, want, has := readStory(t, 300)
	r := rand.New(rand.NewPCG(5, 6))
	var bits []int
	for page := 0; page < len(data); page += 4096 {
		for range 3 { // of a page's header, and of its first elements
			bits = append(bits, page*8+r.IntN(16*8), page*8+16*8+r.IntN(200*8))
		}
	}
	for range 200 {
		bits = append(bits, r.IntN(len(data)*8))
	}
	for bit := range 80 * 8 {
		bits = append(bits, bit, 4096*8+bit)
	}
	for _, bit := range bits {
		bad := slices.Clone(data)
		bad[bit/8] ^= 1 << (bit % 8)
		copyTo(t, path, scratch, bad)
		examineDamaged(t, scratch, want, has, fmt.Sprintf("bit %d of byte %d", bit%8, bit/8))
	}
}

func TestC13_BranchPagesOfALargeFileLeadNowhere(t *testing.T) {
	path, scratch, data, want, has := readStory(t, 13_000)
	require.Greater(t, len(data), smallFile)
	r := rand.New(rand.NewPCG(7, 8))
	for off := 8192; off < len(data); off += 4096 {
		h := parsePageHead(data[off:])
		if h.flags != branchFlag || h.id != uint64(off/4096) {
			continue
		}
		for what, damage := range map[string]func(page []byte){
			"zeroed":            func(page []byte) { clear(page) },
			"leading to itself": func(page []byte) { copy(page[24:32], page[:8]) },
			"a bit flipped":     func(page []byte) { page[r.IntN(600)] ^= 1 << r.IntN(8) },
		} {
			bad := slices.Clone(data)
			damage(bad[off : off+4096])
			copyTo(t, path, scratch, bad)
			examineDamaged(t, scratch, want, has, fmt.Sprintf("branch page %d %s", h.id, what))
		}
	}
	for range 8 {
		bad := slices.Clone(data)
		page := 2 + r.IntN(len(data)/4096-2)
		fillRandom(r, bad[page*4096:(page+1)*4096])
		copyTo(t, path, scratch, bad)
		examineDamaged(t, scratch, want, has, fmt.Sprintf("page %d", page))
	}
}

func TestC14_AValueExchangedInAWholePageIsCorrupt(t *testing.T) {
	tamper := func(t *testing.T, bucket, key string, change func([]byte) []byte) error {
		path, want, has := story(t, 100)
		db, err := bbolt.Open(filepath.Join(path, name), 0o600, nil)
		require.NoError(t, err)
		require.NoError(t, db.Update(func(tx *bbolt.Tx) error {
			b := tx.Bucket([]byte(bucket))
			old := slices.Clone(b.Get([]byte(key)))
			require.NotNil(t, old)
			if now := change(old); now != nil {
				return b.Put([]byte(key), now)
			}
			return b.Delete([]byte(key))
		}))
		require.NoError(t, db.Close())
		dir, err := vfs.OS(path)
		require.NoError(t, err)
		defer dir.Close()
		s, err := Open(dir, name, true)
		if err != nil {
			return err
		}
		defer s.Close()
		_, err = ask(s, want.Checkpoint.Slots, has)
		return err
	}
	flip := func(b []byte) []byte { b[len(b)/2] ^= 1; return b }
	drop := func([]byte) []byte { return nil }
	short := func(b []byte) []byte { return b[:len(b)-1] }
	slot := string(slotKey(4))
	for _, c := range []struct{ bucket, key string }{
		{"meta", "header"}, {"meta", "config"}, {"meta", "checkpoint"}, {"meta", "positions"}, {"meta", "commit"},
		{"live", string(slotKey(0))}, {"payloads", slot}, {"positions", "sa"},
	} {
		for what, change := range map[string]func([]byte) []byte{"flipped": flip, "dropped": drop, "shortened": short} {
			t.Run(fmt.Sprintf("%s %x %s", c.bucket, c.key, what), func(t *testing.T) {
				require.ErrorIs(t, tamper(t, c.bucket, c.key, change), codec.ErrCorrupt)
			})
		}
	}
}

func TestC15_ANewerVersionIsNamedAndNothingIsWritten(t *testing.T) {
	path, _, _ := story(t, 10)
	db, err := bbolt.Open(filepath.Join(path, name), 0o600, nil)
	require.NoError(t, err)
	newer := codec.Header{Magic: magic, Version: version + 1, UUID: testUUID}.AppendTo(nil)
	require.NoError(t, db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketNames[small]).Put(keyHeader, sealed(small, keyHeader, newer))
	}))
	require.NoError(t, db.Close())
	before, err := os.ReadFile(filepath.Join(path, name))
	require.NoError(t, err)
	dir, err := vfs.OS(path)
	require.NoError(t, err)
	defer dir.Close()
	_, err = Open(dir, name, false)
	require.ErrorIs(t, err, codec.ErrVersion)
	require.ErrorContains(t, err, "version 2")
	after, err := os.ReadFile(filepath.Join(path, name))
	require.NoError(t, err)
	require.Equal(t, before, after)
}

func TestC20_ALinkInPlaceOfTheFileIsRefused(t *testing.T) {
	path, _, _ := story(t, 10)
	inside := t.TempDir()
	require.NoError(t, os.Symlink(filepath.Join(path, name), filepath.Join(inside, name)))
	dir, err := vfs.OS(inside)
	require.NoError(t, err)
	defer dir.Close()
	_, err = Open(dir, name, true)
	require.ErrorIs(t, err, codec.ErrCorrupt)
}
