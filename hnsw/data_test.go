package hnsw

import (
	"compress/gzip"
	"encoding/binary"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/kernel"
)

// dataset is one of the real data sets, in the folder that TARN_DATA names.
type dataset struct {
	name          string
	metric        kernel.Metric
	base, queries [][]float32
	truth         [][]uint32
}

func loadDataset(t testing.TB, name string) *dataset {
	t.Helper()
	dir := os.Getenv("TARN_DATA")
	if dir == "" {
		t.Skip("TARN_DATA is not set")
	}
	dir = filepath.Join(dir, name)
	d := &dataset{name: name, metric: kernel.Cosine}
	ext := ".f16bin.gz"
	if name == "mnist-784" {
		d.metric, ext = kernel.L2, ".u8bin.gz"
	}
	d.base = readVectors(t, filepath.Join(dir, "base"+ext))
	d.queries = readVectors(t, filepath.Join(dir, "query"+ext))
	n, width, raw := readMatrix(t, filepath.Join(dir, "gt100.ibin.gz"))
	for i := range n {
		row := make([]uint32, width)
		for j := range row {
			row[j] = binary.LittleEndian.Uint32(raw[(i*width+j)*4:])
		}
		d.truth = append(d.truth, row)
	}
	return d
}

func readVectors(t testing.TB, path string) [][]float32 {
	n, dim, raw := readMatrix(t, path)
	rows := make([][]float32, n)
	for i := range rows {
		row := make([]float32, dim)
		for j := range row {
			if len(raw) == n*dim {
				row[j] = float32(raw[i*dim+j])
			} else {
				row[j] = fromHalf(binary.LittleEndian.Uint16(raw[(i*dim+j)*2:]))
			}
		}
		rows[i] = row
	}
	return rows
}

func readMatrix(t testing.TB, path string) (n, dim int, raw []byte) {
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	all, err := io.ReadAll(z)
	require.NoError(t, err)
	return int(binary.LittleEndian.Uint32(all)), int(binary.LittleEndian.Uint32(all[4:])), all[8:]
}

// fromHalf converts an IEEE half float.
func fromHalf(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10&31), uint32(h&1023)
	if exp == 0 {
		return math.Float32frombits(sign | math.Float32bits(float32(frac)*0x1p-24)&^(1<<31))
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

// recall returns the share of the first k true neighbours that got holds.
func recall(got []kernel.Candidate, truth []uint32, k int) float64 {
	hits := 0
	for _, c := range got {
		for _, s := range truth[:k] {
			if c.Slot == s {
				hits++
			}
		}
	}
	return float64(hits) / float64(k)
}

// memory is a source over vectors on the heap.
type memory struct {
	cfg         Config
	codes, vecs *kernel.Rows
}

func newMemory(cfg Config, base [][]float32) *memory {
	const shift = 12
	m := &memory{
		cfg:   cfg,
		codes: kernel.NewRows(kernel.CodeStride(cfg.Dim), shift),
		vecs:  kernel.NewRows(kernel.VectorStride(cfg.Dim), shift),
	}
	for from := 0; from < len(base); from += 1 << shift {
		m.codes = m.codes.With(make([]byte, m.codes.Stride()<<shift))
		m.vecs = m.vecs.With(make([]byte, m.vecs.Stride()<<shift))
	}
	for i, v := range base {
		copy(m.vecs.Float32s(uint32(i), cfg.Dim), v)
		kernel.EncodeCode(cfg.Metric, v, m.codes.Bytes(uint32(i)))
	}
	return m
}

func (m *memory) Codes() *kernel.Rows   { return m.codes }
func (m *memory) Vectors() *kernel.Rows { return m.vecs }
func (m *memory) Check([]uint32) error  { return nil }
