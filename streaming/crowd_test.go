package streaming

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// crowded starts a stream of single points, in batches of four; told returns what Crowded
// was told.
func crowded(t *testing.T, s *sink, cfg Config) (in *Ingester[int], told func() []bool) {
	var mu sync.Mutex
	var all []bool
	note := func(on bool) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, on)
	}
	told = func() []bool {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}
	cfg.BatchSize, cfg.FlushInterval = 4, time.Hour
	in, err := New(Options[int]{
		Config:    cfg,
		Flush:     s.flush,
		Crowded:   note,
		Transient: func(err error) bool { return err == errFull },
	})
	require.NoError(t, err)
	t.Cleanup(func() { in.Abort() })
	return in, told
}

func TestABurstIsToldOnceAsMuchWaitsAsAFlushEverHoldsAndItsEndToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		s.then(func(context.Context, []int) error { time.Sleep(ms); return nil })
		in, told := crowded(t, s, Config{})
		_, _, err := in.TrySendBatch(upTo(0, 4*(1+15))) // flushes of 4, 8, 16, 32, 4
		require.NoError(t, err)
		time.Sleep(time.Second)
		synctest.Wait()
		require.Empty(t, told(), "behind the first flush wait 15 batches")
		_, _, err = in.TrySendBatch(upTo(0, 4*(1+16)))
		require.NoError(t, err)
		time.Sleep(ms / 2)
		require.Empty(t, told())
		time.Sleep(ms)
		require.Equal(t, []bool{true}, told(), "behind the first flush wait 16 batches")
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, []bool{true, false}, told())
	})
}

func TestABurstOfAQueueThatHoldsLessIsToldOnceItsFlushesAreAsLargeAsTheyGet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		s.then(func(context.Context, []int) error { time.Sleep(ms); return nil })
		in, told := crowded(t, s, Config{BufferSize: 12 * 4})
		sent := make(chan error, 1)
		go func() {
			_, _, err := in.SendBatch(context.Background(), upTo(0, 400))
			sent <- err
		}()
		time.Sleep(3*ms + ms/2) // flushes of 4, 8 and 16
		require.Empty(t, told())
		time.Sleep(ms) // of 32
		require.Equal(t, []bool{true}, told(), "16 batches may go at once")
		require.NoError(t, <-sent)
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, []bool{true, false}, told())
	})
}

func TestNoBurstIsToldWhileFlushesAreLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		s.then(func(context.Context, []int) error { time.Sleep(2 * time.Hour); return nil })
		in, told := crowded(t, s, Config{})
		_, _, err := in.TrySendBatch(upTo(0, 4000))
		require.NoError(t, err)
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		require.Empty(t, told(), "a disk that is slow leaves time for other work")
	})
}

func TestNoBurstOutlastsAFailureOrTheStream(t *testing.T) {
	for name, end := range map[string]func(s *sink, in *Ingester[int]){
		"a disk that is full":  func(s *sink, _ *Ingester[int]) { s.then(func(context.Context, []int) error { return errFull }) },
		"a disk that is gone":  func(s *sink, _ *Ingester[int]) { s.then(func(context.Context, []int) error { return errDisk }) },
		"an end without rests": func(_ *sink, in *Ingester[int]) { in.Abort() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSink()
				s.then(func(context.Context, []int) error { time.Sleep(10 * ms); return nil })
				in, told := crowded(t, s, Config{})
				_, _, err := in.TrySendBatch(upTo(0, 4000))
				require.NoError(t, err)
				time.Sleep(55 * ms)
				require.Equal(t, []bool{true}, told())
				end(s, in)
				time.Sleep(time.Second)
				require.Equal(t, []bool{true, false}, told())
			})
		})
	}
}
