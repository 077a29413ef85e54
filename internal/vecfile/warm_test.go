package vecfile

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestI5_CodesInMemoryFollowWhatIsWritten(t *testing.T) {
	dir, want := filled(t)
	s := open(t, dir, config(), 100)
	s.warmMin = 0
	old := s.Codes()
	require.NoError(t, s.Warm(context.Background()))
	require.NotSame(t, &old.Bytes(0)[0], &s.Codes().Bytes(0)[0])
	require.Equal(t, old.Bytes(0), s.Codes().Bytes(0))
	requireHolds(t, s, want)
	require.False(t, s.Cold())
	chunks := len(s.chunks)
	requireHolds(t, s, fill(t, s, 100, 300, 2))
	require.True(t, s.Cold(), "new chunks are left to the next time")
	require.Nil(t, s.chunks[chunks].private)
	require.NoError(t, s.Warm(context.Background()))
	require.False(t, s.Cold())
	requireHolds(t, s, points(100, 300, 2, 20))
	requireHolds(t, s, fill(t, s, 300, 400, 2))
	require.NoError(t, s.Warm(context.Background()))
	for _, c := range s.chunks {
		require.NotNil(t, c.private)
		require.Nil(t, c.next)
	}
	again := s.Codes()
	require.NoError(t, s.Warm(context.Background()))
	require.Same(t, again, s.Codes(), "nothing was left to copy")
	require.NoError(t, s.Close())
	requireHolds(t, open(t, dir, config(), 400), append(want, points(100, 400, 2, 20)...))
}

func TestI5_WhatIsWrittenDuringACopyIsInIt(t *testing.T) {
	dir, want := filled(t)
	s := open(t, dir, config(), 100)
	s.warmMin = 0
	c, err := s.beginCopy(0)
	require.NoError(t, err)
	require.NoError(t, s.copyPiece(0, c, 0, 30))
	require.NoError(t, s.Write(points(20, 40, 7, 20)))
	require.NoError(t, s.copyPiece(0, c, 30, 64))
	s.endCopy(0, c, nil)
	requireHolds(t, s, want[:20])
	requireHolds(t, s, points(20, 40, 7, 20))
	requireHolds(t, s, want[40:])
}

func TestACopyGivenUpChangesNothing(t *testing.T) {
	dir, want := filled(t)
	s := open(t, dir, config(), 100)
	s.warmMin = 0
	before := s.Codes()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, s.Warm(ctx), context.Canceled)
	require.Same(t, before, s.Codes())
	requireHolds(t, s, want)
	require.NoError(t, s.Warm(context.Background()))
	requireHolds(t, s, want)
}

func TestFewCodesStayWhereTheyAre(t *testing.T) {
	dir, want := filled(t)
	s := open(t, dir, config(), 100)
	before := s.Codes()
	require.NoError(t, s.Warm(context.Background()))
	require.Same(t, before, s.Codes())
	require.Empty(t, s.arena.blocks)
	requireHolds(t, s, fill(t, s, 100, 400, 2))
	require.False(t, s.Cold())
	requireHolds(t, s, want)
}

func TestBlocksOfCodesAreWholeHugePages(t *testing.T) {
	var a arena
	for range 100 {
		p, err := a.take(1_835_008) // 4096 rows of 448 bytes
		require.NoError(t, err)
		require.Len(t, p, 1_835_008)
		p[0], p[len(p)-1] = 1, 1
	}
	require.Len(t, a.blocks, 6)
	for _, b := range a.blocks {
		require.Zero(t, len(b.Bytes())%hugePage)
	}
	p, err := a.take(arenaBytes + 1)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(p), arenaBytes+1)
	require.NoError(t, a.close())
}

// Codes of a chunk are made anew (Check met a damaged row) while Warm copies that chunk:
// Warm must not show readers its copy, which it went on with no further.
func TestACopyOfCodesThatIsNotWholeIsNotShown(t *testing.T) {
	dir, want := filled(t)
	s := open(t, dir, config(), 0)
	const wrong = 5
	off := s.lay.offset(codes, wrong)
	require.NoError(t, s.Close())
	patch(t, dir, fileName(codes, 0), off, func(b []byte) { b[0] ^= 0x40 })

	s = open(t, dir, config(), 100)
	s.warmMin = 0
	whole := append([]byte(nil), s.Codes().Bytes(50)...)
	c, err := s.beginCopy(0) // as warmChunk does
	require.NoError(t, err)
	require.NoError(t, s.copyPiece(0, c, 0, 4))
	require.NoError(t, s.Check([]uint32{wrong, 50})) // a search
	require.Equal(t, whole, s.Codes().Bytes(50))
	require.NoError(t, s.copyPiece(0, c, 4, 64))
	s.endCopy(0, c, nil)
	require.Equal(t, whole, s.Codes().Bytes(50), "codes that were checked are others now")
	requireHolds(t, s, want)
}
