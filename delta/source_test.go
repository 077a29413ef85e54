package delta

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tarndb/tarn/internal/kernel"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// memory is a Source of vectors on the heap.
type memory struct {
	metric      kernel.Metric
	dim         int
	shift       uint
	codes, vecs *kernel.Rows
	checked     atomic.Int64
	broken      map[uint32]error
}

func newMemory(m kernel.Metric, dim int, slots uint32) *memory {
	s := &memory{metric: m, dim: dim, shift: 12}
	s.codes = kernel.NewRows(kernel.CodeStride(dim), s.shift)
	s.vecs = kernel.NewRows(kernel.VectorStride(dim), s.shift)
	for s.codes.Cap() < slots {
		s.codes = s.codes.With(make([]byte, s.codes.Stride()<<s.shift))
		s.vecs = s.vecs.With(make([]byte, s.vecs.Stride()<<s.shift))
	}
	return s
}

func (s *memory) Codes() *kernel.Rows   { return s.codes }
func (s *memory) Vectors() *kernel.Rows { return s.vecs }

func (s *memory) Check(slots []uint32) error {
	s.checked.Add(int64(len(slots)))
	for _, slot := range slots {
		if err := s.broken[slot]; err != nil {
			return err
		}
	}
	return nil
}

func (s *memory) set(slot uint32, vec []float32) {
	copy(s.vecs.Float32s(slot, s.dim), vec)
	kernel.EncodeCode(s.metric, vec, s.codes.Bytes(slot))
}

// nearest is the answer of a scan, found by comparing all vectors.
func (s *memory) nearest(q *kernel.Query, k int, slots []uint32) []kernel.Candidate {
	all := make([]kernel.Candidate, len(slots))
	dists := make([]float32, len(slots))
	q.Vectors(s.codes, s.vecs, slots, dists)
	for i, slot := range slots {
		all[i] = kernel.Candidate{Slot: slot, Dist: dists[i]}
	}
	slices.SortFunc(all, compare)
	return all[:min(k, len(all))]
}

// clustered returns a vector near one of a few centres.
func clustered(r *rand.Rand, dim int, centres uint64, spread float64) []float32 {
	c := rand.New(rand.NewPCG(7, r.Uint64N(centres)))
	v := make([]float32, dim)
	for i := range v {
		v[i] = float32(c.NormFloat64() + spread*r.NormFloat64())
	}
	return v
}

func requireCandidates(t require.TestingT, want, got []kernel.Candidate) {
	require.Len(t, got, len(want))
	for i := range want {
		require.Equal(t, want[i], got[i], "rank %d", i)
		require.False(t, math.IsNaN(float64(got[i].Dist)))
	}
}
