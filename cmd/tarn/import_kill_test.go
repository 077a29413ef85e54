//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
)

const (
	killRows = 5_000
	killDim  = 4
)

// valueAt is component j of row i: a small whole number that every format can hold,
// and no row is like the one beside it.
func valueAt(i, j int) int { return (i>>(6*j))&63 + 1 }

var le = binary.LittleEndian

// fileOf returns killRows rows in a format.
func fileOf(format string) []byte {
	var b []byte
	put := func(i, j int) {
		v := valueAt(i, j)
		switch format {
		case "bvecs", "u8bin", "i8bin":
			b = append(b, byte(v))
		case "f16bin":
			e := math.Ilogb(float64(v))
			b = le.AppendUint16(b, uint16((e+15)<<10|(v<<10>>e)&0x3ff))
		default:
			b = le.AppendUint32(b, math.Float32bits(float32(v)))
		}
	}
	row := func(i int) {
		for j := range killDim {
			put(i, j)
		}
	}
	switch format {
	case "fbin", "u8bin", "i8bin", "f16bin":
		b = le.AppendUint32(le.AppendUint32(b, killRows), killDim)
	case "npy":
		text := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }\n", killRows, killDim)
		b = append(le.AppendUint16([]byte("\x93NUMPY\x01\x00"), uint16(len(text))), text...)
	case "hnsw":
		b = binary.AppendVarint(binary.AppendVarint(b, 1), 16)
		b = binary.AppendVarint(le.AppendUint64(b, math.Float64bits(0.25)), 20)
		b = append(binary.AppendVarint(b, 6), "cosine"...)
		b = binary.AppendVarint(binary.AppendVarint(b, 1), killRows)
	}
	for i := range killRows {
		switch format {
		case "fvecs", "bvecs":
			b = le.AppendUint32(b, killDim)
			row(i)
		case "hnsw":
			b = binary.AppendVarint(binary.AppendVarint(b, int64(i)), killDim)
			row(i)
			b = binary.AppendVarint(b, 3) // neighbours: one that is there, two that are not
			b = binary.AppendVarint(binary.AppendVarint(binary.AppendVarint(b, int64(i/2)), killRows+7), -1)
		case "ndjson":
			b = fmt.Appendf(b, `{"id":%d,"vector":[%d,%d,%d,%d]}`+"\n", i, valueAt(i, 0), valueAt(i, 1), valueAt(i, 2), valueAt(i, 3))
		default:
			row(i)
		}
	}
	return b
}

// The file is a pipe, so that the import is killed when it has stored something and
// has not been given everything, however fast the machine is.
func TestAnImportOfEveryFormatThatIsKilledGoesOnWhereItWas(t *testing.T) {
	for _, format := range []string{"ndjson", "npy", "fvecs", "bvecs", "fbin", "u8bin", "i8bin", "f16bin", "hnsw"} {
		t.Run(format, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "db")
			pipe := filepath.Join(t.TempDir(), "x."+format)
			require.NoError(t, syscall.Mkfifo(pipe, 0o600))
			if format == "ndjson" {
				db, err := tarn.Open(dir, nil)
				require.NoError(t, err)
				_, err = db.CreateCollection(context.Background(), "docs", tarn.CollectionConfig{Dim: killDim, Metric: tarn.L2})
				require.NoError(t, err)
				require.NoError(t, db.Close())
			}
			data := fileOf(format)
			importKilled(t, dir, pipe, data[:len(data)*3/5])
			importKilled(t, dir, pipe, data[:len(data)*9/10])
			resumed := importAll(t, dir, pipe, data)
			require.Positive(t, resumed)
			require.Less(t, resumed, uint64(killRows))
			requireRows(t, dir)
		})
	}
}

func importChild(dir, pipe string) (*exec.Cmd, *bytes.Buffer) {
	cmd := exec.Command(os.Args[0], "import", "--json", "--metric", "l2", dir, "docs", pipe)
	cmd.Env = append(os.Environ(), asTarn+"=1")
	var out bytes.Buffer
	cmd.Stdout = &out
	return cmd, &out
}

// importKilled feeds a part of the file and kills the import when some of it is stored.
func importKilled(t *testing.T, dir, pipe string, part []byte) {
	t.Helper()
	before, _ := stored(t, dir)
	cmd, _ := importChild(dir, pipe)
	require.NoError(t, cmd.Start())
	w, err := os.OpenFile(pipe, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = w.Write(part)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		n, ok := stored(t, dir)
		return ok && n > before
	}, 5*time.Minute, 20*time.Millisecond)
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	require.NoError(t, w.Close())
	n, _ := stored(t, dir)
	require.Less(t, n, killRows)
}

// stored counts the points in a copy of a store that may be in use.
func stored(t *testing.T, dir string) (n int, ok bool) {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		return 0, false
	}
	db, err := tarn.Open(copied, &tarn.Options{ReadOnly: true})
	if err != nil {
		return 0, false
	}
	defer db.Close() // only read
	c, err := db.Collection("docs")
	if err != nil {
		return 0, false
	}
	return c.Len(), true
}

func importAll(t *testing.T, dir, pipe string, data []byte) (resumed uint64) {
	t.Helper()
	cmd, out := importChild(dir, pipe)
	require.NoError(t, cmd.Start())
	w, err := os.OpenFile(pipe, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = w.Write(data)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, cmd.Wait(), "exit status 0")
	var report struct{ Resumed, Stored, Skipped, Bad uint64 }
	require.NoError(t, json.Unmarshal(out.Bytes(), &report))
	require.Equal(t, uint64(killRows), report.Resumed+report.Stored, "%s", out)
	require.Zero(t, report.Skipped+report.Bad)
	return report.Resumed
}

func requireRows(t *testing.T, dir string) {
	t.Helper()
	db, err := tarn.Open(dir, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	c, err := db.Collection("docs")
	require.NoError(t, err)
	require.Equal(t, killRows, c.Len(), "nothing is missing")
	require.Zero(t, c.Stats().Deleted, "nothing was written twice")
	for p, err := range c.All(context.Background()) {
		require.NoError(t, err)
		for j := range killDim {
			require.EqualValues(t, valueAt(int(p.ID), j), p.Vector[j], "point %d", p.ID)
		}
	}
}
