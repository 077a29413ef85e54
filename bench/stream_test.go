package bench

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/bench/internal/data"
	"github.com/tarndb/tarn/internal/vfs"
	"github.com/tarndb/tarn/wal"
)

const (
	burst       = 50_000 // points that come at once
	burstRounds = 15     // bursts of one measurement, each on a store of its own
)

// payloads are what points carry: nothing, or an object of about 100 bytes as JSON.
var payloads = []struct {
	name string
	of   func(i int) tarn.Payload
}{
	{"none", func(int) tarn.Payload { return nil }},
	{"100B", func(i int) tarn.Payload {
		return tarn.Payload{"title": "a passage of a manual page, as many others", "section": int64(i % 9), "words": int64(80), "lang": "en", "rank": 0.25}
	}},
}

// streamSets are the sets that streams are measured with: 384 dimensions.
func streamSets(b *testing.B, fn func(b *testing.B, s *data.Set)) {
	forEachSet(b, func(b *testing.B, s *data.Set) {
		if s.Dim() == 384 && !strings.Contains(s.Name, "godoc") {
			fn(b, s)
		}
	})
}

// makePoints returns n points with the set's vectors in turn, ids from first on.
func makePoints(s *data.Set, first, n int, payload func(int) tarn.Payload) []tarn.Point {
	ps := make([]tarn.Point, n)
	for i := range ps {
		ps[i] = tarn.Point{ID: uint64(first + i), Vector: s.Base[(first+i)%len(s.Base)], Payload: payload(i)}
	}
	return ps
}

// BenchmarkTrySend measures the call alone: the queue takes all of it, and nothing
// is written meanwhile.
func BenchmarkTrySend(b *testing.B) {
	const n = 10_000
	streamSets(b, func(b *testing.B, s *data.Set) {
		for _, p := range payloads {
			ps := makePoints(s, 0, n, p.of)
			for _, producers := range []int{1, 4, 16} {
				b.Run(fmt.Sprintf("payload=%s/producers=%d", p.name, producers), func(b *testing.B) {
					c := newCollection(b, s, tarn.CollectionConfig{})
					var took []float64
					var mallocs uint64
					for b.Loop() {
						stream, err := c.EnableStreaming(ctx, tarn.StreamingConfig{BufferSize: 2 * n, BatchSize: 4 * n, FlushInterval: time.Hour})
						require.NoError(b, err)
						var before, after runtime.MemStats
						runtime.ReadMemStats(&before)
						start := time.Now()
						inParallel(producers, n, func(i int) {
							if _, err := stream.TrySend(ps[i]); err != nil {
								b.Error(err)
							}
						})
						took = append(took, float64(time.Since(start).Nanoseconds())/n)
						runtime.ReadMemStats(&after)
						mallocs += after.Mallocs - before.Mallocs
						require.Len(b, stream.Abort(), n) // nothing of it is written
					}
					slices.Sort(took)
					b.ReportMetric(took[len(took)/2], "ns/send")
					b.ReportMetric(float64(mallocs)/float64(n*len(took)), "allocs/send")
				})
			}
		}
	})
}

// inParallel calls fn with 0 to n-1, shared out in turn among goroutines.
func inParallel(goroutines, n int, fn func(i int)) {
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := g; i < n; i += goroutines {
				fn(i)
			}
		})
	}
	wg.Wait()
}

// rates are what one burst came to, in points a second, until the last was accepted
// and durable.
type rates struct {
	accepted, durable, log, logBatches float64
	waits                              spread
	searches, misses                   int64
}

// BenchmarkStreamBurst sends a burst, waits for the ticket of each point while a
// searcher asks for those just acknowledged, and then gives the same records to the
// log alone: burstRounds such pairs, the last of which waits for the graph too. Metrics
// are medians, ratios those of the pairs.
func BenchmarkStreamBurst(b *testing.B) {
	streamSets(b, func(b *testing.B, s *data.Set) {
		for _, p := range payloads {
			ps := makePoints(s, 0, burst, p.of)
			for _, producers := range []int{1, 4, 16} {
				b.Run(fmt.Sprintf("payload=%s/producers=%d/searcher=no", p.name, producers), func(b *testing.B) { benchBurst(b, s, ps, producers, false) })
			}
			b.Run(fmt.Sprintf("payload=%s/producers=4/searcher=yes", p.name), func(b *testing.B) { benchBurst(b, s, ps, 4, true) })
		}
	})
}

// benchBurst gives the log alone two streams of records: what the stream wrote on
// average, and BatchSize points each.
func benchBurst(b *testing.B, s *data.Set, ps []tarn.Point, producers int, searcher bool) {
	var all []rates
	var inGraph []float64
	for b.Loop() {
		for round := range burstRounds {
			c, end := openCollection(b, s, tarn.CollectionConfig{Streaming: &tarn.StreamingConfig{}})
			start := time.Now()
			r, points := sendBurst(b, c, ps, producers, searcher)
			if round == burstRounds-1 {
				inGraph = append(inGraph, float64(len(ps))/emptied(b, c).Sub(start).Seconds())
			}
			end()
			r.log, r.logBatches = logAlone(b, ps, points), logAlone(b, ps, tarn.DefaultStreamingConfig().BatchSize)
			all = append(all, r)
		}
	}
	mid := func(of func(r rates) float64) float64 {
		var v []float64
		for _, r := range all {
			v = append(v, of(r))
		}
		return median(v)
	}
	b.ReportMetric(mid(func(r rates) float64 { return r.accepted }), "accepted/s")
	b.ReportMetric(mid(func(r rates) float64 { return r.durable }), "durable/s")
	b.ReportMetric(median(inGraph), "indexed/s")
	b.ReportMetric(mid(func(r rates) float64 { return r.log }), "log/s")
	b.ReportMetric(mid(func(r rates) float64 { return r.durable / r.log }), "durable/log")
	b.ReportMetric(mid(func(r rates) float64 { return r.durable / r.logBatches }), "durable/log-of-batches")
	b.ReportMetric(mid(func(r rates) float64 { return r.waits.at(0.5) }), "wait-p50-ms")
	b.ReportMetric(mid(func(r rates) float64 { return r.waits.at(0.99) }), "wait-p99-ms")
	if searcher {
		b.ReportMetric(mid(func(r rates) float64 { return float64(r.searches) }), "searches")
		b.ReportMetric(mid(func(r rates) float64 { return float64(r.misses) }), "misses")
	}
}

// at returns a quantile in milliseconds of a spread that is sorted.
func (s spread) at(q float64) float64 {
	return float64(s[int(q*float64(len(s)-1))].Nanoseconds()) / 1e6
}

// sent is a point that waits for its ticket.
type sent struct {
	i      int
	ticket tarn.Ticket
	at     time.Time
}

// sendBurst sends ps from some producers, each with a goroutine that waits for its
// tickets in order. perRecord is how many points a record had on average.
func sendBurst(b *testing.B, c *tarn.Collection, ps []tarn.Point, producers int, searcher bool) (r rates, perRecord int) {
	stream, err := c.Stream()
	require.NoError(b, err)
	var acknowledged atomic.Int64 // one of the points that were just acknowledged, plus one
	var done atomic.Bool
	var search, send, wait sync.WaitGroup
	if searcher {
		search.Go(func() { r.searches, r.misses = askForNewest(b, c, ps, &acknowledged, &done) })
	}
	waits := make([]spread, producers)
	start := time.Now()
	for p := range producers {
		open := make(chan sent, len(ps)/producers+1)
		send.Go(func() {
			defer close(open)
			for i := p; i < len(ps); i += producers {
				at := time.Now()
				ticket, err := stream.Send(ctx, ps[i])
				if err != nil {
					b.Error(err)
					return
				}
				open <- sent{i, ticket, at}
			}
		})
		wait.Go(func() {
			for o := range open {
				if err := o.ticket.Wait(ctx); err != nil {
					b.Error(err)
				}
				waits[p] = append(waits[p], time.Since(o.at))
				acknowledged.Store(int64(o.i) + 1)
			}
		})
	}
	send.Wait()
	r.accepted = perSecond(len(ps), start)
	wait.Wait()
	r.durable = perSecond(len(ps), start)
	done.Store(true)
	search.Wait()
	r.waits = slices.Concat(waits...)
	slices.Sort(r.waits)
	st := stream.Stats()
	require.EqualValues(b, len(ps), st.Written)
	return r, max(1, len(ps)/int(st.Batches))
}

func perSecond(n int, since time.Time) float64 { return float64(n) / time.Since(since).Seconds() }

// askForNewest searches for what was acknowledged a moment ago, over and over.
func askForNewest(b *testing.B, c *tarn.Collection, ps []tarn.Point, acknowledged *atomic.Int64, done *atomic.Bool) (searches, misses int64) {
	for !done.Load() {
		i := acknowledged.Load() - 1
		if i < 0 {
			runtime.Gosched()
			continue
		}
		near, err := c.Search(ctx, ps[i].Vector, 2, tarn.WithoutPayload())
		if err != nil {
			b.Error(err)
			return
		}
		searches++
		same := len(near) == 2 && near[0].Distance == near[1].Distance
		if len(near) == 0 || near[0].ID != ps[i].ID && !same && near[0].Distance > 1e-6 {
			misses++
		}
	}
	return searches, misses
}

// logAlone appends and syncs records of so many of ps one after another, as a stream
// with nothing else to do would, and returns points a second. A record has the bytes that
// a stream would give it: of each point its vector, where it lies, and what goes before
// and after it.
func logAlone(b *testing.B, ps []tarn.Point, perRecord int) float64 {
	b.Helper()
	path := filepath.Join(b.TempDir(), "log")
	dir, err := vfs.CreateOS(path)
	require.NoError(b, err)
	defer func() { require.NoError(b, errors.Join(dir.Close(), os.RemoveAll(path))) }()
	o := wal.Options{UUID: [16]byte{1}}
	require.NoError(b, wal.Create(dir, o))
	l, _, err := wal.Open(dir, o, 0, nil)
	require.NoError(b, err)
	defer func() { require.NoError(b, l.Close()) }()
	rest := make([]byte, 24, 124)
	if ps[0].Payload != nil {
		rest = rest[:cap(rest)]
	}
	var records [][][]byte
	for chunk := range slices.Chunk(ps, perRecord) {
		var parts [][]byte
		for i := range chunk {
			raw, ok := vfs.Bytes(chunk[i].Vector)
			require.True(b, ok)
			parts = append(parts, rest, raw)
		}
		records = append(records, parts)
	}
	start := time.Now()
	for _, parts := range records {
		lsn, err := l.Append(1, parts...)
		require.NoError(b, errors.Join(err, l.Sync(lsn)))
	}
	return perSecond(len(ps), start)
}
