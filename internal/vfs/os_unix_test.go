//go:build unix

package vfs

import (
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestC18_APipeInThePlaceOfAFileIsRefusedWithoutWaiting(t *testing.T) {
	d, path := newOS(t)
	require.NoError(t, unix.Mkfifo(filepath.Join(path, "x"), 0o600))
	_, err := d.Open("x")
	require.ErrorIs(t, err, fs.ErrInvalid)
	_, err = d.OpenRW("x")
	require.ErrorIs(t, err, fs.ErrInvalid)
	e, err := d.Stat("x")
	require.NoError(t, err)
	require.False(t, e.Regular)
}
