package main

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/cmd/tarn/internal/progress"
)

func TestB03_AnImportGivesUpWhenTheDiskStaysFull(t *testing.T) {
	var out bytes.Buffer
	p := &reading{show: progress.NewLines(&out, time.Hour), what: "row"}
	look, given := make(chan time.Time), make(chan tarn.Stats)
	begin := time.Unix(1e9, 0)
	var ctx context.Context
	var end func()
	at := func(after time.Duration, s tarn.StreamStats) {
		select {
		case look <- begin.Add(after):
			given <- tarn.Stats{Stream: s}
		case <-ctx.Done(): // nobody looks any more
		}
	}
	stats := func() tarn.Stats { return <-given }
	full := tarn.StreamStats{Written: 10, Queued: 5, LastError: tarn.ErrNoSpace}
	more := full
	more.Written++
	ctx, end = p.lookAt(context.Background(), stats, look)
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

	ctx, end = p.lookAt(context.Background(), stats, look)
	at(0, tarn.StreamStats{Queued: 5, LastError: tarn.ErrNoSpace}) // from the beginning, which is no while
	at(1, tarn.StreamStats{})
	at(time.Hour, tarn.StreamStats{})
	require.NoError(t, ctx.Err())
	end()
	require.Equal(t, boom, fullness(ctx, boom))
	require.Empty(t, out.String())
}
