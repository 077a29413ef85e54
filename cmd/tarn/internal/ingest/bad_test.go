package ingest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A line whose number Position has passed is not read again, after a power cut neither:
// what the side file says of it is on the disk before.
func TestBadLinesAreDurableBeforeTheirBatchIsSent(t *testing.T) {
	name := filepath.Join(t.TempDir(), "bad")
	var synced []string
	s := &sideFile{name: name, collection: "c", source: "s", sync: func(f *os.File) error {
		data, err := os.ReadFile(f.Name())
		synced = append(synced, string(data))
		return err
	}}
	require.NoError(t, s.add([]badLine{{Line: 3}, {Line: 9}}))
	require.Len(t, synced, 1)
	require.Equal(t, 2, strings.Count(synced[0], "\n"))
	require.NoError(t, s.add(nil))
	require.NoError(t, s.close())
	require.Len(t, synced, 1, "nothing was added")
	require.NoError(t, s.forgetAfter(5))
	require.Len(t, synced, 2)
	require.Equal(t, 1, strings.Count(synced[1], "\n"))

	s.f, s.sync = nil, func(*os.File) error { return os.ErrInvalid }
	require.ErrorIs(t, s.add([]badLine{{Line: 6}}), os.ErrInvalid)
	require.NoError(t, s.close())
}
