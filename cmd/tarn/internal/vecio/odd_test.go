package vecio

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// npyFile returns a file with a header of a version, as numpy writes it, or would.
func npyFile(version byte, text string, data ...byte) []byte {
	b := append([]byte(npyMagic), version, 0)
	text += "\n"
	if version > 1 {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(text)))
	} else {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(text)))
	}
	return append(append(b, text...), data...)
}

func TestMatricesOfEveryVersionAndTypeAreReadOrExplained(t *testing.T) {
	const plain = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }"
	pair := []byte{0, 0, 128, 63, 0, 0, 0, 192} // 1, -2
	for name, c := range map[string]struct {
		file []byte
		want []float32
		says string
	}{
		"version 1":                      {npyFile(1, plain, pair...), []float32{1, -2}, ""},
		"version 2, a long header":       {npyFile(2, plain, pair...), []float32{1, -2}, ""},
		"version 3, a header of UTF-8":   {npyFile(3, plain+" ü", pair...), []float32{1, -2}, ""},
		"version 4":                      {npyFile(4, plain, pair...), nil, "version 4"},
		"version 0":                      {npyFile(0, plain, pair...), nil, "version 0"},
		"half floats":                    {npyFile(1, strings.Replace(plain, "<f4", "<f2", 1), 0, 0x3c, 0, 0xc0), []float32{1, -2}, ""},
		"doubles":                        {npyFile(1, strings.Replace(plain, "<f4", "<f8", 1), binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, math.Float64bits(1)), math.Float64bits(-2))...), []float32{1, -2}, ""},
		"bytes":                          {npyFile(1, strings.Replace(plain, "<f4", "|u1", 1), 1, 254), []float32{1, 254}, ""},
		"signed bytes":                   {npyFile(1, strings.Replace(plain, "<f4", "|i1", 1), 1, 254), []float32{1, -2}, ""},
		"keys in another order":          {npyFile(1, "{'shape': (1, 2), 'descr': '<f4', 'fortran_order': False}", pair...), []float32{1, -2}, ""},
		"the other byte order":           {npyFile(1, strings.Replace(plain, "<f4", ">f4", 1), pair...), nil, "astype('<f4')"},
		"columns first":                  {npyFile(1, strings.Replace(plain, "False", "True", 1), pair...), nil, "ascontiguousarray"},
		"objects":                        {npyFile(1, strings.Replace(plain, "<f4", "|O", 1), pair...), nil, `"|O"`},
		"records":                        {npyFile(1, "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1, 2), }", pair...), nil, "matrix"},
		"one dimension":                  {npyFile(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", pair...), nil, "matrix"},
		"three dimensions":               {npyFile(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 2), }", pair...), nil, "matrix"},
		"a shape below 0":                {npyFile(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 2), }", pair...), nil, "matrix"},
		"more components than there are": {npyFile(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 99999999), }", pair...), nil, "components"},
		"more rows than there are":       {npyFile(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 2), }", pair...), nil, "row"},
		"no rows":                        {npyFile(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 2), }"), nil, ""},
		"a header that is too long":      {append([]byte(npyMagic), 2, 0, 255, 255, 255, 127), nil, "header of"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parse(c.file, "npy")
			if c.says != "" {
				require.ErrorIs(t, err, ErrFormat)
				require.ErrorContains(t, err, c.says)
				return
			}
			require.NoError(t, err)
			if c.want == nil {
				require.Empty(t, got)
				return
			}
			require.Equal(t, [][]float32{c.want}, got)
		})
	}
}

func TestRowsWhoseLengthChangesAreAnError(t *testing.T) {
	row := func(dim int32, n int) []byte {
		b := binary.LittleEndian.AppendUint32(nil, uint32(dim))
		return append(b, make([]byte, 4*n)...)
	}
	good := row(2, 2)
	for name, c := range map[string]struct {
		bad  []byte
		says string
	}{
		"longer": {row(3, 3), "3 components after rows of 2"}, "shorter": {row(1, 1), "1 components after rows of 2"},
		"none": {row(0, 0), "0 components"}, "below 0": {row(-1, 0), "components"}, "huge": {row(math.MaxInt32, 2), "components"},
		"half a length": {[]byte{2, 0}, "middle of a row"}, "a length and no row": {row(2, 0), "middle of a row"}, "half a row": {row(2, 1), "middle of a row"},
	} {
		got, err := parse(append(bytes.Clone(good), c.bad...), "fvecs")
		require.ErrorIs(t, err, ErrFormat, name)
		require.ErrorContains(t, err, c.says, name)
		require.Len(t, got, 1, name)
	}
	for _, format := range []string{"fbin", "u8bin"} { // a count of rows, or of components, that lies
		for _, head := range [][]uint32{{math.MaxUint32, 2}, {1, math.MaxUint32}, {1, 0}, {math.MaxUint32, math.MaxUint32}} {
			b := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, head[0]), head[1])
			_, err := parse(append(b, make([]byte, 100)...), format)
			require.ErrorIs(t, err, ErrFormat)
		}
	}
}

// A packed file that is cut is an error wherever it is cut: at the end of a row too.
func TestI2_APackedFileThatIsCutIsAnError(t *testing.T) {
	var plain []byte
	for range 50 {
		plain = append(binary.LittleEndian.AppendUint32(plain, 2), 1, 2, 3, 4, 5, 6, 7, 8)
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err := w.Write(plain)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	path := filepath.Join(t.TempDir(), "x.fvecs.gz")
	for n := range packed.Len() + 1 {
		require.NoError(t, os.WriteFile(path, packed.Bytes()[:n], 0o600))
		in, err := Open(t.Context(), path, FormatOf(path), IntKeys)
		if err == nil {
			var got [][]float32
			got, err = all(in)
			require.NoError(t, in.Close())
			if n == packed.Len() {
				require.NoError(t, err)
				require.Len(t, got, 50)
				return
			}
		}
		require.Error(t, err, "%d of %d bytes", n, packed.Len())
	}
}
