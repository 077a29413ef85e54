package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBadLinesMayGoToWhatIsNoFile(t *testing.T) {
	dir, file := filepath.Join(t.TempDir(), "db"), write(t, "points.ndjson", ndjson(3)+"nonsense\n")
	status, s, stderr := ingestJSON(t, "--dim", "3", "--bad", os.DevNull, dir, "docs", file)
	require.Equal(t, exitPartly, status, stderr)
	require.EqualValues(t, 1, s.Bad)

	cmd := exec.Command(os.Args[0], "ingest", "--source", "again", "--bad", "/dev/stderr", dir, "docs", file)
	var errs bytes.Buffer
	cmd.Env, cmd.Stderr = append(os.Environ(), asTarn+"=1"), &errs // a pipe, which is never at its end
	require.NoError(t, cmd.Start())
	late := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	require.Error(t, cmd.Wait())
	require.Equal(t, exitPartly, cmd.ProcessState.ExitCode(), errs.String())
	require.Contains(t, errs.String(), `{"line":4,`)
}
