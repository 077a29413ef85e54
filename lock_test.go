package tarn_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
)

func TestD01_D03_WhatAnotherProcessHoldsIsLockedUntilItEnds(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	cmd, lines := startChild(t, "hold", dir)
	require.True(t, lines.Scan())
	require.Equal(t, "open", lines.Text())
	before := tree(t, dir)
	for _, opts := range []*tarn.Options{nil, {ReadOnly: true}} {
		_, err := tarn.Open(dir, opts)
		require.ErrorIs(t, err, tarn.ErrLocked)
	}
	require.Equal(t, before, tree(t, dir))
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	db, err := tarn.Open(dir, nil)
	require.NoError(t, err, "the lock of a process that is gone")
	require.NoError(t, db.Close())
}
