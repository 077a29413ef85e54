package bench

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/collection"
	"github.com/tarndb/tarn/internal/vfs"
)

// The benchmarks of the log measure a store and the bare disk in turn, in one run,
// and report the ratio of their medians. The indexer is paused, so that the log is
// what is measured; that is no option of the public API.

const (
	logDim  = 384
	logData = "normal-d384" // randomPoints
)

// newPaused opens a collection whose indexer is paused, in a folder that goes with
// the benchmark.
func newPaused(b *testing.B, mode collection.WriteMode, segment int64) *collection.Collection {
	b.Helper()
	dir, err := vfs.CreateOS(filepath.Join(b.TempDir(), "collection"))
	require.NoError(b, err)
	require.NoError(b, collection.Create(dir, collection.Config{Dim: logDim, WriteMode: mode}, [16]byte{1}))
	c, err := collection.Open(collection.Options{Name: "bench", FS: dir, MaxPayload: 1 << 20, MaxK: 100,
		Knobs: collection.Knobs{PauseIndexer: true, LogSegment: segment}})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, c.Close()) })
	return c
}

// bare is a file on the same disk.
type bare struct {
	f   vfs.File
	off int64
}

func newBare(b *testing.B) *bare {
	b.Helper()
	dir, err := vfs.OS(b.TempDir())
	require.NoError(b, err)
	f, err := dir.Create("bare")
	require.NoError(b, err)
	b.Cleanup(func() {
		require.NoError(b, f.Close())
		require.NoError(b, dir.Close())
	})
	return &bare{f: f}
}

// add appends to the file and syncs it.
func (f *bare) add(b *testing.B, p []byte) {
	_, err := f.f.WriteAt(p, f.off)
	require.NoError(b, err)
	require.NoError(b, f.f.SyncData())
	f.off += int64(len(p))
}

func randomPoints(n int, first uint64) []collection.Point {
	r := rand.New(rand.NewPCG(1, first))
	ps := make([]collection.Point, n)
	for i := range ps {
		v := make([]float32, logDim)
		for j := range v {
			v[j] = float32(r.NormFloat64())
		}
		ps[i] = collection.Point{ID: first + uint64(i), Vector: v}
	}
	return ps
}

func medianTime(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// BenchmarkLogOneWriter: one durable Upsert of one point, beside an append and an
// fdatasync of as many bytes.
func BenchmarkLogOneWriter(b *testing.B) {
	on(b, logData, func(b *testing.B) {
		const rounds, each = 10, 100
		c, f := newPaused(b, collection.WriteAPI, 0), newBare(b)
		ps := randomPoints(1, 1)
		frame := make([]byte, 32+6+24+4*logDim+8)
		for range 2000 { // the first small segments are behind
			require.NoError(b, c.Upsert(ctx, ps...))
		}
		for b.Loop() {
			var store, disk []time.Duration
			for range rounds {
				for range each {
					start := time.Now()
					require.NoError(b, c.Upsert(ctx, ps...))
					store = append(store, time.Since(start))
				}
				for range each {
					start := time.Now()
					f.add(b, frame)
					disk = append(disk, time.Since(start))
				}
			}
			b.ReportMetric(float64(medianTime(store).Microseconds()), "store-p50-µs")
			b.ReportMetric(float64(medianTime(disk).Microseconds()), "bare-p50-µs")
			b.ReportMetric(float64(medianTime(disk))/float64(medianTime(store)), "rate-of-bare")
		}
	})
}

// writers returns how many single-point Upserts a second n goroutines make together.
func writers(b *testing.B, c *collection.Collection, n int, during time.Duration) float64 {
	var done atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for w := range n {
		ps := randomPoints(1, uint64(w))
		wg.Go(func() {
			for time.Since(start) < during {
				if c.Upsert(ctx, ps...) != nil {
					return
				}
				done.Add(1)
			}
		})
	}
	wg.Wait()
	return float64(done.Load()) / time.Since(start).Seconds()
}

// BenchmarkLog64Writers: 64 durable writers beside one, and beside 64 that do not
// wait for the disk, which is what the processors allow.
func BenchmarkLog64Writers(b *testing.B) {
	on(b, logData, func(b *testing.B) {
		durable, logged := newPaused(b, collection.WriteAPI, 0), newPaused(b, collection.WriteStreaming, 0)
		const during = 700 * time.Millisecond
		writers(b, durable, 1, during)
		for b.Loop() {
			var ofOne, ofCPU []float64
			for range 5 {
				one, many := writers(b, durable, 1, during), writers(b, durable, 64, during)
				free := writers(b, logged, 64, during)
				ofOne, ofCPU = append(ofOne, many/one), append(ofCPU, many/free)
			}
			slices.Sort(ofOne)
			slices.Sort(ofCPU)
			b.ReportMetric(ofOne[2], "times-one")
			b.ReportMetric(ofCPU[2], "of-cpu")
		}
	})
}

// BenchmarkLogBulk: bytes of the log a second of Upserts of 1 000 points, beside the
// same bytes written and fsynced in one go. Up to the first checkpoint they go to a
// segment that was filled with zeros before; a whole load rotates and checkpoints as
// it comes.
func BenchmarkLogBulk(b *testing.B) {
	on(b, logData, func(b *testing.B) {
		const first, whole = 56 << 20, 400 << 20
		b.Run("up-to=first-checkpoint", func(b *testing.B) {
			bulk(b, first, func() *collection.Collection {
				c := newPaused(b, collection.WriteAPI, 64<<20)
				for c.Stats().WALBytes < 22<<20 { // small batches: the next segment is filled meanwhile
					require.NoError(b, c.Upsert(ctx, randomPoints(40, 1)...))
				}
				require.NoError(b, c.Checkpoint(ctx))
				return c
			})
		})
		b.Run("up-to=whole-load", func(b *testing.B) {
			bulk(b, whole, func() *collection.Collection { return newPaused(b, collection.WriteAPI, 0) })
		})
	})
}

// bulk loads so many bytes into new stores, and writes as many to a bare file, in turn.
func bulk(b *testing.B, bytes int, open func() *collection.Collection) {
	const batch, perPoint = 1000, 24 + 4*logDim
	points := randomPoints(batch, 1)
	load := func() time.Duration {
		c := open()
		start := time.Now()
		for n := 0; n < bytes; n += batch * perPoint {
			for i := range points {
				points[i].ID += batch
			}
			require.NoError(b, c.Upsert(ctx, points...))
		}
		return time.Since(start)
	}
	sequential := func() time.Duration {
		f, chunk := newBare(b), make([]byte, 1<<20)
		_, _ = rand.NewChaCha8([32]byte{}).Read(chunk)
		start := time.Now()
		for ; f.off < int64(bytes); f.off += int64(len(chunk)) {
			_, err := f.f.WriteAt(chunk, f.off)
			require.NoError(b, err)
		}
		require.NoError(b, f.f.Sync())
		return time.Since(start)
	}
	for b.Loop() {
		var ratios []float64
		var disk, store []time.Duration
		for range 3 {
			disk, store = append(disk, sequential()), append(store, load())
			ratios = append(ratios, float64(disk[len(disk)-1])/float64(store[len(store)-1]))
		}
		slices.Sort(ratios)
		b.ReportMetric(ratios[1], "rate-of-disk")
		b.ReportMetric(float64(bytes)/1e6/medianTime(store).Seconds(), "store-MB/s")
		b.ReportMetric(float64(bytes)/1e6/medianTime(disk).Seconds(), "disk-MB/s")
	}
}
