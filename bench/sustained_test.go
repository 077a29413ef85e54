package bench

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/bench/internal/data"
	"github.com/tarndb/tarn/collection"
	"github.com/tarndb/tarn/hnsw"
	"github.com/tarndb/tarn/internal/kernel"
	"github.com/tarndb/tarn/internal/vfs"
)

// passes is how often every point is written; each time at another place.
const passes = 3

// BenchmarkStreamSustained streams all points several times over, moved each time,
// with nobody searching, and measures while the delta is at its limit, when writers
// get what the indexers can take. Then the graph alone does the same inserts and
// deletes on as many threads. TARN_STREAM_POINTS says how many points (20 000); the
// limit is to them as 65 536 is to 80 000.
func BenchmarkStreamSustained(b *testing.B) {
	n := 20_000
	if text := os.Getenv("TARN_STREAM_POINTS"); text != "" {
		var err error
		n, err = strconv.Atoi(text)
		require.NoError(b, err)
	}
	streamSets(b, func(b *testing.B, s *data.Set) {
		n := min(n, len(s.Base))
		var stream, graph, ratio, even, beside, rebuilds []float64
		for b.Loop() {
			a, again := sustainStream(b, s, n)
			rebuilds = append(rebuilds, float64(again))
			g := sustainGraph(b, s, n)
			stream, graph = append(stream, a.rate()), append(graph, g.rate())
			ratio, even = append(ratio, a.rate()/g.rate()), append(even, a.evenness())
			beside = append(beside, a.rebuilding())
		}
		for _, m := range []struct {
			v    []float64
			name string
		}{{stream, "durable/s"}, {graph, "graph/s"}, {ratio, "stream/graph"}, {even, "last/first-tenth"}, {beside, "last-tenth-beside-rebuild"}, {rebuilds, "rebuilds"}} {
			b.ReportMetric(median(m.v), m.name)
		}
	})
}

// growth is how a count grew while the delta was at its limit.
type growth struct {
	at     []time.Time
	n      []int
	beside []bool // a rebuild
}

func (s *growth) mark(n int, rebuilding bool) {
	s.at, s.n, s.beside = append(s.at, time.Now()), append(s.n, n), append(s.beside, rebuilding)
}

func (s *growth) between(i, j int) float64 {
	return float64(s.n[j]-s.n[i]) / s.at[j].Sub(s.at[i]).Seconds()
}

func (s *growth) rate() float64 { return s.between(0, len(s.n)-1) }

// evenness is the rate in the last tenth to that in the first.
func (s *growth) evenness() float64 {
	last := len(s.n) - 1
	tenth := max(1, last/10)
	return s.between(last-tenth, last) / s.between(0, tenth)
}

// rebuilding is the part of the last tenth that ran beside a rebuild, which takes half
// of the processors.
func (s *growth) rebuilding() float64 {
	last := len(s.n) - 1
	tenth, n := max(1, last/10), 0
	for _, yes := range s.beside[last-tenth+1:] {
		if yes {
			n++
		}
	}
	return float64(n) / float64(tenth)
}

// place is where point i is in a round.
func place(s *data.Set, n, round, i int) []float32 { return s.Base[(i+round*(n/2+1))%n] }

func limitOf(n int) int { return n * 65_536 / 80_000 }

const piece = 500

func sustainStream(b *testing.B, s *data.Set, n int) (_ *growth, rebuilds int64) {
	b.Helper()
	dir, err := vfs.CreateOS(filepath.Join(b.TempDir(), "c"))
	require.NoError(b, err)
	streaming := tarn.StreamingConfig{BufferSize: 2 * piece}.WithDefaults() // what waits there is not measured
	require.NoError(b, collection.Create(dir, collection.Config{Dim: s.Dim(), Metric: s.Metric, Streaming: &streaming}, [16]byte{1}))
	c, err := collection.Open(collection.Options{Name: "bench", FS: dir, MaxPayload: 1 << 20, MaxK: 100,
		Knobs: collection.Knobs{DeltaLimit: limitOf(n)}})
	require.NoError(b, err)
	defer func() { require.NoError(b, c.Close()) }()
	stream, err := c.Stream()
	require.NoError(b, err)
	var full growth
	for at := 0; at < passes*n; at += piece {
		ps := make([]tarn.Point, 0, piece)
		for j := at; j < min(at+piece, passes*n); j++ {
			ps = append(ps, tarn.Point{ID: uint64(j % n), Vector: place(s, n, j/n, j%n)})
		}
		_, err := stream.SendBatch(ctx, ps)
		require.NoError(b, err)
		st := c.Stats()
		if len(full.n) > 0 || st.InDelta >= limitOf(n) {
			full.mark(int(st.Stream.Written), st.Rebuilding)
		}
	}
	require.NoError(b, stream.Flush(ctx))
	full.mark(int(stream.Stats().Written), c.Stats().Rebuilding)
	require.Greater(b, len(full.n), 1, "the delta never came to its limit")
	return &full, int64(c.Stats().Rebuilds)
}

func sustainGraph(b *testing.B, s *data.Set, n int) *growth {
	b.Helper()
	metric := map[tarn.Metric]kernel.Metric{tarn.L2: kernel.L2, tarn.Cosine: kernel.Cosine, tarn.Dot: kernel.Dot}[s.Metric]
	x, err := hnsw.NewIndex(hnsw.Config{Dim: s.Dim(), Metric: metric})
	require.NoError(b, err)
	var full growth
	slots := make([]uint32, n)
	for at := 0; at < passes*n; at += piece {
		if at >= limitOf(n)/4 {
			full.mark(at, false)
		}
		vecs := make([][]float32, 0, piece)
		for j := at; j < min(at+piece, passes*n); j++ {
			vecs = append(vecs, place(s, n, j/n, j%n))
		}
		first, err := x.AddAll(ctx, vecs, runtime.GOMAXPROCS(0))
		require.NoError(b, err)
		for j := range vecs {
			if i := (at + j) % n; at+j >= n {
				x.Delete(slots[i])
			}
			slots[(at+j)%n] = first + uint32(j)
		}
	}
	full.mark(passes*n, false)
	return &full
}
