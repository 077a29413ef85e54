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

// crowded starts a stream of single points; told returns what Crowded was told.
func crowded(t *testing.T, s *sink) (in *Ingester[int], told func() []bool) {
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
	in, err := New(Options[int]{
		Config:    Config{BatchSize: 4, FlushInterval: time.Hour},
		Flush:     s.flush,
		Crowded:   note,
		Transient: func(err error) bool { return err == errFull },
	})
	require.NoError(t, err)
	t.Cleanup(func() { in.Abort() })
	return in, told
}

func TestABurstIsToldOnceItsFlushesAreAsLargeAsTheyGetAndItsEndToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		s.then(func(context.Context, []int) error { time.Sleep(ms); return nil })
		in, told := crowded(t, s)
		_, _, err := in.TrySendBatch(upTo(0, 60)) // 4, 8, 16, 32: then nothing is left
		require.NoError(t, err)
		time.Sleep(time.Second)
		synctest.Wait()
		require.Empty(t, told(), "a backlog that four flushes take is no burst")
		_, _, err = in.TrySendBatch(upTo(60, 4*(1+2+4+8+16+16)))
		require.NoError(t, err)
		time.Sleep(3*ms + ms/2)
		require.Empty(t, told())
		time.Sleep(ms)
		require.Equal(t, []bool{true}, told(), "16 batches may go at once")
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, []bool{true, false}, told())
	})
}

func TestNoBurstIsToldWhileFlushesAreLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		s.then(func(context.Context, []int) error { time.Sleep(2 * time.Hour); return nil })
		in, told := crowded(t, s)
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
				in, told := crowded(t, s)
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
