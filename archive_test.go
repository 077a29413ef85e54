package tarn_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/internal/archive"
)

// archived is a backup taken apart, so that a test can lie in it under checksums that
// are right.
type archived struct {
	kinds  []uint8
	blocks [][]byte
}

func takeApart(t testing.TB, data []byte) (a archived) {
	t.Helper()
	r, err := archive.NewReader(bytes.NewReader(data))
	require.NoError(t, err)
	for {
		kind, block, err := r.Next()
		if err != nil {
			return a
		}
		a.kinds, a.blocks = append(a.kinds, kind), append(a.blocks, bytes.Clone(block))
	}
}

func (a archived) bytes(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	w := archive.NewWriter(&out, [16]byte{1})
	for i, kind := range a.kinds {
		require.NoError(t, w.Write(kind, a.blocks[i]))
	}
	require.NoError(t, w.Close())
	return out.Bytes()
}

// at returns the first block of a kind.
func (a archived) at(kind uint8) []byte { return a.blocks[bytes.IndexByte(a.kinds, kind)] }

// Whoever makes a backup by hand, checksums and all, gets nothing written outside of the
// folder, no memory for sizes that are only said, and no store that is none.
func TestABackupThatLiesIsRefusedAndLeavesNothing(t *testing.T) {
	c, db, _ := newCollection(t, tarn.CollectionConfig{Dim: 4, Metric: tarn.Cosine, Keys: tarn.StringKeys}, nil)
	for _, key := range []string{"a", "b"} {
		require.NoError(t, c.Upsert(ctx, tarn.Point{Key: key, Vector: []float32{1, 2, 3, 4}}))
	}
	s, err := c.EnableStreaming(ctx, tarn.DefaultStreamingConfig())
	require.NoError(t, err)
	ticket, err := s.SendBatch(ctx, []tarn.Point{{Key: "c", Vector: []float32{1, 2, 3, 5}}}, tarn.From("feed", 7))
	require.NoError(t, err)
	require.NoError(t, ticket.Wait(ctx))
	data := backup(t, db)
	const name, config, graph, moment, positions, rows, done = 1, 2, 3, 4, 5, 6, 7 // as the formats draw them
	le := binary.LittleEndian
	called := func(s string) func(a *archived) { return func(a *archived) { a.blocks[0] = []byte(s) } }
	lies := map[string]func(a *archived){
		"a name that leads out": called("../evil"), "one that leads in": called("a/b"), "an absolute one": called("/evil"), "none": called(""),
		"dots": called(".."), "a device": called("con"), "capitals": called("Test"), "a long one": called(strings.Repeat("x", 65)), "a zero": called("a\x00b"),
		"a collection twice": func(a *archived) {
			a.kinds, a.blocks = append(a.kinds, a.kinds...), append(a.blocks, a.blocks...)
		},
		"a configuration that is none":       func(a *archived) { b := a.at(config); clear(b[20:]) },
		"a configuration of a newer version": func(a *archived) { le.PutUint32(a.at(config)[16:], 2) },
		"a dimension that nobody has":        func(a *archived) { dimension(a, config, "99999999") },
		"a dimension of 0":                   func(a *archived) { dimension(a, config, "0") },
		"another dimension":                  func(a *archived) { dimension(a, config, "5") },
		"more slots than there are numbers":  func(a *archived) { le.PutUint32(a.at(moment)[8:], math.MaxUint32) },
		"more rows than slots":               func(a *archived) { le.PutUint32(a.at(moment)[12:], 100) },
		"more live ones than rows":           func(a *archived) { le.PutUint32(a.at(moment)[16:], 100) },
		"a graph that does not come":         func(a *archived) { le.PutUint64(a.at(moment)[32:], 1<<40) },
		"places that do not come":            func(a *archived) { le.PutUint64(a.at(moment)[24:], 1<<40) },
		"no next key":                        func(a *archived) { le.PutUint64(a.at(moment)[44:], 0) },
		"a write at the end of all numbers":  func(a *archived) { le.PutUint64(a.at(moment), 1<<63-1) },
		"a source that ends too late":        func(a *archived) { le.PutUint16(a.at(positions), math.MaxUint16) },
		"a source that is no text":           func(a *archived) { a.at(positions)[2] = 0xff },
		"more rows than bytes":               func(a *archived) { le.PutUint32(a.at(rows), math.MaxUint32) },
		"a slot that comes again":            func(a *archived) { le.PutUint32(a.at(rows)[8+32+16:], 0) },
		"slots that descend": func(a *archived) { // with a gap, or they would be too high as well
			le.PutUint32(a.at(moment)[8:], 4)
			b := a.at(rows)
			le.PutUint32(b[8+16:], 1)
			le.PutUint32(b[8+32+16:], 0)
		},
		"a slot beyond the last":    func(a *archived) { le.PutUint32(a.at(rows)[8+64+16:], 4_000_000_000) },
		"a row of a later write":    func(a *archived) { le.PutUint64(a.at(rows)[8+8:], 1<<40) },
		"a row of write 0":          func(a *archived) { le.PutUint64(a.at(rows)[8+8:], 0) },
		"a payload longer than all": func(a *archived) { le.PutUint32(a.at(rows)[8+24:], math.MaxUint32) },
		"a vector that is no number": func(a *archived) {
			le.PutUint32(a.at(rows)[8+3*32:], math.Float32bits(float32(math.NaN())))
		},
		"a vector without a length": func(a *archived) { clear(a.at(rows)[8+3*32:][:16]) },
		"one key for two points":    func(a *archived) { b := a.at(rows); copy(b[bytes.LastIndexByte(b, 'b'):], "a") },
		"one number for two points": func(a *archived) { b := a.at(rows); copy(b[8+32:8+40], b[8:16]) },
		"no end of the collection":  func(a *archived) { a.kinds, a.blocks = a.kinds[:len(a.kinds)-1], a.blocks[:len(a.blocks)-1] },
		"a moment twice": func(a *archived) {
			i := bytes.IndexByte(a.kinds, moment)
			a.kinds, a.blocks = append(a.kinds[:i+1], a.kinds[i:]...), append(a.blocks[:i+1], a.blocks[i:]...)
		},
		"rows before the moment": func(a *archived) {
			i, j := bytes.IndexByte(a.kinds, moment), bytes.IndexByte(a.kinds, rows)
			a.kinds[i], a.kinds[j], a.blocks[i], a.blocks[j] = a.kinds[j], a.kinds[i], a.blocks[j], a.blocks[i]
		},
		"a kind that is unknown": func(a *archived) { a.kinds[bytes.IndexByte(a.kinds, done)] = 99 },
		"only a name":            func(a *archived) { a.kinds, a.blocks = a.kinds[:1], a.blocks[:1] },
		"no name":                func(a *archived) { a.kinds, a.blocks = a.kinds[1:], a.blocks[1:] },
	}
	a := takeApart(t, data)
	require.Equal(t, []uint8{name, config, graph, moment, positions, rows, done}, a.kinds)
	dir := t.TempDir()
	require.NoError(t, tarn.Restore(ctx, filepath.Join(dir, "whole"), bytes.NewReader(a.bytes(t))))
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "whole")))
	for what, lie := range lies {
		t.Run(what, func(t *testing.T) {
			a := takeApart(t, data)
			lie(&a)
			bad := a.bytes(t)
			entries, err := os.ReadDir(filepath.Dir(dir))
			require.NoError(t, err)
			above := len(entries)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err = tarn.Restore(ctx, filepath.Join(dir, "copy"), bytes.NewReader(bad))
			runtime.ReadMemStats(&after)
			defer os.RemoveAll(filepath.Join(dir, "copy")) // if it is there against all that is asserted
			if what == "a configuration of a newer version" {
				require.ErrorIs(t, err, tarn.ErrVersion)
			} else {
				require.ErrorIs(t, err, tarn.ErrCorrupt)
			}
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<20))
			left, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Empty(t, left)
			entries, err = os.ReadDir(filepath.Dir(dir))
			require.NoError(t, err)
			require.Len(t, entries, above, "something was made outside")
		})
	}
}

// dimension puts another number into a stored configuration.
func dimension(a *archived, config uint8, n string) {
	i := bytes.IndexByte(a.kinds, config)
	a.blocks[i] = bytes.Replace(a.blocks[i], []byte(`"dim":4`), []byte(`"dim":`+n), 1)
}
