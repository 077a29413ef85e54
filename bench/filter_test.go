package bench

import (
	"fmt"
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

// shares are the parts of the points that filters leave, about.
var shares = []float64{0.9, 0.5, 0.25, 0.1, 0.05, 0.01, 0.001}

// narrowing is a filter over real attributes, and how many points match it.
type narrowing struct {
	filter  tarn.Filter
	matches int
}

// byWords leaves about n points by their number of words, which has little to do
// with where they are.
func byWords(all []tarn.Payload, n int) narrowing {
	count := map[int]int{}
	for _, p := range all {
		count[int(p["words"].(float64))]++
	}
	best := narrowing{}
	for from := range 121 {
		sum := 0
		for to := from; to < 121; to++ {
			sum += count[to]
			if best.filter == nil || abs(sum-n) < abs(best.matches-n) {
				best = narrowing{tarn.And(tarn.Gte("words", from), tarn.Lte("words", to)), sum}
			}
		}
	}
	return best
}

// byPackage leaves about n points by their package and their section, which lie
// together.
func byPackage(all []tarn.Payload, n int) narrowing {
	count := map[string]int{}
	for _, p := range all {
		count[p["package"].(string)]++
	}
	names := make([]string, 0, len(count))
	for name := range count {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return count[b] - count[a] })
	var chosen []any
	sum := 0
	for _, name := range names {
		if sum+count[name] <= n+n/20 {
			chosen = append(chosen, name)
			sum += count[name]
		}
	}
	return narrowing{tarn.In("package", chosen...), sum}
}

func abs(n int) int { return max(n, -n) }

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

// BenchmarkFilter asks under filters of all shares, and compares with the exact scan
// of what matches and the search without a filter: bound is the time taken, in parts
// of the sum of the two.
func BenchmarkFilter(b *testing.B) {
	c, s, all := filteredStore(b, "package", "section", "words")
	queries := s.Queries[:200]
	for _, kind := range []struct {
		name string
		make func([]tarn.Payload, int) narrowing
	}{{"words", byWords}, {"package", byPackage}} {
		for _, share := range shares {
			f := kind.make(all, int(share*float64(len(all))))
			truth := make([][]tarn.Result, len(queries))
			for i, q := range queries {
				var err error
				truth[i], err = c.Search(ctx, q, 10, tarn.WithFilter(f.filter), tarn.WithExact(), tarn.WithoutPayload())
				require.NoError(b, err)
			}
			for _, ef := range []int{16, 32, 64, 128} {
				b.Run(fmt.Sprintf("by=%s/s=%v/ef=%d", kind.name, share, ef), func(b *testing.B) { underFilter(b, c, queries, truth, f, ef) })
			}
		}
	}
}

func underFilter(b *testing.B, c *tarn.Collection, queries [][]float32, truth [][]tarn.Result, f narrowing, ef int) {
	ask := func(q []float32, opts ...tarn.SearchOption) []tarn.Result {
		near, err := c.Search(ctx, q, 10, append(opts, tarn.WithEf(ef), tarn.WithoutPayload())...)
		if err != nil {
			b.Fatal(err)
		}
		return near
	}
	hits, of := 0, 0
	for i, q := range queries {
		near := ask(q, tarn.WithFilter(f.filter))
		require.Len(b, near, min(10, f.matches))
		for _, n := range near {
			if n.Distance <= truth[i][len(truth[i])-1].Distance {
				hits++
			}
		}
		of += len(truth[i])
	}
	var took, scan, plain spread
	for i := 0; b.Loop(); i++ {
		q := queries[i%len(queries)]
		took = append(took, timed(func() { ask(q, tarn.WithFilter(f.filter)) }))
		if i%4 == 0 { // in turn, in the same run
			b.StopTimer()
			plain = append(plain, timed(func() { ask(q) }))
			scan = append(scan, timed(func() { ask(q, tarn.WithFilter(f.filter), tarn.WithExact()) }))
			b.StartTimer()
		}
	}
	b.ReportMetric(float64(hits)/float64(of), "recall")
	b.ReportMetric(float64(f.matches), "matches")
	b.ReportMetric(1/middle(took).Seconds(), "qps")
	b.ReportMetric(float64(middle(plain).Microseconds()), "plain-µs")
	b.ReportMetric(float64(middle(scan).Microseconds()), "scan-µs")
	b.ReportMetric(middle(took).Seconds()/(middle(plain)+middle(scan)).Seconds(), "bound")
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
	all, err := data.LoadAttributes(filtered)
	if err != nil {
		b.Skip(err)
	}
	fields := []string{"package", "section", "words"}
	paths := map[bool]string{}
	for _, with := range []bool{false, true} {
		paths[with] = filepath.Join(b.TempDir(), fmt.Sprint("db", with))
		db, err := tarn.Open(paths[with], nil)
		require.NoError(b, err)
		c, err := db.CreateCollection(ctx, "bench", tarn.CollectionConfig{Dim: 4})
		require.NoError(b, err)
		for from := 0; from < len(all); from += 1000 {
			var points []tarn.Point
			for i := from; i < min(from+1000, len(all)); i++ {
				points = append(points, tarn.Point{ID: uint64(i), Vector: []float32{float32(i), 1, 2, 3}, Payload: all[i]})
			}
			require.NoError(b, c.Upsert(ctx, points...))
		}
		indexed(b, c)
		before := heap()
		if with {
			require.NoError(b, c.SetFields(ctx, fields...))
			for c.Stats().FieldsBuilding > 0 {
				time.Sleep(time.Millisecond)
			}
			b.ReportMetric(float64(heap()-before)/float64(len(all)), "index-B/point")
		}
		require.NoError(b, db.Close())
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
	b.ReportMetric(float64(middle(took[false]).Microseconds()), "open-µs")
	b.ReportMetric(float64(middle(took[true]).Microseconds()), "open-indexed-µs")
}

// heap returns the bytes in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
