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
		in, err := Open(t.Context(), path, FormatOf(path), IntKeys)
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
