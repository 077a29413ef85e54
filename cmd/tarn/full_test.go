package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
)

func TestB03_AnImportGivesUpWhenTheDiskStaysFull(t *testing.T) {
	look, given := make(chan time.Time), make(chan tarn.StreamStats)
	begin := time.Unix(1e9, 0)
	at := func(after time.Duration, s tarn.StreamStats) {
		look <- begin.Add(after)
		given <- s
	}
	stats := func() tarn.StreamStats { return <-given }
	full := tarn.StreamStats{Written: 10, Queued: 5, LastError: tarn.ErrNoSpace}
	more := full
	more.Written++
	ctx, end := untilFull(context.Background(), stats, look)
	at(0, full)
	at(fullFor-1, full)
	at(fullFor, more) // there was room again: it begins anew
	at(2*fullFor-1, more)
	require.NoError(t, ctx.Err())
	at(2*fullFor, more)
	<-ctx.Done()
	boom := errors.New("boom")
	require.ErrorIs(t, fullness(ctx, boom), tarn.ErrNoSpace)
	require.NoError(t, fullness(ctx, nil))
	end()

	ctx, end = untilFull(context.Background(), stats, look)
	at(0, tarn.StreamStats{})
	at(time.Hour, tarn.StreamStats{})
	require.NoError(t, ctx.Err())
	end()
	require.Equal(t, boom, fullness(ctx, boom))
}
