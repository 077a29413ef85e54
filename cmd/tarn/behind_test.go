package main

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/cmd/tarn/internal/progress"
)

// second is what stats tell at the end of one.
type second struct {
	written, queued, beside int
	err                     error
}

func (s second) stats() tarn.Stats {
	return tarn.Stats{InDelta: s.beside, Stream: tarn.StreamStats{Written: uint64(s.written), Queued: s.queued, LastError: s.err}}
}

func TestAStreamWaitsForTheIndexerWhenNoMoreMayBeBesideTheGraph(t *testing.T) {
	for what, tc := range map[string]struct {
		seconds []second
		waits   bool
	}{
		"the graph sets the pace":               {[]second{{70_000, 10_000, 65_536, nil}, {73_000, 10_000, 65_536, nil}, {76_000, 9_900, 65_600, nil}}, true},
		"all is sent and little is left":        {[]second{{70_000, 4_000, 65_536, nil}, {71_000, 3_000, 65_536, nil}, {72_000, 2_000, 65_400, nil}}, true},
		"nothing is written for a rebuild":      {[]second{{70_000, 10_000, 65_536, nil}, {70_000, 10_000, 65_536, nil}, {70_000, 10_000, 65_536, nil}}, true},
		"for one second, which may be anything": {[]second{{70_000, 10_000, 65_536, nil}, {73_000, 10_000, 65_536, nil}, {76_000, 0, 65_536, nil}}, false},
		"now and then":                          {[]second{{70_000, 10_000, 65_536, nil}, {73_000, 10_000, 65_536, nil}, {80_000, 10_000, 72_000, nil}, {83_000, 10_000, 72_000, nil}}, false},
		"there is room":                         {[]second{{10_000, 10_000, 9_000, nil}, {20_000, 10_000, 17_000, nil}, {30_000, 10_000, 25_000, nil}}, false},
		"the lines come slowly":                 {[]second{{70_000, 500, 60_000, nil}, {73_000, 500, 60_000, nil}, {76_000, 500, 60_000, nil}}, false},
		"the disk is slow, the graph keeps up":  {[]second{{10_000, 9_000, 2_500, nil}, {15_000, 9_000, 2_500, nil}, {20_000, 9_000, 2_500, nil}}, false},
		"the disk stands still":                 {[]second{{10_000, 9_000, 900, nil}, {10_000, 9_000, 700, nil}, {10_000, 9_000, 500, nil}}, false},
		"the disk is full":                      {[]second{{70_000, 10_000, 65_000, tarn.ErrNoSpace}, {70_000, 10_000, 65_000, tarn.ErrNoSpace}, {70_000, 10_000, 65_000, tarn.ErrNoSpace}}, false},
		"nothing is queued":                     {[]second{{70_000, 0, 65_536, nil}, {70_000, 0, 65_536, nil}, {70_000, 0, 65_536, nil}}, false},
		"it has only begun":                     {[]second{{0, 10_000, 65_536, nil}, {0, 10_000, 65_536, nil}}, false},
	} {
		var b behind
		waits := false
		for _, s := range tc.seconds {
			waits = b.look(s.stats())
		}
		require.Equal(t, tc.waits, waits, what)
	}
}

func TestWhoReadsLinesIsToldOnceThatTheIndexerSetsThePace(t *testing.T) {
	var out bytes.Buffer
	p := &reading{show: progress.NewLines(&out, time.Hour), what: "line"}
	look, given := make(chan time.Time), make(chan tarn.Stats)
	ctx, end := p.lookAt(context.Background(), func() tarn.Stats { return <-given }, look)
	for n := range 6 {
		look <- time.Time{}
		given <- second{70_000 + 3_000*n, 10_000, 65_536, nil}.stats()
	}
	require.NoError(t, ctx.Err())
	end() // it has seen enough
	require.Equal(t, "waiting for the indexer, 65 536 points behind: lines are stored at its pace now\n", out.String())
	require.LessOrEqual(t, out.Len(), 80, "with its end")

	out.Reset()
	_, end = p.lookAt(context.Background(), func() tarn.Stats { return <-given }, look)
	look <- time.Time{}
	given <- second{}.stats()
	end()
	require.Empty(t, out.String())
}
