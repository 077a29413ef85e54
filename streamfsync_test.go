package tarn_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
	"github.com/tarndb/tarn/internal/vfs"
)

// placed opens a collection with a stream on a disk in memory that takes faults.
func placed(t *testing.T) (s *tarn.Stream, c *tarn.Collection, db *tarn.DB, mem *vfs.Mem, disk *vfs.Inject) {
	mem = vfs.NewMem()
	disk = vfs.NewInject(mem)
	c, db = openMem(t, disk, collection.Knobs{NoBackground: true})
	s, err := c.EnableStreaming(ctx, tarn.StreamingConfig{BatchSize: 4, FlushInterval: time.Hour})
	require.NoError(t, err)
	return s, c, db, mem, disk
}

func TestBatchesWithTheirPlacesShareFsyncs(t *testing.T) {
	const batches = 20 // so few that the log does not begin to fill its next segment ahead
	synctest.Test(t, func(t *testing.T) {
		s, c, db, _, disk := placed(t)
		slow := &vfs.Fault{Ops: []vfs.Op{vfs.OpSyncData, vfs.OpSync}, When: ofTheLog, Delay: time.Second}
		disk.Add(slow)
		r := newRand(1)
		var tickets []tarn.Ticket
		sendNext := func() {
			n := uint64(len(tickets))
			ticket, err := s.SendBatch(ctx, points(r, 4*n, 4, dim), tarn.From("a", n))
			require.NoError(t, err)
			tickets = append(tickets, ticket)
		}
		sendNext()
		synctest.Wait() // its fsync is under way
		for len(tickets) < batches {
			sendNext()
		}
		begun := time.Now()
		waitAll(t, tickets)
		require.LessOrEqual(t, time.Since(begun), 3*time.Second)
		require.LessOrEqual(t, disk.Hits(slow), 3, "the first, what was logged when the second began, and the rest")
		require.EqualValues(t, batches, s.Stats().Batches, "each is a record of its own")
		require.EqualValues(t, batches, c.Stats().AppliedLSN)
		offset, ok := c.Position("a")
		require.True(t, ok)
		require.EqualValues(t, batches-1, offset)
		require.NoError(t, db.Close())
	})
}

func TestA10_APowerCutWhileBatchesWithTheirPlacesWaitForOneFsyncKeepsPointsAndPlaceTogether(t *testing.T) {
	const batches = 24
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			s, c, db, mem, disk := placed(t)
			disk.Add(&vfs.Fault{Ops: []vfs.Op{vfs.OpSyncData}, When: ofTheLog, Delay: time.Second})
			r := newRand(seed)
			var tickets []tarn.Ticket
			sendNext := func() {
				n := uint64(len(tickets))
				ticket, err := s.SendBatch(ctx, points(r, 4*n, 4, dim), tarn.From("a", n+1))
				require.NoError(t, err)
				tickets = append(tickets, ticket)
			}
			sendNext()
			synctest.Wait()
			for len(tickets) < batches {
				sendNext()
			}
			time.Sleep(1500 * time.Millisecond) // the first is durable, many are logged, an fsync is under way
			offset, _ := c.Position("a")
			require.EqualValues(t, 1, offset, "Position tells what is durable")
			require.Equal(t, 4*batches, c.Len(), "all are searchable")
			cut := mem.Crash(seed, vfs.Crash{Keep: float64(seed%5) / 4, Torn: 0.3})
			waitAll(t, tickets)
			require.NoError(t, db.Close())

			c, db = openMem(t, cut, collection.Knobs{NoBackground: true})
			offset, ok := c.Position("a")
			require.True(t, ok)
			require.GreaterOrEqual(t, offset, uint64(1), "what was acknowledged is there")
			require.EqualValues(t, 4*offset, c.Len(), "the points are those of the place, none missing and none beyond it")
			s, err := c.Stream()
			require.NoError(t, err)
			r = newRand(seed)
			for n := range uint64(batches) { // the source is read again from its beginning
				_, err := s.SendBatch(ctx, points(r, 4*n, 4, dim), tarn.From("a", n+1))
				require.NoError(t, err)
			}
			require.NoError(t, s.Flush(ctx))
			require.EqualValues(t, 4*offset, s.Stats().Skipped, "nothing is written twice")
			require.Equal(t, 4*batches, c.Len())
			require.NoError(t, db.Close())
		})
	}
}
