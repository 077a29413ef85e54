package tarn_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
)

// optionSets are collections of all kinds, with limits so low that what is rare in
// life happens all the time.
var optionSets = map[string]struct {
	cfg   tarn.CollectionConfig
	knobs collection.Knobs
}{
	"as it comes":                  {cfg: tarn.CollectionConfig{Dim: 8}},
	"as it comes, cosine":          {cfg: tarn.CollectionConfig{Dim: 33, Metric: tarn.Cosine}},
	"as it comes, dot":             {cfg: tarn.CollectionConfig{Dim: 16, Metric: tarn.Dot}},
	"by the graph":                 {cfg: tarn.CollectionConfig{Dim: 8}, knobs: collection.Knobs{ExactThreshold: -1}},
	"by the graph, cosine":         {cfg: tarn.CollectionConfig{Dim: 17, Metric: tarn.Cosine}, knobs: collection.Knobs{ExactThreshold: -1}},
	"by the graph, dot":            {cfg: tarn.CollectionConfig{Dim: 12, Metric: tarn.Dot}, knobs: collection.Knobs{ExactThreshold: -1}},
	"one dimension":                {cfg: tarn.CollectionConfig{Dim: 1}, knobs: collection.Knobs{ExactThreshold: -1}},
	"many dimensions":              {cfg: tarn.CollectionConfig{Dim: 300, Metric: tarn.Cosine}, knobs: collection.Knobs{ExactThreshold: -1, ChunkSlots: 64}},
	"all in the delta":             {cfg: tarn.CollectionConfig{Dim: 8}, knobs: collection.Knobs{ExactThreshold: -1, PauseIndexer: true}},
	"a small delta":                {cfg: tarn.CollectionConfig{Dim: 8}, knobs: collection.Knobs{ExactThreshold: -1, DeltaLimit: 4}},
	"small files":                  {cfg: tarn.CollectionConfig{Dim: 8}, knobs: collection.Knobs{ExactThreshold: -1, ChunkSlots: 64, LogSegment: 8192, SnapshotChange: 10}},
	"checkpoints all the time":     {cfg: tarn.CollectionConfig{Dim: 8}, knobs: collection.Knobs{ExactThreshold: -1, ChunkSlots: 64, LogSegment: 8192, CheckpointBytes: 2048, LogLimit: 8192, SnapshotChange: 50}},
	"a short ring":                 {cfg: tarn.CollectionConfig{Dim: 8}, knobs: collection.Knobs{ExactThreshold: -1, Ring: 2}},
	"fsyncs later":                 {cfg: tarn.CollectionConfig{Dim: 8, WriteMode: tarn.WriteStreaming}, knobs: collection.Knobs{ExactThreshold: -1}},
	"fsyncs later, small files":    {cfg: tarn.CollectionConfig{Dim: 5, WriteMode: tarn.WriteStreaming}, knobs: collection.Knobs{ChunkSlots: 64, LogSegment: 8192, CheckpointBytes: 4096}},
	"a small graph":                {cfg: tarn.CollectionConfig{Dim: 8, Index: tarn.IndexConfig{M: 6, EfConstruction: 30, EfSearch: 100}}, knobs: collection.Knobs{ExactThreshold: -1}},
	"a wide beam":                  {cfg: tarn.CollectionConfig{Dim: 8, Index: tarn.IndexConfig{M: 32, EfSearch: 400}}, knobs: collection.Knobs{ExactThreshold: -1}},
	"no work in the background":    {cfg: tarn.CollectionConfig{Dim: 8}, knobs: collection.Knobs{ExactThreshold: -1, NoBackground: true, PauseIndexer: true}},
	"the other engine":             {cfg: tarn.CollectionConfig{Dim: 8, Index: tarn.IndexConfig{Engine: tarn.EngineCoder}}},
	"the other engine, its graph":  {cfg: tarn.CollectionConfig{Dim: 8, Index: tarn.IndexConfig{Engine: tarn.EngineCoder}}, knobs: collection.Knobs{ExactThreshold: -1}},
	"batches of one":               {cfg: tarn.CollectionConfig{Dim: 8, Streaming: &tarn.StreamingConfig{BatchSize: 1, BufferSize: 1, FlushInterval: 1}}, knobs: collection.Knobs{ExactThreshold: -1}},
	"a stream that waits an hour":  {cfg: tarn.CollectionConfig{Dim: 8, Streaming: &tarn.StreamingConfig{BatchSize: 1000, FlushInterval: time.Hour}}},
	"a stream of small batches":    {cfg: tarn.CollectionConfig{Dim: 8, Streaming: &tarn.StreamingConfig{BatchSize: 3, BufferSize: 9, FlushInterval: time.Millisecond}}, knobs: collection.Knobs{ExactThreshold: -1}},
	"everything small, everything": {cfg: tarn.CollectionConfig{Dim: 8, Metric: tarn.Cosine, WriteMode: tarn.WriteStreaming, Streaming: &tarn.StreamingConfig{BatchSize: 5}}, knobs: collection.Knobs{ExactThreshold: 50, ChunkSlots: 64, LogSegment: 8192, CheckpointBytes: 4096, SnapshotChange: 20, Ring: 4, DeltaLimit: 30}},
}

// TestAnyRunOfOperationsEqualsAMap runs random operations on every option set. More
// of them: TARN_MODEL_OPS=10000; another run: TARN_MODEL_SEED=7.
func TestAnyRunOfOperationsEqualsAMap(t *testing.T) {
	ops, seed := fromEnv("TARN_MODEL_OPS", unlessShort(250, 60)), uint64(fromEnv("TARN_MODEL_SEED", 1))
	for name, set := range optionSets {
		t.Run(name, func(t *testing.T) {
			if set.cfg.Streaming == nil {
				set.cfg.Streaming = &tarn.StreamingConfig{}
			}
			m := &model{world: newWorld(t, set.cfg, set.knobs), dim: set.cfg.Dim, position: -1,
				busy: set.knobs.CheckpointBytes > 0, approximate: set.knobs.ExactThreshold != 0, coder: set.cfg.Index.Engine == tarn.EngineCoder}
			m.r = newRand(seed)
			for i := range ops {
				m.step(t)
				if t.Failed() {
					t.Fatalf("after %d operations of seed %d: %v", i, seed, m.log)
				}
			}
			m.end(t)
		})
	}
}

// unlessShort is n, or less where go test -short asks for less, or the race
// detector makes each step ten times as slow.
func unlessShort(n, less int) int {
	if testing.Short() || raceOn {
		return less
	}
	return n
}

func fromEnv(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// model is a world under random operations.
type model struct {
	*world
	dim         int
	busy        bool // files change in the background: a copy is of no one moment
	approximate bool // not always searched exactly
	coder       bool
	position    int // the highest offset of the source
	log         []string

	asked, found int // neighbours, over all searches by the graph
}

// ids are few, so that moves and returns are many.
const modelIDs = 400

// vector returns one of several kinds of vectors.
func (m *model) vector() []float32 {
	v := vector(m.r, m.dim)
	switch m.r.IntN(10) {
	case 0: // one that others have
		for _, p := range m.have {
			return slices.Clone(p.Vector)
		}
	case 1: // one of a cluster
		centre := vector(newRand(m.r.Uint64N(3)), m.dim)
		for i := range v {
			v[i] = centre[i] + v[i]*0.05
		}
	case 2: // on a grid
		for i := range v {
			v[i] = float32(1 + m.r.IntN(2))
		}
	case 3: // far away
		for i := range v {
			v[i] = v[i]*0.1 + 50
		}
	}
	return v
}

func (m *model) points(n int) []tarn.Point {
	ps := make([]tarn.Point, n)
	for i := range ps {
		ps[i] = tarn.Point{ID: m.r.Uint64N(modelIDs), Vector: m.vector()}
		switch m.r.IntN(3) {
		case 0:
			ps[i].Payload = tarn.Payload{"n": m.r.Int64N(1000), "s": "text"}
		case 1:
			ps[i].Payload = tarn.Payload{}
		}
	}
	return ps
}

// step does one random thing.
func (m *model) step(t *testing.T) {
	op := m.r.IntN(100)
	m.log = append(m.log, fmt.Sprint(op))
	switch {
	case op < 20:
		m.upsert(t, m.points(1+m.r.IntN(3))...)
	case op < 25:
		m.upsert(t, m.points(1+m.r.IntN(60))...)
	case op < 35:
		m.delete(t, m.r.Uint64N(modelIDs))
	case op < 38:
		m.delete(t, m.ids(m.r.IntN(30))...)
	case op < 53:
		m.stream(t)
	case op < 58:
		m.sendFrom(t)
	case op < 88:
		m.search(t)
	case op < 91:
		require.NoError(t, m.c.Checkpoint(ctx))
	case op < 93:
		require.NoError(t, m.c.Sync(ctx))
	case op < 95:
		require.NoError(t, m.c.Rebuild(ctx, tarn.IndexConfig{}))
	case op < 97:
		m.settleStream(t)
		m.reopen(t)
	case op < 99 && !m.busy:
		m.settleStream(t)
		m.die(t)
	default:
		m.configure(t)
	}
	m.look(t)
}

// stream sends points and deletes, and does not always wait for them.
func (m *model) stream(t *testing.T) {
	s, err := m.c.Stream()
	require.NoError(t, err)
	ps := m.points(1 + m.r.IntN(12))
	switch m.r.IntN(4) {
	case 0:
		for _, p := range ps {
			_, err := s.Send(soon(t), p)
			require.NoError(t, err)
		}
	case 1:
		_, err = s.SendBatch(soon(t), ps)
		require.NoError(t, err)
	case 2:
		n, _, err := s.TrySendBatch(ps)
		if n < len(ps) {
			require.ErrorIs(t, err, tarn.ErrBufferFull)
		}
		ps = ps[:n]
	case 3:
		var ops []tarn.Op
		for i, p := range ps {
			ops = append(ops, tarn.Op{Delete: i%3 == 0, Point: p})
		}
		_, err = s.SendOps(soon(t), ops)
		require.NoError(t, err)
		for _, o := range ops {
			m.apply(o)
		}
		ps = nil
	}
	m.note(ps...)
	if m.r.IntN(2) == 0 {
		m.settleStream(t)
		return
	}
	if len(ps) > 0 { // a call comes after what the stream took for its id
		m.upsert(t, tarn.Point{ID: ps[0].ID, Vector: m.vector()})
	}
	m.settleStream(t)
}

func (m *model) apply(o tarn.Op) {
	if !o.Delete {
		m.note(o.Point)
		return
	}
	delete(m.have, o.Point.ID)
	delete(m.moved, o.Point.ID)
	m.gone[o.Point.ID] = true
}

// settleStream waits until all that was sent is in the collection.
func (m *model) settleStream(t *testing.T) {
	s, err := m.c.Stream()
	require.NoError(t, err)
	require.NoError(t, s.Flush(soon(t)))
	requireCounters(t, s)
}

// sendFrom replays a source, now and then from an earlier place.
func (m *model) sendFrom(t *testing.T) {
	s, err := m.c.Stream()
	require.NoError(t, err)
	offset := max(0, m.position-2+m.r.IntN(5))
	ps := m.points(m.r.IntN(min(10, s.Config().BufferSize+1)))
	ticket, err := s.SendBatch(soon(t), ps, tarn.From("source", uint64(offset)))
	require.NoError(t, err)
	m.settleStream(t)
	require.NoError(t, ticket.Wait(ctx))
	if offset > m.position {
		m.note(ps...)
		m.position = offset
	}
	at, ok := m.c.Position("source")
	require.True(t, ok)
	require.Equal(t, uint64(m.position), at)
}

// die goes on with what a killed process would have left.
func (m *model) die(t *testing.T) {
	copied := filepath.Join(t.TempDir(), "copy")
	require.NoError(t, os.CopyFS(copied, os.DirFS(m.path)))
	require.NoError(t, m.db.Close())
	m.path = copied
	m.c, m.db = openCollection(t, copied, m.opts)
}

// configure changes what may be changed while it runs.
func (m *model) configure(t *testing.T) {
	cfg := *m.c.Config().Streaming
	cfg.BatchSize = 1 + m.r.IntN(200)
	s, err := m.c.EnableStreaming(ctx, cfg)
	require.NoError(t, err)
	require.Equal(t, cfg, s.Config())
	if m.coder {
		return
	}
	index := tarn.IndexConfig{M: 4 + m.r.IntN(20)}
	require.NoError(t, m.c.Rebuild(ctx, index))
	require.Equal(t, index.M, m.c.Config().Index.M)
}

// look compares what costs little after every step.
func (m *model) look(t *testing.T) {
	require.Equal(t, len(m.have), m.c.Len(), "points")
	for _, id := range append(m.ids(2), m.r.Uint64N(modelIDs)) {
		got, err := m.c.Get(ctx, id)
		p, ok := m.have[id]
		if !ok {
			require.ErrorIs(t, err, tarn.ErrNotFound)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, p, got)
	}
}

// search asks a random question and compares the answer with the truth.
func (m *model) search(t *testing.T) {
	q, k := m.vector(), []int{1, 2, 5, 10, 30, 1000}[m.r.IntN(6)]
	var own *tarn.Point
	if m.r.IntN(2) == 0 {
		for _, id := range m.ids(1) {
			p := m.have[id]
			own, q = &p, p.Vector
		}
	}
	exact := m.r.IntN(3) == 0
	opts := []tarn.SearchOption{tarn.WithVectors()}
	if exact {
		opts = append(opts, tarn.WithExact())
	}
	near, err := m.c.Search(ctx, q, k, opts...)
	require.NoError(t, err)
	require.Len(t, near, min(k, len(m.have)))
	requireOrdered(t, near)
	for _, n := range near {
		p, ok := m.have[n.ID]
		require.True(t, ok, "%d was deleted or never there", n.ID)
		require.Equal(t, p.Vector, n.Vector)
		require.Equal(t, p.Payload, n.Payload)
		require.InDelta(t, trueDistance(m.m, q, p.Vector), float64(n.Distance), tolerance(m.m, q, p.Vector)+1e-5)
	}
	if exact || !m.approximate && len(m.have) < 2000 {
		for i, d := range m.truth(q)[:len(near)] {
			require.InDelta(t, d, float64(near[i].Distance), 1e-4*(1+math.Abs(d)), "neighbour %d", i)
		}
		return
	}
	if own != nil && m.m != tarn.Dot && !m.coder {
		require.LessOrEqual(t, float64(near[0].Distance), trueDistance(m.m, q, q)+tolerance(m.m, q, q)+1e-5, "its own vector does not find point %d", own.ID)
	}
	for i, d := range m.truth(q)[:min(k, 10, len(near))] {
		if m.asked++; float64(near[i].Distance) <= d+1e-4*(1+math.Abs(d)) {
			m.found++
		}
	}
}

// truth returns the distances of all points from q, ascending.
func (m *model) truth(q []float32) []float64 {
	ds := make([]float64, 0, len(m.have))
	for _, p := range m.have {
		ds = append(ds, trueDistance(m.m, q, p.Vector))
	}
	slices.Sort(ds)
	return ds
}

// end looks at everything, before and after it is opened again.
func (m *model) end(t *testing.T) {
	m.settleStream(t)
	for range 2 {
		n := 0
		for p, err := range m.c.All(ctx) {
			require.NoError(t, err)
			require.Equal(t, m.have[p.ID], p)
			n++
		}
		require.Equal(t, len(m.have), n)
		all, err := m.c.Search(ctx, m.vector(), modelIDs+1)
		require.NoError(t, err)
		require.Len(t, all, len(m.have))
		requireOrdered(t, all)
		require.NoError(t, m.c.Checkpoint(ctx))
		st := m.c.Stats()
		require.Equal(t, st.AppliedLSN, st.DurableLSN)
		require.Equal(t, st.AppliedLSN, st.CheckpointLSN)
		require.Zero(t, st.WALBytes)
		m.reopen(t)
	}
	if m.asked > 100 && !m.coder && m.m != tarn.Dot {
		require.GreaterOrEqual(t, float64(m.found)/float64(m.asked), 0.95, "recall of %d neighbours", m.asked)
	}
}
