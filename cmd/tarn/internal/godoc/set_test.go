package godoc

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io/fs"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSetIsWholeAndInOrder(t *testing.T) {
	s, err := Load()
	require.NoError(t, err)
	assert.Equal(t, 384, s.Dim)
	require.Len(t, s.Symbols, 10229)
	require.Len(t, s.Queries, 120)
	deprecated := 0
	for i, sym := range s.Symbols {
		require.Equal(t, uint64(i+1), sym.ID)
		require.Len(t, sym.Vector, s.Dim)
		require.NotEmpty(t, sym.Symbol)
		require.NotEmpty(t, sym.Pkg)
		require.NotEmpty(t, sym.Kind)
		if sym.Deprecated {
			deprecated++
		}
	}
	assert.Equal(t, 145, deprecated)
	for i, q := range s.Queries {
		require.Equal(t, uint64(i+1), q.ID)
		require.Len(t, q.Vector, s.Dim)
		require.NotEmpty(t, q.Text)
	}
}

// dataChecksum is the CRC32C of every vector of data/, symbols first.
const dataChecksum = 0x6d898105

func rowBytes(row []float32) []byte {
	b := make([]byte, 0, 4*len(row))
	for _, v := range row {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

func TestVectorsAreTheOnesThatWereCommitted(t *testing.T) {
	s, err := Load()
	require.NoError(t, err)
	sum := crc32.New(castagnoli)
	for _, sym := range s.Symbols {
		sum.Write(rowBytes(sym.Vector))
	}
	for _, q := range s.Queries {
		sum.Write(rowBytes(q.Vector))
	}
	assert.Equal(t, uint32(dataChecksum), sum.Sum32())
}

func TestVectorsHaveLengthOne(t *testing.T) {
	s, err := Load()
	require.NoError(t, err)
	for _, sym := range s.Symbols {
		var sum float64
		for _, v := range sym.Vector {
			sum += float64(v) * float64(v)
		}
		require.InDelta(t, 1, math.Sqrt(sum), 0.002, sym.Symbol)
	}
}

func TestRowsCannotGrowIntoEachOther(t *testing.T) {
	s, err := Load()
	require.NoError(t, err)
	second := s.Symbols[1].Vector[0]
	_ = append(s.Symbols[0].Vector, second+1)
	assert.Equal(t, second, s.Symbols[1].Vector[0])
}

func TestDataStaysSmall(t *testing.T) {
	var total int64
	require.NoError(t, fs.WalkDir(files, ".", func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		total += info.Size()
		return err
	}))
	assert.Less(t, total, int64(6_000_000))
}

func TestLinesSurviveTheWayThereAndBack(t *testing.T) {
	want := []Query{{ID: 1, Text: "a < b & c"}, {ID: 2, Text: strings.Repeat("long ", 1000)}}
	var b bytes.Buffer
	require.NoError(t, WriteLines(&b, want))
	got, err := ReadLines[Query](bytes.NewReader(b.Bytes()))
	require.NoError(t, err)
	assert.Equal(t, want, got)

	for n := range b.Len() {
		_, err := ReadLines[Query](bytes.NewReader(b.Bytes()[:n]))
		require.Error(t, err, "cut to %d of %d bytes", n, b.Len())
	}
}
