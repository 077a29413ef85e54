package collection

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const courtesyLimit = 800

// burst is a stream with a backlog and without goroutines: only what it asks of the
// indexers is real.
type burst struct {
	t    *testing.T
	s    *Stream
	next int // id that was not written
}

func newBurst(t *testing.T) *burst {
	c := newTestCollection(t, tempFS(t), Knobs{PauseIndexer: true, NoBackground: true, DeltaLimit: courtesyLimit})
	b := &burst{t: t, s: &Stream{c: c}}
	t.Cleanup(func() {
		b.s.crowded(false)
		require.Zero(t, shared.bursts.Load())
	})
	return b
}

// write writes ten points, new ones or the first ten again, and reports how many of
// them indexers stood aside for.
func (b *burst) write(fresh bool) (aside int) {
	b.s.crowded(true)
	b.s.courtesy.count(b.s.c, 10)
	if shared.bursts.Load() > 0 {
		aside = 10
	}
	from := 0
	if fresh {
		from, b.next = b.next, b.next+10
	}
	require.NoError(b.t, b.s.c.Upsert(b.t.Context(), randomPoints(1, from, 10)...))
	b.s.crowded(false) // a backlog that flickers is none the younger
	require.Zero(b.t, shared.bursts.Load())
	return aside
}

func TestIndexersStandAsideForABurstWhileTheDeltaHasRoom(t *testing.T) {
	b := newBurst(t)
	aside := 0
	for range 100 {
		aside += b.write(true)
	}
	require.Equal(t, courtesyLimit/8*7, aside)
}

func TestIndexersStandAsideForOneFlushOfPointsThatAreWrittenAgainAndAgain(t *testing.T) {
	b := newBurst(t)
	aside := 0
	for range 300 { // the delta never fills
		aside += b.write(false)
	}
	require.Equal(t, 20, aside, "what the delta holds, and one flush")
}

func TestIndexersMakeUpForWhatTheyPutOffPointByPoint(t *testing.T) {
	b := newBurst(t)
	again := func() (aside int) {
		for range 100 {
			aside += b.write(false)
		}
		return aside
	}
	require.Equal(t, 20, again())
	require.Zero(t, again(), "in a backlog without end they work on")
	b.s.c.index.linked.Add(50)
	require.Equal(t, 20, again())
	require.Zero(t, again())
	b.s.c.index.linked.Add(20)
	require.Equal(t, 20, again(), "as many as they indexed")
	b.s.c.index.linked.Add(1 << 40)
	require.Equal(t, 20, again(), "no more for having worked a lot")
}

func TestACheckpointIsDueLaterInABurstAndAtItsEnd(t *testing.T) {
	const size = 64 << 10 // bytes of log
	c := newTestCollection(t, tempFS(t), Knobs{PauseIndexer: true, NoBackground: true, CheckpointBytes: size})
	s := &Stream{c: c}
	due := func() bool {
		select {
		case <-c.check.kicked:
			return true
		default:
			return false
		}
	}
	next := 0
	fill := func(upTo int64) {
		for ; c.wal.Size() < upTo; next++ {
			require.False(t, due(), "with %d bytes", c.wal.Size())
			require.NoError(t, c.Upsert(t.Context(), randomPoints(1, next, 1)...))
		}
		require.True(t, due(), "with %d bytes", c.wal.Size())
	}
	fill(size)
	require.NoError(t, c.Checkpoint(t.Context()))
	before := c.wal.Size()
	require.Less(t, before, int64(size))
	s.crowded(true)
	fill(burstShare * size)
	require.NoError(t, c.Checkpoint(t.Context()))
	for c.wal.Size() < size {
		require.NoError(t, c.Upsert(t.Context(), randomPoints(1, next, 1)...))
		next++
	}
	require.False(t, due(), "the burst goes on")
	s.crowded(false)
	require.True(t, due(), "it is over")
}

// TestCodesOfABurstAreCopiedWhenTheGraphHasIt: not before, and without a checkpoint.
func TestCodesOfABurstAreCopiedWhenTheGraphHasIt(t *testing.T) {
	fs, gate := tempFS(t), make(chan struct{})
	const dim, n = 16_384, 270 // three chunks, of which two have codes enough to be copied
	require.NoError(t, Create(fs, Config{Dim: dim}, [16]byte{1}))
	c, err := Open(Options{Name: "test", FS: fs, MaxPayload: 1000, MaxK: 100, Knobs: Knobs{
		CheckpointBytes: 1 << 40,
		Hook: func(step string) {
			if step == "index: between graph and delta" {
				<-gate
			}
		},
	}})
	require.NoError(t, err)
	open := sync.OnceFunc(func() { close(gate) })
	defer func() {
		open()
		require.NoError(t, c.Close())
	}()
	for range 2 {
		c.warm <- struct{}{} // the second is taken when the copying at the start is over
	}
	points := make([]Point, n)
	for i := range points {
		v := make([]float32, dim)
		v[i] = 1
		points[i] = Point{ID: uint64(i), Vector: v}
	}
	require.NoError(t, c.Upsert(t.Context(), points...))
	require.True(t, c.store.Cold())
	before := &c.store.Codes().Bytes(2)[0]
	open()
	untilTrue(t, "the codes are copied", func() bool { return before != &c.store.Codes().Bytes(2)[0] })
	require.False(t, c.store.Cold())
}
