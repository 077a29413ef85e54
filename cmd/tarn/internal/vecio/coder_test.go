//go:build !windows

package vecio

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"testing"

	"github.com/coder/hnsw"
	"github.com/stretchr/testify/require"
)

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

// Such files name neighbours that are not there, by their own doing: a node that was
// deleted stays in the lists of others.
func TestNeighboursThatAreNotThereAreNoNeighbours(t *testing.T) {
	g := hnsw.NewGraph[int]()
	for i := range 200 {
		g.Add(hnsw.MakeNode(i, []float32{float32(i), 1, float32(i % 7)}))
	}
	for i := 0; i < 200; i += 3 {
		g.Delete(i)
	}
	var saved bytes.Buffer
	require.NoError(t, g.Export(&saved))
	rows, err := parse(saved.Bytes(), "hnsw")
	require.NoError(t, err)
	require.Len(t, rows, 133)

	var b []byte // by hand: one node, whose neighbours are nobody
	b = binary.AppendVarint(binary.AppendVarint(b, 1), 16)
	b = binary.AppendVarint(le.AppendUint64(b, 0), 20)
	b = append(binary.AppendVarint(b, 6), "cosine"...)
	b = binary.AppendVarint(binary.AppendVarint(b, 1), 1)
	b = le.AppendUint32(binary.AppendVarint(binary.AppendVarint(b, 7), 1), math.Float32bits(2.5))
	b = binary.AppendVarint(binary.AppendVarint(binary.AppendVarint(b, 2), 99), -4)
	rows, err = parse(b, "hnsw")
	require.NoError(t, err)
	require.Equal(t, [][]float32{{2.5}}, rows)
	for n := range b {
		_, err := parse(b[:n], "hnsw")
		require.ErrorIs(t, err, ErrFormat, "cut at %d", n)
	}
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
