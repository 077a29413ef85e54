package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// fvecs returns rows of two components.
func fvecs(from, n int) (b []byte) {
	for i := from; i < from+n; i++ {
		b = binary.LittleEndian.AppendUint32(b, 2)
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(i+1)))
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(1))
	}
	return b
}

// The place is stored under the file's path: another file of that name is no sequel.
func TestAnImportOfAnotherFileUnderTheNameOfOneThatWasStored(t *testing.T) {
	t.Chdir(t.TempDir())
	put := func(data []byte) { require.NoError(t, os.WriteFile("x.fvecs", data, 0o600)) }
	rows := func(args ...string) (status int, r importReport, stderr string) {
		status, stdout, stderr := tarnCommand(append([]string{"import", "store", "docs", "x.fvecs", "--json", "--metric", "l2"}, args...)...)
		require.NoError(t, json.NewDecoder(bytes.NewReader([]byte(stdout))).Decode(&r), stdout)
		return status, r, stderr
	}
	put(fvecs(0, 10))
	status, r, stderr := rows()
	require.Zero(t, status, stderr)
	require.EqualValues(t, 10, r.Stored)
	put(fvecs(0, 13)) // it has grown
	status, r, stderr = rows()
	require.Zero(t, status, stderr)
	require.EqualValues(t, 3, r.Stored)
	put(fvecs(100, 4)) // it is another
	status, r, stderr = rows()
	require.Equal(t, exitFailed, status)
	require.Contains(t, stderr, "it has 4 rows, and 13 were stored from it before")
	require.Contains(t, stderr, "--source")
	require.Zero(t, r.Stored)
	status, r, stderr = rows("--source", "the other", "--first-id", "100")
	require.Zero(t, status, stderr)
	require.EqualValues(t, 4, r.Stored)
	require.Equal(t, "the other", r.Source)
	require.Equal(t, 17, r.Points)
}

func TestAnImportOfStandardInputIsRefused(t *testing.T) {
	t.Chdir(t.TempDir())
	madeStore(t)
	for _, format := range []string{"ndjson", "fvecs"} {
		status, _, stderr := tarnCommand("import", "store", "lakes", "-", "--format", format)
		require.Equal(t, exitUsage, status)
		require.Contains(t, stderr, "tarn ingest reads standard input", "what was stored of one pipe is not what comes from the next")
	}
}
