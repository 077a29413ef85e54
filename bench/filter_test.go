package bench

import (
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/bench/internal/data"
)

const filtered = "debdocs-minilm"

// filteredStore is debdocs-minilm with its attributes, indexed.
func filteredStore(b *testing.B, fields ...string) (*tarn.Collection, *data.Set, []tarn.Payload) {
	b.Helper()
	s, err := data.Load(filtered)
	if err != nil {
		b.Skip(err)
	}
	all, err := data.LoadAttributes(filtered)
	require.NoError(b, err)
	c := newCollection(b, s, tarn.CollectionConfig{Fields: fields})
	points := make([]tarn.Point, 0, 512)
	for i, v := range s.Base {
		points = append(points, tarn.Point{ID: uint64(i), Vector: v, Payload: all[i]})
		if len(points) == cap(points) || i == len(s.Base)-1 {
			require.NoError(b, c.Upsert(ctx, points...))
			points = points[:0]
		}
	}
	indexed(b, c)
	return c, s, all
}

// BenchmarkUndeclared asks under filters by number of words, which has no index, and in
// turn under the same filters with one: what is not declared is read from the payloads,
// one by one, by each search or once for a batch of 50; per query.
func BenchmarkUndeclared(b *testing.B) {
	with, s, _ := filteredStore(b, "words")
	without, _, _ := filteredStore(b)
	for _, least := range []int{41, 55, 100, 118} {
		f := tarn.WithFilter(tarn.Gte("words", least))
		b.Run(fmt.Sprintf("data=%s/k=10/words>=%d", filtered, least), func(b *testing.B) {
			const batch = 50
			took, together := map[*tarn.Collection]spread{}, spread{}
			for i := 0; b.Loop(); i++ {
				together = append(together, timed(func() {
					_, err := without.SearchBatch(ctx, s.Queries[:batch], 10, f, tarn.WithoutPayload())
					require.NoError(b, err)
				}))
				for _, c := range []*tarn.Collection{with, without} {
					took[c] = append(took[c], timed(func() {
						_, err := c.Search(ctx, s.Queries[i%len(s.Queries)], 10, f, tarn.WithoutPayload())
						require.NoError(b, err)
					}))
				}
			}
			b.ReportMetric(float64(middle(took[with]).Microseconds()), "indexed-µs")
			b.ReportMetric(float64(middle(took[without]).Microseconds()), "undeclared-µs")
			b.ReportMetric(float64(middle(together).Microseconds())/batch, "undeclared-batch-µs")
		})
	}
}

// BenchmarkSearchBatch asks all queries in one call, and in turn one after another in
// one goroutine; ratio is how many times quicker the batch is.
func BenchmarkSearchBatch(b *testing.B) {
	forEachSet(b, func(b *testing.B, s *data.Set) {
		c := newCollection(b, s, tarn.CollectionConfig{})
		fill(b, c, s)
		var batch, loop spread
		for b.Loop() {
			batch = append(batch, timed(func() {
				_, err := c.SearchBatch(ctx, s.Queries, 10)
				require.NoError(b, err)
			}))
			loop = append(loop, timed(func() {
				for _, q := range s.Queries {
					_, err := c.Search(ctx, q, 10)
					require.NoError(b, err)
				}
			}))
		}
		b.ReportMetric(float64(len(s.Queries))/middle(batch).Seconds(), "batch-qps")
		b.ReportMetric(float64(len(s.Queries))/middle(loop).Seconds(), "loop-qps")
		b.ReportMetric(middle(loop).Seconds()/middle(batch).Seconds(), "ratio")
	})
}

// middle is the middle of some times.
func middle(s spread) time.Duration {
	s = slices.Clone(s)
	slices.Sort(s)
	return s[len(s)/2]
}

func timed(do func()) time.Duration {
	start := time.Now()
	do()
	return time.Since(start)
}

// BenchmarkFieldIndexes measures what the indexes of three fields take, and what Open
// takes with them and without, in turn.
func BenchmarkFieldIndexes(b *testing.B) {
	on(b, filtered, func(b *testing.B) {
		paths := map[bool]string{}
		perPoint := 0.0
		for _, with := range []bool{false, true} {
			paths[with], perPoint = attributesOnly(b, with)
		}
		took := map[bool]spread{}
		for i := 0; b.Loop(); i++ {
			for _, with := range []bool{i%2 == 0, i%2 != 0} {
				var db *tarn.DB
				took[with] = append(took[with], timed(func() {
					var err error
					db, err = tarn.Open(paths[with], nil)
					require.NoError(b, err)
				}))
				require.NoError(b, db.Close())
			}
		}
		b.ReportMetric(perPoint, "index-B/point")
		b.ReportMetric(float64(middle(took[false]).Microseconds()), "open-µs")
		b.ReportMetric(float64(middle(took[true]).Microseconds()), "open-indexed-µs")
		b.ReportMetric(middle(took[true]).Seconds()/middle(took[false]).Seconds(), "ratio")
	})
}

// attributesOnly makes a store of the real attributes with small random vectors, with
// indexes or without, and says what these take in memory per point.
func attributesOnly(b *testing.B, with bool) (path string, perPoint float64) {
	all, err := data.LoadAttributes(filtered)
	if err != nil {
		b.Skip(err)
	}
	s := data.Generate(data.Shape{N: len(all), Dim: 16, Queries: 1})
	path = filepath.Join(b.TempDir(), fmt.Sprint("db", with))
	db, err := tarn.Open(path, nil)
	require.NoError(b, err)
	defer func() { require.NoError(b, db.Close()) }()
	c, err := db.CreateCollection(ctx, "bench", tarn.CollectionConfig{Dim: s.Dim()})
	require.NoError(b, err)
	for from := 0; from < len(all); from += 1000 {
		var points []tarn.Point
		for i := from; i < min(from+1000, len(all)); i++ {
			points = append(points, tarn.Point{ID: uint64(i), Vector: s.Base[i], Payload: all[i]})
		}
		require.NoError(b, c.Upsert(ctx, points...))
	}
	indexed(b, c)
	require.NoError(b, c.Checkpoint(ctx)) // payloads leave the memory
	if !with {
		return path, 0
	}
	before := heap()
	require.NoError(b, c.SetFields(ctx, "package", "section", "words"))
	for c.Stats().FieldsBuilding > 0 {
		time.Sleep(time.Millisecond)
	}
	after := heap()
	runtime.KeepAlive(all) // what goes between the two counts would be taken for less
	runtime.KeepAlive(s)
	return path, float64(after-before) / float64(len(all))
}

// heap returns the bytes in use. What only pools hold goes with the second collection
// or the third.
func heap() int64 {
	var m runtime.MemStats
	for last := uint64(math.MaxUint64); ; last = m.HeapAlloc {
		runtime.GC()
		if runtime.ReadMemStats(&m); m.HeapAlloc > last-last/10_000 {
			return int64(m.HeapAlloc)
		}
	}
}
