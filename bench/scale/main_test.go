package main

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestASmallLifeIsMeasuredWhole(t *testing.T) {
	f, err := life{N: 3_000, Dim: 16, Intrinsic: 8, Dir: t.TempDir()}.run(context.Background())
	require.NoError(t, err)
	require.Equal(t, 3_000, f.Points)
	require.GreaterOrEqual(t, f.Recall, 0.9)
	require.Positive(t, f.Disk)
	var out bytes.Buffer
	compare(&out, f, f)
	require.Equal(t, 22, bytes.Count(out.Bytes(), []byte("\n")))
}
