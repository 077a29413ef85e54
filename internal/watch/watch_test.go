package watch

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhoWatchesIsToldAndNobodyElse(t *testing.T) {
	Tell(context.Background(), "reading", 1, 2)
	Tell(With(context.Background(), nil), "reading", 1, 2)
	var told []any
	ctx, cancel := context.WithCancel(With(context.Background(), func(stage string, done, total int64) { told = append(told, stage, done, total) }))
	defer cancel()
	Tell(ctx, "reading", 3, 2)
	require.Equal(t, []any{"reading", int64(2), int64(2)}, told, "I2")
}
