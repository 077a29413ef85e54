package vecio

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/coder/hnsw"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func all(r Reader) (rows [][]float32, err error) {
	for {
		row, err := r.Next()
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return rows, err
		}
		rows = append(rows, append([]float32(nil), row.Vector...))
	}
}

func parse(data []byte, format string) ([][]float32, error) {
	r, err := NewReader(bufio.NewReader(bytes.NewReader(data)), format, IntKeys)
	if err != nil {
		return nil, err
	}
	return all(r)
}

func TestWhatWasWrittenIsRead(t *testing.T) {
	want := [][]float32{{1, -2.5, math.MaxFloat32}, {0, 3, 4}}
	for _, format := range Written {
		path := filepath.Join(t.TempDir(), "x."+format)
		f, err := os.Create(path)
		require.NoError(t, err)
		w, err := NewWriter(f, format, 3)
		require.NoError(t, err)
		for _, v := range want {
			require.NoError(t, w.Write(v))
		}
		require.Error(t, w.Write([]float32{1}))
		require.NoError(t, w.Close())
		require.NoError(t, f.Close())
		in, err := Open(path, FormatOf(path), IntKeys)
		require.NoError(t, err)
		got, err := all(in)
		require.NoError(t, err, format)
		assert.Equal(t, want, got, format)
		require.NoError(t, in.Close())
	}
}

func TestI2_AFileCutAnywhereIsAnErrorOrHasFewerRows(t *testing.T) {
	fbin := append([]byte{2, 0, 0, 0, 2, 0, 0, 0}, make([]byte, 16)...)
	npy := append(npyHeader(2, 2), make([]byte, 16)...)
	for format, data := range map[string][]byte{"fbin": fbin, "npy": npy} {
		got, err := parse(data, format)
		require.NoError(t, err)
		require.Len(t, got, 2)
		for n := range data {
			_, err := parse(data[:n], format)
			require.ErrorIs(t, err, ErrFormat, "%s: %d bytes", format, n)
		}
		_, err = parse(append(data, 0), format)
		require.ErrorIs(t, err, ErrFormat)
	}
	bvecs := []byte{2, 0, 0, 0, 7, 8, 2, 0, 0, 0, 9, 255}
	got, err := parse(bvecs, "bvecs")
	require.NoError(t, err)
	assert.Equal(t, [][]float32{{7, 8}, {9, 255}}, got)
	_, err = parse(bvecs[:11], "bvecs")
	require.ErrorIs(t, err, ErrFormat)
}

func TestOtherTypesOfNumbers(t *testing.T) {
	for format, want := range map[string]float32{"u8bin": 200, "i8bin": -56} {
		got, err := parse([]byte{1, 0, 0, 0, 1, 0, 0, 0, 200}, format)
		require.NoError(t, err)
		assert.Equal(t, want, got[0][0])
	}
	got, err := parse([]byte{1, 0, 0, 0, 3, 0, 0, 0, 0x00, 0x3c, 0x01, 0x00, 0x00, 0xc0}, "f16bin")
	require.NoError(t, err)
	assert.Equal(t, [][]float32{{1, 1.0 / (1 << 24), -2}}, got)
}

func TestMatricesThatAreNoneAreExplained(t *testing.T) {
	header := func(text string) []byte {
		return append(binary.LittleEndian.AppendUint16([]byte("\x93NUMPY\x01\x00"), uint16(len(text))), text...)
	}
	for text, says := range map[string]string{
		"{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }":                     "ascontiguousarray",
		"{'descr': '<i8', 'fortran_order': False, 'shape': (2, 3), }":                    "astype",
		"{'descr': '<f4', 'fortran_order': False, 'shape': (6,), }":                      "matrix",
		"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 99999999999999999999), }": "components",
	} {
		_, err := parse(header(text), "npy")
		require.ErrorIs(t, err, ErrFormat)
		assert.ErrorContains(t, err, says)
	}
}

// coderFile saves a graph of coder/hnsw.
func coderFile[K interface{ int | string }](t testing.TB, key func(i int) K) []byte {
	g := hnsw.NewGraph[K]()
	for i := range 50 {
		g.Add(hnsw.MakeNode(key(i), []float32{float32(i), 1, 2}))
	}
	var out bytes.Buffer
	require.NoError(t, g.Export(&out))
	return out.Bytes()
}

func TestGraphsOfCoderHNSWAreRead(t *testing.T) {
	data := coderFile(t, func(i int) int { return i - 1 })
	r, err := NewReader(bufio.NewReader(bytes.NewReader(data)), "hnsw", IntKeys)
	require.NoError(t, err)
	require.Equal(t, int64(50), r.Rows())
	skipped := 0
	for range 50 {
		row, err := r.Next()
		require.NoError(t, err)
		if row.Skip != "" {
			skipped++
			continue
		}
		require.Equal(t, float32(row.ID)+1, row.Vector[0])
	}
	require.Equal(t, 1, skipped, "key -1")
	_, err = r.Next()
	require.ErrorIs(t, err, io.EOF)

	text := coderFile(t, func(i int) string { return string(rune('a' + i)) })
	s, err := NewReader(bufio.NewReader(bytes.NewReader(text)), "hnsw", StringKeys)
	require.NoError(t, err)
	row, err := s.Next()
	require.NoError(t, err)
	require.Equal(t, string(rune('a'+int(row.Vector[0]))), row.Key)
}

func FuzzReaders(f *testing.F) {
	f.Add(byte(0), append(npyHeader(1, 2), make([]byte, 8)...))
	f.Add(byte(1), []byte{1, 0, 0, 0, 0, 0, 128, 63})
	f.Add(byte(3), []byte{1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 128, 63})
	f.Add(byte(7), coderFile(f, func(i int) int { return i }))
	f.Fuzz(func(t *testing.T, format byte, data []byte) {
		rows, err := parse(data, Formats[int(format)%len(Formats)])
		if err == nil && len(rows) > 0 {
			require.LessOrEqual(t, len(rows)*len(rows[0]), 8*len(data)+1)
		}
	})
}
