package bench

import (
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/bench/internal/data"
	"github.com/tarndb/tarn/hnsw"
	"github.com/tarndb/tarn/internal/kernel"
)

// Every figure of this file is a ratio of two things measured in one run, in turn,
// each the median of its rounds. The load is a stream of new points at a quarter of
// the rate at which one goroutine builds a bare graph of the same set.
const (
	rounds           = 3
	underloadStretch = 2 * time.Second // of searches in one round
	burstSize        = 20_000
	baseSize         = 10_000               // points of the store that is searched or rebuilt
	loadPieces       = 5 * time.Millisecond // between two pieces of the stream
)

// forLoad runs fn with debdocs-minilm, or with a generated set without TARN_DATA.
func forLoad(b *testing.B, fn func(b *testing.B, s *data.Set)) {
	s, err := data.Load("debdocs-minilm")
	if err != nil {
		s = data.Generate(data.Shape{N: 30_000, Dim: 384, Intrinsic: 20, Metric: tarn.Cosine})
	}
	on(b, s.Name, func(b *testing.B) { fn(b, s) })
}

// BenchmarkSearchUnderLoad compares searches in one goroutine beside a stream of
// writes, and beside a rebuild, with those of an idle store.
func BenchmarkSearchUnderLoad(b *testing.B) {
	forLoad(b, func(b *testing.B, s *data.Set) {
		head := s.Base[:baseSize]
		rate := buildRate(b, s, head, 1)
		c := newCollection(b, s, tarn.CollectionConfig{Streaming: &tarn.StreamingConfig{}})
		write(b, c, head, 0)
		indexed(b, c)
		l := &load{c: c, vectors: s.Base[baseSize:], perSecond: rate / 4, next: baseSize}
		var idle, loaded, rebuilding, rebuildIdle quantiles
		for range b.N {
			for range rounds {
				idle.add(searchFor(b, c, s, underloadStretch, nil))
				l.start(b)
				loaded.add(searchFor(b, c, s, underloadStretch, nil))
				l.end(b)
				indexed(b, c)
				rebuildIdle.add(searchFor(b, c, s, underloadStretch, nil))
				done := make(chan error, 1)
				go func() { done <- c.Rebuild(ctx, tarn.IndexConfig{}) }()
				rebuilding.add(searchFor(b, c, s, time.Hour, done))
				indexed(b, c)
			}
		}
		idle.report(b, "idle")
		b.ReportMetric(loaded.p50()/idle.p50(), "load/idle-p50")
		b.ReportMetric(loaded.p99()/idle.p99(), "load/idle-p99")
		b.ReportMetric(rebuilding.p50()/rebuildIdle.p50(), "rebuild/idle-p50")
		b.ReportMetric(rebuilding.p99()/rebuildIdle.p99(), "rebuild/idle-p99")
		b.ReportMetric(l.perSecond, "load-points/s")
		b.ReportMetric(0, "ns/op")
	})
}

// BenchmarkBurst compares the time from the end of a burst to an empty delta with
// that of building a bare graph of the same points with as many threads.
func BenchmarkBurst(b *testing.B) {
	forLoad(b, func(b *testing.B, s *data.Set) {
		head := s.Base[:burstSize]
		threads := runtime.GOMAXPROCS(0)
		var ratios, bursts []float64
		for range b.N {
			for range rounds {
				bare := float64(len(head)) / buildRate(b, s, head, threads)
				c := newCollection(b, s, tarn.CollectionConfig{WriteMode: tarn.WriteStreaming})
				write(b, c, head, 0)
				waiting := c.Stats().InDelta
				start := time.Now()
				took := emptied(b, c).Sub(start).Seconds()
				ratios = append(ratios, took/bare)
				bursts = append(bursts, float64(waiting))
			}
		}
		b.ReportMetric(median(ratios), "burst/bare")
		b.ReportMetric(median(bursts), "left-at-its-end")
		b.ReportMetric(0, "ns/op")
	})
}

// BenchmarkRebuildUnderLoad compares a rebuild beside a stream of writes with one
// beside nothing.
func BenchmarkRebuildUnderLoad(b *testing.B) {
	forLoad(b, func(b *testing.B, s *data.Set) {
		size := len(s.Base) / 2
		rate := buildRate(b, s, s.Base[:size], 1)
		c := newCollection(b, s, tarn.CollectionConfig{Streaming: &tarn.StreamingConfig{}})
		write(b, c, s.Base[:size], 0)
		indexed(b, c)
		l := &load{c: c, vectors: s.Base[size:], perSecond: rate / 4, next: size}
		var ratios []float64
		rebuild := func() float64 {
			start := time.Now()
			require.NoError(b, c.Rebuild(ctx, tarn.IndexConfig{}))
			return time.Since(start).Seconds()
		}
		for range b.N {
			alone := rebuild()
			indexed(b, c)
			for range rounds { // the load makes the store larger: what is compared with is the mean of before and after
				l.start(b)
				under := rebuild()
				l.end(b)
				indexed(b, c)
				before := alone
				alone = rebuild()
				indexed(b, c)
				ratios = append(ratios, under/((before+alone)/2))
			}
		}
		b.ReportMetric(median(ratios), "load/alone")
		b.ReportMetric(0, "ns/op")
	})
}

// buildRate returns how many vectors a second so many goroutines put into a bare
// graph.
func buildRate(b *testing.B, s *data.Set, vectors [][]float32, workers int) float64 {
	b.Helper()
	metric := map[tarn.Metric]kernel.Metric{tarn.L2: kernel.L2, tarn.Cosine: kernel.Cosine, tarn.Dot: kernel.Dot}[s.Metric]
	x, err := hnsw.NewIndex(hnsw.Config{Dim: s.Dim(), Metric: metric})
	require.NoError(b, err)
	start := time.Now()
	_, err = x.AddAll(ctx, vectors, workers)
	require.NoError(b, err)
	return float64(len(vectors)) / time.Since(start).Seconds()
}

// write upserts vectors in batches, ids counting from first.
func write(b *testing.B, c *tarn.Collection, vectors [][]float32, first int) {
	b.Helper()
	const batch = 512
	for from := 0; from < len(vectors); from += batch {
		var points []tarn.Point
		for i, v := range vectors[from:min(from+batch, len(vectors))] {
			points = append(points, tarn.Point{ID: uint64(first + from + i), Vector: v})
		}
		require.NoError(b, c.Upsert(ctx, points...))
	}
}

// searchFor searches for a while, or until done says so.
func searchFor(b *testing.B, c *tarn.Collection, s *data.Set, d time.Duration, done <-chan error) spread {
	b.Helper()
	took := make(spread, 0, 1<<16)
	begin := time.Now()
	for i := 0; ; i++ {
		start := time.Now()
		if start.Sub(begin) > d {
			return took
		}
		_, err := c.Search(ctx, s.Queries[i%len(s.Queries)], 10, tarn.WithoutPayload())
		took = append(took, time.Since(start))
		require.NoError(b, err)
		select {
		case err := <-done:
			require.NoError(b, err)
			return took
		default:
		}
	}
}

// load streams vectors at a rate, each under a new id.
type load struct {
	c         *tarn.Collection
	vectors   [][]float32
	perSecond float64
	next      int

	stop chan struct{}
	over sync.WaitGroup
	err  error
}

func (l *load) start(b *testing.B) {
	b.Helper()
	s, err := l.c.Stream()
	require.NoError(b, err)
	l.stop = make(chan struct{})
	l.over.Go(func() {
		tick := time.NewTicker(loadPieces)
		defer tick.Stop()
		begin, sent := time.Now(), 0
		for {
			select {
			case <-l.stop:
				return
			case now := <-tick.C:
				for due := int(now.Sub(begin).Seconds() * l.perSecond); sent < due; sent++ {
					p := tarn.Point{ID: uint64(l.next), Vector: l.vectors[l.next%len(l.vectors)]}
					if _, l.err = s.Send(ctx, p); l.err != nil {
						return
					}
					l.next++
				}
			}
		}
	})
}

func (l *load) end(b *testing.B) {
	b.Helper()
	close(l.stop)
	l.over.Wait()
	require.NoError(b, l.err)
}

// quantiles are those of several rounds.
type quantiles struct{ at50, at99 []float64 }

func (q *quantiles) add(s spread) {
	slices.Sort(s)
	at := func(p float64) float64 { return s[int(p*float64(len(s)-1))].Seconds() * 1e6 }
	q.at50, q.at99 = append(q.at50, at(0.50)), append(q.at99, at(0.99))
}

func (q *quantiles) p50() float64 { return median(q.at50) }
func (q *quantiles) p99() float64 { return median(q.at99) }

func (q *quantiles) report(b *testing.B, name string) {
	b.ReportMetric(q.p50(), name+"-p50-µs")
	b.ReportMetric(q.p99(), name+"-p99-µs")
}

func median(of []float64) float64 {
	of = slices.Clone(of)
	slices.Sort(of)
	return (of[(len(of)-1)/2] + of[len(of)/2]) / 2
}
