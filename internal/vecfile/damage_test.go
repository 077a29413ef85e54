package vecfile

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/kernel"
	"github.com/tarndb/tarn/internal/vfs"
)

// filled is a closed store of 100 slots in two chunks.
func filled(t testing.TB) (dir vfs.FS, want []Entry) {
	t.Helper()
	dir = disk(t)
	s := open(t, dir, config(), 0)
	want = fill(t, s, 0, 100, 1)
	require.NoError(t, s.Sync())
	require.NoError(t, s.Close())
	return dir, want
}

func patch(t testing.TB, dir vfs.FS, name string, off int64, change func(b []byte)) {
	t.Helper()
	f, err := dir.OpenRW(name)
	require.NoError(t, err)
	b := make([]byte, 8)
	_, err = f.ReadAt(b, off)
	require.NoError(t, err)
	change(b)
	_, err = f.WriteAt(b, off)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

// tree returns a hash of everything in a folder.
func tree(t testing.TB, dir vfs.FS) string {
	t.Helper()
	h := sha256.New()
	root := dir.Path(".")
	require.NoError(t, filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		info, _ := e.Info()
		fmt.Fprintln(h, path, info.ModTime(), len(b))
		h.Write(b)
		return err
	}))
	return fmt.Sprintf("%x", h.Sum(nil))
}

func findings(t testing.TB, s *Store, n uint32) (found []Finding) {
	t.Helper()
	_, err := s.Verify(context.Background(), all(n), func(f Finding) { found = append(found, f) })
	require.NoError(t, err)
	return found
}

func TestC09_EveryByteOfALiveSlotIsCovered(t *testing.T) {
	dir, want := filled(t)
	const slot = 70
	lay := open(t, dir, config(), 100).lay
	for k := range kinds {
		name := fileName(k, uint32(lay.chunk(slot)))
		for i := range lay.stride[k] {
			off := lay.offset(k, slot) + int64(i)
			aligned := off &^ 7
			flip := func(b []byte) { b[off-aligned] ^= byte(1 << (i % 8)) }
			patch(t, dir, name, aligned, flip)
			s := open(t, dir, config(), 100)
			found := findings(t, s, 100)
			require.Len(t, found, 1, "%s byte %d", name, i)
			err := s.Check([]uint32{slot})
			_, vecErr := s.Vector(slot, nil)
			if k == codes || (k == sidecar && i >= 20) {
				require.NoError(t, err, "codes are made anew")
				requireHolds(t, s, want)
			} else {
				require.ErrorIs(t, err, codec.ErrCorrupt)
				require.ErrorContains(t, err, fmt.Sprintf("%s: offset %d", fileName(vectors, 1), lay.offset(vectors, slot)))
				require.ErrorIs(t, vecErr, codec.ErrCorrupt)
			}
			requireHolds(t, s, want[:slot])
			requireHolds(t, s, want[slot+1:])
			require.NoError(t, s.Close())
			patch(t, dir, name, aligned, flip)
		}
	}
}

func TestC09_RowsExchangedAreFound(t *testing.T) {
	dir, _ := filled(t)
	lay := open(t, dir, config(), 100).lay
	for k := range kinds {
		f, err := dir.OpenRW(fileName(k, 0))
		require.NoError(t, err)
		a, b := make([]byte, lay.stride[k]), make([]byte, lay.stride[k])
		_, err = f.ReadAt(a, lay.offset(k, 5))
		require.NoError(t, err)
		_, err = f.ReadAt(b, lay.offset(k, 9))
		require.NoError(t, err)
		_, err = f.WriteAt(b, lay.offset(k, 5))
		require.NoError(t, err)
		_, err = f.WriteAt(a, lay.offset(k, 9))
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	// All three rows of two slots were exchanged: each is whole, and wrong.
	s := open(t, dir, config(), 100)
	require.ErrorIs(t, s.Check([]uint32{5}), codec.ErrCorrupt)
	require.ErrorIs(t, s.Check([]uint32{9}), codec.ErrCorrupt)
	require.Len(t, findings(t, s, 100), 2)
}

func TestC10_FilesThatAreNotWholeAreRefusedAndUntouched(t *testing.T) {
	for k := range kinds {
		for chunk := range uint32(2) {
			name := fileName(k, chunk)
			for what, damage := range map[string]func(t *testing.T, path string){
				"missing":          func(t *testing.T, path string) { require.NoError(t, os.Remove(path)) },
				"empty":            func(t *testing.T, path string) { require.NoError(t, os.Truncate(path, 0)) },
				"only half a head": func(t *testing.T, path string) { require.NoError(t, os.Truncate(path, 2048)) },
				"only a head":      func(t *testing.T, path string) { require.NoError(t, os.Truncate(path, 4096)) },
				"a row short": func(t *testing.T, path string) {
					l, err := newLayout(20, kernel.Cosine, 64, 1<<40)
					require.NoError(t, err)
					require.NoError(t, os.Truncate(path, l.end(k, 64-28*int(chunk))-1))
				},
				"a folder": func(t *testing.T, path string) {
					require.NoError(t, os.Remove(path))
					require.NoError(t, os.Mkdir(path, 0o700))
				},
				"a link (C20)": func(t *testing.T, path string) {
					require.NoError(t, os.Rename(path, path+".real"))
					require.NoError(t, os.Symlink(path+".real", path))
				},
			} {
				t.Run(name+" "+what, func(t *testing.T) {
					dir, _ := filled(t)
					damage(t, dir.Path(name))
					before := tree(t, dir)
					_, err := Open(dir, config(), 100)
					require.ErrorIs(t, err, codec.ErrCorrupt)
					require.ErrorContains(t, err, name)
					require.Equal(t, before, tree(t, dir))
				})
			}
		}
	}
}

func TestC10_AFileLongerThanNeededIsNoDamage(t *testing.T) {
	dir, want := filled(t)
	for k := range kinds {
		require.NoError(t, os.Truncate(dir.Path(fileName(k, 1)), 1<<20))
		require.NoError(t, os.WriteFile(dir.Path(fileName(k, 2)), []byte("left by a crash"), 0o600))
	}
	s := open(t, dir, config(), 100)
	requireHolds(t, s, want)
	requireHolds(t, s, fill(t, s, 100, 200, 2))
}

func TestC07_C15_HeadersThatAreNotOurs(t *testing.T) {
	seal := func(page []byte) {
		binary.LittleEndian.PutUint32(page[44:], codec.CRC(page[:44]))
		binary.LittleEndian.PutUint32(page[headerCRC:], codec.CRC(page[:headerCRC]))
	}
	for _, c := range []struct {
		what   string
		change func(page []byte)
		want   error
		says   string
	}{
		{"a newer version", func(p []byte) { p[8] = 2; seal(p) }, codec.ErrVersion, "version 2"},
		{"an unknown flag", func(p []byte) { p[12] = 4; seal(p) }, codec.ErrVersion, "flags 0x4"},
		{"another collection", func(p []byte) { p[16] ^= 1; seal(p) }, codec.ErrCorrupt, "belongs to"},
		{"another kind", func(p []byte) { copy(p, "TARNODD\n"); seal(p) }, codec.ErrCorrupt, "begins with"},
		{"another dimension", func(p []byte) { p[headerDim]++; seal(p) }, codec.ErrCorrupt, "dimension 21"},
		{"another metric", func(p []byte) { p[headerMetric] = 0; seal(p) }, codec.ErrCorrupt, "metric 0"},
		{"another chunk size", func(p []byte) { p[headerShift]++; seal(p) }, codec.ErrCorrupt, "1<<7"},
		{"another stride", func(p []byte) { p[headerStride]++; seal(p) }, codec.ErrCorrupt, "rows of"},
		{"another chunk", func(p []byte) { p[headerChunk]++; seal(p) }, codec.ErrCorrupt, "chunk"},
		{"a byte of the padding", func(p []byte) { p[1000]++ }, codec.ErrCorrupt, "checksum"},
	} {
		for k := range kinds {
			t.Run(c.what+suffixes[k], func(t *testing.T) {
				dir, _ := filled(t)
				path := dir.Path(fileName(k, 1))
				b, err := os.ReadFile(path)
				require.NoError(t, err)
				c.change(b[:headerSize])
				require.NoError(t, os.WriteFile(path, b, 0o600))
				before := tree(t, dir)
				_, err = Open(dir, config(), 100)
				require.ErrorIs(t, err, c.want)
				require.ErrorContains(t, err, c.says)
				require.ErrorContains(t, err, fileName(k, 1)+": offset")
				require.Equal(t, before, tree(t, dir))
			})
		}
	}
}

func TestC15_ANewerFileBeyondTheCheckpointIsRefusedToo(t *testing.T) {
	dir, _ := filled(t)
	path := dir.Path(fileName(codes, 1))
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	b[8] = 9
	binary.LittleEndian.PutUint32(b[44:], codec.CRC(b[:44]))
	require.NoError(t, os.WriteFile(path, b, 0o600))
	s := open(t, dir, config(), 64)
	require.ErrorIs(t, s.Reserve(100), codec.ErrVersion)
	require.FileExists(t, path)
	requireHolds(t, s, points(0, 64, 1, 20))
}

func TestB07_AFileCutShortUnderItsMapIsAnError(t *testing.T) {
	for k := range kinds {
		t.Run(suffixes[k][1:], func(t *testing.T) {
			dir, want := filled(t)
			s := open(t, dir, config(), 100)
			require.NoError(t, s.Check([]uint32{1, 2}))
			require.NoError(t, os.Truncate(dir.Path(fileName(k, 1)), 0))
			err := s.Check([]uint32{80})
			require.ErrorIs(t, err, codec.ErrCorrupt)
			require.ErrorIs(t, err, vfs.ErrFault)
			_, err = s.Vector(90, nil)
			require.ErrorIs(t, err, codec.ErrCorrupt)
			if k == sidecar {
				_, err = s.Digest(all(100))
				require.ErrorIs(t, err, codec.ErrCorrupt)
				_, _, err = s.Find(all(100), want[99].ID)
				require.ErrorIs(t, err, codec.ErrCorrupt)
			}
			s.warmMin = 0
			if err := s.Warm(context.Background()); k != vectors {
				require.ErrorIs(t, err, codec.ErrCorrupt)
			}
			require.NotEmpty(t, findings(t, s, 100))
			requireHolds(t, s, want[:64])
		})
	}
}

func TestI5_WrongCodesAreMadeAnewInACopy(t *testing.T) {
	for what, notice := range map[string]func(s *Store) error{
		"by a check":        func(s *Store) error { return s.Check([]uint32{70}) },
		"by a small warmup": func(s *Store) error { return s.Warm(context.Background()) },
		"by a large warmup": func(s *Store) error { s.warmMin = 0; return s.Warm(context.Background()) },
	} {
		t.Run(what, func(t *testing.T) {
			dir, want := filled(t)
			lay := open(t, dir, config(), 100).lay
			for _, slot := range []uint32{70, 71, 99} {
				patch(t, dir, fileName(codes, 1), lay.offset(codes, slot)+32, func(b []byte) { clear(b) })
			}
			patch(t, dir, fileName(vectors, 1), lay.offset(vectors, 99), func(b []byte) { b[0]++ })
			s := open(t, dir, config(), 100)
			old := s.Codes()
			wrong := append([]byte(nil), old.Bytes(70)...)
			require.NoError(t, notice(s))
			require.Equal(t, wrong, old.Bytes(70), "who reads the old table is left alone")
			requireHolds(t, s, want[:99])
			require.ErrorIs(t, s.Check([]uint32{99}), codec.ErrCorrupt)
			now := points(70, 80, 5, 20)
			require.NoError(t, s.Write(now))
			requireHolds(t, s, now)
			require.NoError(t, s.Close())
			requireHolds(t, open(t, dir, config(), 100), now)
		})
	}
}

func TestLiveSlotsThatAreNotThereAreFound(t *testing.T) {
	dir, _ := filled(t)
	s := open(t, dir, config(), 100)
	require.Empty(t, findings(t, s, 100))
	found := findings(t, s, 101)
	require.Len(t, found, 1)
	require.Contains(t, found[0].Problem, "slot 100")
	require.NoError(t, os.Truncate(dir.Path(fileName(vectors, 0)), 100))
	problems := fmt.Sprint(findings(t, s, 100))
	require.True(t, strings.Contains(problems, "header") && strings.Contains(problems, "fault"), problems)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := s.Verify(ctx, all(100), func(Finding) {})
	require.True(t, errors.Is(err, context.Canceled))
}
