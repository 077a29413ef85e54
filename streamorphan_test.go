package tarn_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
	"github.com/tarndb/tarn/internal/vfs"
)

// A dead stream whose batches still wait for an fsync is not replaced when the
// context of EnableStreaming ends: what it still has to tell would come after the next
// stream has begun, and nobody would wait for it.
func TestAStreamThatDiedIsNotReplacedWhileItsBatchesWaitForTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hooks := newSteps()
		disk := vfs.NewInject(vfs.NewMem())
		c, db := openMem(t, disk, collection.Knobs{NoBackground: true, Hook: hooks.hook})
		s, err := c.EnableStreaming(ctx, tarn.StreamingConfig{BatchSize: 4, FlushInterval: time.Hour})
		require.NoError(t, err)
		slow := &vfs.Fault{Ops: []vfs.Op{vfs.OpSyncData, vfs.OpSync}, When: ofTheLog, Delay: time.Second}
		disk.Add(slow)
		flushes := 0
		hooks.call("write: before log", func() {
			if flushes++; flushes == 4 {
				panic("the roof fell in")
			}
		})
		var tickets []tarn.Ticket
		for n := range uint64(4) {
			ticket, err := s.SendBatch(ctx, points(newRand(n), 4*n, 4, dim), tarn.From("a", n+1))
			require.NoError(t, err)
			tickets = append(tickets, ticket)
			synctest.Wait()
		}
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()
		_, err = s.TrySend(points(newRand(9), 99, 1, dim)[0])
		require.ErrorIs(t, err, tarn.ErrStreamDead)
		ended, cancel := context.WithCancel(ctx)
		cancel()
		require.ErrorIs(t, tickets[1].Wait(ended), context.Canceled, "its fsync is under way")
		for range 30 { // a context that ends meanwhile, and a free lock: either may be seen first
			short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
			_, err = c.EnableStreaming(short, tarn.StreamingConfig{BatchSize: 8})
			require.ErrorIs(t, err, context.DeadlineExceeded)
			cancel()
		}
		_ = db.Close() // what the stream held comes back
		for i, ticket := range tickets {
			require.NotErrorIs(t, ticket.Wait(ended), context.Canceled, "ticket %d: Close has not waited", i)
		}
	})
}
