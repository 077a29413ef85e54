package collection

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/vfs"
)

func TestO4_VerifyFindsAKeyThatLeadsToAnotherPoint(t *testing.T) {
	ctx, disk := context.Background(), vfs.NewMem()
	require.NoError(t, Create(disk, Config{Dim: 4, Keys: StringKeys}, [16]byte{1}))
	c := openMem(t, disk, Knobs{NoBackground: true})
	for i := range 3000 { // more than one batch
		require.NoError(t, c.Upsert(ctx, Point{Key: fmt.Sprint("k", i), Vector: []float32{1, 2, 3, float32(i)}}))
	}
	found := func() (problems []string) {
		_, err := Verify(ctx, c, func(f Finding) { problems = append(problems, f.Problem) })
		require.NoError(t, err)
		return problems
	}
	for range 2 {
		require.Empty(t, found())
		ids, err := c.keyIDs([]string{"k7", "k2500"})
		require.NoError(t, err)
		c.keys.set("k7", ids[1])
		c.keys.set("k2500", ids[0])
		problems := found()
		require.Len(t, problems, 2)
		require.True(t, strings.Contains(problems[0], "does not lead to its id"), problems[0])
		c.keys.set("k7", ids[0])
		c.keys.set("k2500", ids[1])
		require.NoError(t, c.Checkpoint(ctx)) // the keys are in meta.db the second time
	}
	require.NoError(t, c.Close())
}

// Beside writes that take keys away and give them back nothing is found.
func TestVerifyOfKeysBesideWritesFindsNothing(t *testing.T) {
	ctx, disk := context.Background(), vfs.NewMem()
	require.NoError(t, Create(disk, Config{Dim: 4, Keys: StringKeys}, [16]byte{1}))
	c := openMem(t, disk, Knobs{CheckpointBytes: 1 << 14, LogSegment: 1 << 13})
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			key := fmt.Sprint("k", i%50)
			err := c.Upsert(ctx, Point{Key: key, Vector: []float32{1, 2, 3, float32(i)}})
			if err == nil && i%3 == 0 {
				_, err = c.DeleteKeys(ctx, key)
			}
			if err != nil {
				done <- err
				return
			}
		}
	}()
	for range 30 {
		_, err := Verify(ctx, c, func(f Finding) { t.Errorf("%s: %s", f.File, f.Problem) })
		require.NoError(t, err)
	}
	close(stop)
	require.NoError(t, <-done)
	require.NoError(t, c.Close())
}
