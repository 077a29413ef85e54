package tarn_test

import (
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
)

func TestD17_APointThatMovesToAndFroIsAlwaysAtOneOfItsPlacesAndNeverTwice(t *testing.T) {
	asked := int64(fromEnv("TARN_MOVING_SEARCHES", unlessShort(3_000, 600)))
	for name, k := range map[string]collection.Knobs{
		"by the graph":    {ExactThreshold: -1},
		"a short ring":    {ExactThreshold: -1, Ring: 2},
		"in the delta":    {ExactThreshold: -1, PauseIndexer: true},
		"exactly":         {},
		"beside rebuilds": {ExactThreshold: -1},
	} {
		t.Run(name, func(t *testing.T) {
			c, _, _ := newCollection(t, tarn.CollectionConfig{Dim: dim, WriteMode: tarn.WriteStreaming}, tarn.WithKnobs(k))
			r := newRand(1)
			others := points(r, 100, 400, dim)
			for i := range others { // far out: what moves is nearest to the middle wherever it is
				others[i].Vector[0] = 100 + float32(i)
			}
			require.NoError(t, c.Upsert(ctx, others...))
			middle, places := make([]float32, dim), [2][]float32{make([]float32, dim), make([]float32, dim)}
			places[0][1], places[1][1] = 10, -11
			require.NoError(t, c.Upsert(ctx, tarn.Point{ID: 1, Vector: places[0]}))
			var searchers []*searcher
			for i := range 3 {
				q := [][]float32{middle, places[0], places[1]}[i]
				at := [2]float64{trueDistance(tarn.L2, q, places[0]), trueDistance(tarn.L2, q, places[1])}
				searchers = append(searchers, keepSearching(t, func() error {
					near, err := c.Search(ctx, q, 3, tarn.WithoutPayload())
					if err != nil {
						return err
					}
					times := 0
					for _, n := range near {
						if n.ID == 1 {
							times++
						}
					}
					d := float64(near[0].Distance)
					if times != 1 || near[0].ID != 1 || math.Abs(d-at[0]) > 1e-3 && math.Abs(d-at[1]) > 1e-3 {
						return fmt.Errorf("a search found %v", near)
					}
					return nil
				}))
			}
			total := func() (n int64) {
				for _, s := range searchers {
					n += s.asked.Load()
				}
				return n
			}
			moves := 0
			for ; total() < asked; moves++ {
				for _, s := range searchers {
					if s.ended.Load() {
						require.NoError(t, s.stop())
					}
				}
				require.NoError(t, c.Upsert(ctx, tarn.Point{ID: 1, Vector: places[(moves+1)%2]}))
				if name == "beside rebuilds" && moves%20 == 0 {
					require.NoError(t, c.Rebuild(ctx, tarn.IndexConfig{}))
				}
			}
			for _, s := range searchers {
				require.NoError(t, s.stop())
			}
			t.Logf("%d searches beside %d moves and %d rebuilds", total(), moves, c.Stats().Rebuilds)
		})
	}
}

func TestD16_D17_FourWritersDuringTenRebuildsLeaveWhatTheyWroteAndNoMore(t *testing.T) {
	rebuilds := int64(fromEnv("TARN_REBUILDS", unlessShort(10, 3)))
	c, db, path := newCollection(t, tarn.CollectionConfig{Dim: dim, WriteMode: tarn.WriteStreaming},
		tarn.WithKnobs(collection.Knobs{ExactThreshold: -1, ChunkSlots: 256, SnapshotChange: 200, Ring: 64}))
	l := &ledger{points: map[uint64]*history{}}
	writes := make(chan struct{}, 4000) // that may still be done: as many beside each rebuild
	var owners []*owner
	var waits []func() error
	var misses atomic.Int64
	for i := range 4 {
		o := &owner{l: l, c: c, r: newRand(uint64(i)), first: uint64(i+1) << 32, have: map[uint64][]float32{}}
		owners = append(owners, o)
		waits = append(waits, inBackgroundFor(t, func() error {
			n := 0
			for range writes {
				err := o.step(func(p tarn.Point) error { return c.Upsert(ctx, p) }, func(id uint64) error {
					n, err := c.Delete(ctx, id)
					if err == nil && n != 1 {
						err = fmt.Errorf("a delete of %d removed %d", id, n)
					}
					return err
				})
				if err != nil {
					return err
				}
				if n++; n%4 == 0 { // no id twice, no old distance, nothing that stands is missing
					if err := l.ask(c, o.r, &misses); err != nil {
						return err
					}
				}
			}
			return nil
		}))
	}
	for range rebuilds {
		for range 400 {
			writes <- struct{}{}
		}
		require.NoError(t, c.Rebuild(ctx, tarn.IndexConfig{}))
	}
	close(writes)
	for _, wait := range waits {
		require.NoError(t, wait())
	}
	require.Zero(t, misses.Load())
	require.GreaterOrEqual(t, c.Stats().Rebuilds, rebuilds)
	for range 2 {
		requireOwned(t, c, owners)
		c, db = reopen(t, db, path, tarn.WithKnobs(graphOnly))
	}
}

func TestI3_AWriteThatIsLoggedBeforeASwapAndPublishedAfterItIsInTheNewView(t *testing.T) {
	for _, step := range []string{"write: before log", "write: after log", "write: before publication", "publish: between new and old"} {
		hooks := newSteps()
		w := newWorld(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{ExactThreshold: -1, Hook: hooks.hook})
		w.upsert(t, points(w.r, 1, 300, dim)...)
		swap := hooks.stop(t, "rebuild: before publication")
		rebuilt := inBackground(t, func() error { return w.c.Rebuild(ctx, tarn.IndexConfig{}) })
		swap.await()
		at := hooks.stop(t, step)
		batch := append(points(w.r, 1000, 5, dim), tarn.Point{ID: 7, Vector: vector(w.r, dim)})
		written := inBackground(t, func() error { return w.c.Upsert(ctx, batch...) })
		at.await()
		swapped := hooks.stop(t, "rebuild: after publication")
		swap.release()
		if step == "publish: between new and old" { // under the publication lock: the swap comes after it
			at.release()
		}
		swapped.await() // the view is another one, and the writer has not published, or has to the old one
		at.release()
		require.NoError(t, written())
		w.note(batch...)
		w.check(t)
		swapped.release()
		require.NoError(t, rebuilt())
		w.check(t)
		eventually(t, "the delta is empty", func() bool { return w.c.Stats().InDelta == 0 })
		w.check(t)
	}
}

// TestD18_EachAcknowledgedPointIsFoundByItsOwnVectorFromThenOn asks for points that
// are nearly the same as others, from their acknowledgement on, while they move from
// the delta to the graph and graphs are swapped. TARN_ACK_SEARCHES=1000000 asks
// longer; TARN_DATA and TARN_ACK_SET take the vectors of a real set.
func TestD18_EachAcknowledgedPointIsFoundByItsOwnVectorFromThenOn(t *testing.T) {
	asked := int64(fromEnv("TARN_ACK_SEARCHES", unlessShort(20_000, 4_000)))
	vectors := nearDuplicates(unlessShort(3_000, 1_000), 64)
	if set := os.Getenv("TARN_ACK_SET"); set != "" {
		vectors = readHalves(t, filepath.Join(os.Getenv("TARN_DATA"), set, "base.f16bin.gz"))
		vectors = vectors[:min(len(vectors), fromEnv("TARN_ACK_POINTS", len(vectors)))]
	}
	c, _, _ := newCollection(t, tarn.CollectionConfig{Dim: len(vectors[0]), Metric: tarn.Cosine, WriteMode: tarn.WriteStreaming}, tarn.WithKnobs(graphOnly))
	known := &acknowledged{}
	var searchers []*searcher
	var more, allowed atomic.Int64 // searches begun, and how many may be
	for i := range 3 {
		r := newRand(uint64(i))
		searchers = append(searchers, keepSearching(t, func() error {
			if more.Load() >= allowed.Load() {
				time.Sleep(100 * time.Microsecond) // for the next point
				return nil
			}
			more.Add(1)
			p := known.pick(r)
			near, err := c.Search(ctx, p.Vector, 1, tarn.WithoutPayload())
			if err != nil {
				return err
			}
			own := float32(trueDistance(tarn.Cosine, p.Vector, p.Vector))
			if len(near) != 1 || near[0].ID != p.ID && near[0].Distance > own+1e-6 {
				return fmt.Errorf("after %d searches, %+v: a search for point %d found %v", more.Load(), c.Stats(), p.ID, near)
			}
			return nil
		}))
	}
	goOn := func(n int64, within int64) { // n searches more
		for allowed.Add(n); more.Load() < allowed.Load()-within; time.Sleep(50 * time.Microsecond) {
			for _, s := range searchers {
				if s.ended.Load() {
					require.NoError(t, s.stop())
				}
			}
		}
	}
	swaps := unlessShort(3, 2) // while points come
	for i, at := range newRand(9).Perm(len(vectors)) {
		p := tarn.Point{ID: uint64(at), Vector: vectors[at]}
		require.NoError(t, c.Upsert(ctx, p))
		known.add(p)
		goOn(asked/2*int64(i+1)/int64(len(vectors))-asked/2*int64(i)/int64(len(vectors)), 100)
		if i%(len(vectors)/swaps+1) == 0 {
			wait := inBackgroundFor(t, func() error { return c.Rebuild(ctx, tarn.IndexConfig{}) })
			defer func() { require.NoError(t, wait()) }()
		}
	}
	var enough atomic.Bool
	wait := inBackgroundFor(t, func() error {
		for !enough.Load() { // one graph after the other
			if err := c.Rebuild(ctx, tarn.IndexConfig{}); err != nil {
				return err
			}
		}
		return nil
	})
	goOn(asked-allowed.Load(), 0)
	enough.Store(true)
	require.NoError(t, wait())
	for _, s := range searchers {
		require.NoError(t, s.stop())
	}
	require.Equal(t, c.Stats().Points, c.Len())
	t.Logf("%d searches among %d points, %d rebuilds, 0 misses", more.Load(), c.Len(), c.Stats().Rebuilds)
}

// nearDuplicates returns vectors of which every third has a neighbour, or a dozen,
// at a cosine above 0.99, as the methods of generated types have.
func nearDuplicates(n, dim int) [][]float32 {
	r := newRand(4)
	centres := make([][]float32, 40)
	for i := range centres {
		centres[i] = vector(r, dim)
	}
	vectors := make([][]float32, n)
	for i := range vectors {
		spread, from := 0.6, centres[r.IntN(len(centres))]
		if i%3 == 0 && i > 0 {
			spread, from = 0.04, vectors[i-1-r.IntN(min(i, 12))]
		}
		v := slices.Clone(from)
		for j := range v {
			v[j] += float32(spread * r.NormFloat64())
		}
		vectors[i] = v
	}
	return vectors
}

// readHalves reads a gzipped file of rows of IEEE half floats: rows, columns, rows.
func readHalves(t testing.TB, path string) [][]float32 {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	data, err := io.ReadAll(z)
	require.NoError(t, err)
	n, dim := int(binary.LittleEndian.Uint32(data)), int(binary.LittleEndian.Uint32(data[4:]))
	data = data[8:]
	require.Len(t, data, n*dim*2)
	vectors := make([][]float32, n)
	for i := range vectors {
		vectors[i] = make([]float32, dim)
		for j := range dim {
			vectors[i][j] = half(binary.LittleEndian.Uint16(data[(i*dim+j)*2:]))
		}
	}
	return vectors
}

// half converts an IEEE half float that is no infinity.
func half(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10&31), uint32(h&1023)
	if exp == 0 {
		return math.Float32frombits(sign|math.Float32bits(float32(frac))) * 0x1p-24
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}
