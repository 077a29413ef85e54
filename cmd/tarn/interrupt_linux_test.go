package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tarndb/tarn"
)

// long is a command that is interrupted.
type long struct {
	args  []string
	stage string // where it is; "": it waits for standard input or output
	given string // all of standard input that comes, or the file whose beginning does; "": nobody reads its output
	left  string // what may be there then
}

var longCommands = map[string]long{
	"import":              {args: []string{"import", "--metric", "l2", "store", "docs", "x.fbin"}, stage: "row"},
	"import of lines":     {args: []string{"import", "store", "docs", "x.ndjson"}, stage: "line"},
	"ingest":              {args: []string{"ingest", "store", "docs", "x.ndjson"}, stage: "line"},
	"ingest of a pipe":    {args: []string{"ingest", "store", "docs"}, given: "x.ndjson"},
	"export":              {args: []string{"export", "store", "docs", "out.ndjson"}, stage: "writing points"},
	"export of vectors":   {args: []string{"export", "store", "docs", "out.npy"}, stage: "writing points"},
	"export to a pipe":    {args: []string{"export", "store", "docs", "-"}},
	"backup":              {args: []string{"backup", "store", "out.bak"}, stage: "writing points"},
	"backup to a pipe":    {args: []string{"backup", "store", "-"}},
	"restore":             {args: []string{"restore", "copy", "x.bak"}, stage: "reading the backup"},
	"restore from a pipe": {args: []string{"restore", "copy", "-"}, given: "x.bak"},
	"compact":             {args: []string{"compact", "store", "docs"}, stage: "building the graph"},
	"compact, moving":     {args: []string{"compact", "store", "docs"}, stage: "moving points"},
	"rebuild":             {args: []string{"rebuild", "store", "docs"}, stage: "building the graph"},
	"verify":              {args: []string{"verify", "store"}, stage: "checking slots"},
	"repair":              {args: []string{"repair", "damaged"}, stage: "reading slots"},
	"repair, writing":     {args: []string{"repair", "damaged"}, stage: "writing points"},
	"bench":               {args: []string{"bench", "store", "docs", "--plot", "out.png"}, stage: "searching, beam 40"},
	"demo":                {args: []string{"demo", "--dir", "demo"}, stage: "streaming", left: "demo"},
	"demo, asking":        {args: []string{"demo"}, stage: "asking for every point"},
	"search from a pipe":  {args: []string{"search", "store", "docs", "--vector", "-"}, given: "[1,"},
}

const longPoints = 12_000

// madeLong makes what longCommands work on, in a folder.
func madeLong(t *testing.T) (dir string) {
	dir = t.TempDir()
	t.Chdir(dir)
	db, err := tarn.Open("store", nil)
	require.NoError(t, err)
	c, err := db.CreateCollection(context.Background(), "docs", tarn.CollectionConfig{Dim: killDim, Metric: tarn.L2, WriteMode: tarn.WriteStreaming})
	require.NoError(t, err)
	points := make([]tarn.Point, longPoints)
	for i := range points {
		points[i] = tarn.Point{ID: uint64(i), Vector: make([]float32, killDim), Payload: tarn.Payload{"text": fmt.Sprint(i, " is the number of this point, and ", i*i, " its square")}}
		for j := range killDim {
			points[i].Vector[j] = float32(valueAt(i, j))
		}
	}
	require.NoError(t, c.Upsert(context.Background(), points...))
	ids := make([]uint64, longPoints/4) // of the first slots, so that the last move
	for i := range ids {
		ids[i] = uint64(i)
	}
	_, err = c.Delete(context.Background(), ids...)
	require.NoError(t, err)
	require.NoError(t, db.Close())
	require.NoError(t, os.WriteFile("x.fbin", fileOf("fbin"), 0o600))
	require.NoError(t, os.WriteFile("x.ndjson", fileOf("ndjson"), 0o600))
	status, _, stderr := tarnCommand("backup", "store", "x.bak")
	require.Zero(t, status, stderr)
	require.NoError(t, os.CopyFS("damaged", os.DirFS("store")))
	flip(t, "damaged/collections/docs/slots/00000000.vec 300000")
	return dir
}

// An interrupt ends each long command, wherever it waits, with exit status 1; what it
// was making is not there, and the store is sound and can be used at once.
func TestAnInterruptEndsEveryLongCommandAndLeavesNothingHalfDone(t *testing.T) {
	made := madeLong(t)
	for name, c := range longCommands {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.CopyFS(dir, os.DirFS(made)))
			t.Chdir(dir)
			require.NoError(t, os.Mkdir("tmp", 0o700))
			t.Setenv("TMPDIR", filepath.Join(dir, "tmp"))
			before := names(t)
			status, stdout, stderr := interrupt(t, c)
			require.Equal(t, exitFailed, status, stderr)
			require.Contains(t, stderr, "tarn: interrupted", stderr)
			if c.stage != "" || c.given != "" {
				require.True(t, json.Valid([]byte(stdout)), stdout)
			}
			require.Equal(t, before, slices.DeleteFunc(names(t), func(name string) bool { return name == c.left }))

			db, err := tarn.Open("store", nil)
			require.NoError(t, err)
			report, err := db.Verify(context.Background())
			require.NoError(t, err)
			require.Empty(t, report.Findings)
			docs, err := db.Collection("docs")
			require.NoError(t, err)
			require.GreaterOrEqual(t, docs.Len(), longPoints*3/4)
			require.NoError(t, db.Close())
		})
	}
}

// names returns what is in the current folder and in those that commands make files in.
func names(t *testing.T) (all []string) {
	t.Helper()
	for _, dir := range []string{".", "tmp", "damaged", "damaged/collections", "store/collections"} {
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		for _, e := range entries {
			all = append(all, filepath.Join(dir, e.Name()))
		}
	}
	return all
}

// interrupt starts a command and interrupts it when it has come to its stage, or waits
// for one who would go on giving it, or taking from it.
func interrupt(t *testing.T, c long) (status int, stdout, stderr string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], append(c.args, "--json")...)
	cmd.Env = append(os.Environ(), asTarn+"=1", stage+"="+c.stage)
	var out bytes.Buffer
	cmd.Stdout = &out
	errs, err := cmd.StderrPipe()
	require.NoError(t, err)
	until := func() { /* the stage, below */ }
	if c.stage == "" {
		until = c.pipe(t, cmd)
	}
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(errs)
	for c.stage != "" && lines.Scan() && !strings.HasPrefix(lines.Text(), stopped) {
		t.Log(lines.Text())
	}
	require.True(t, c.stage == "" || strings.HasPrefix(lines.Text(), stopped), "it did not come to %q", c.stage)
	until()
	require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
	said := make(chan string, 1)
	go func() {
		var text strings.Builder
		for lines.Scan() {
			fmt.Fprintln(&text, lines.Text())
		}
		said <- text.String()
	}()
	select {
	case stderr = <-said:
	case <-time.After(2 * time.Minute):
		require.NoError(t, cmd.Process.Kill())
		t.Fatal("it does not end")
	}
	_ = cmd.Wait() // the status says it
	return cmd.ProcessState.ExitCode(), out.String(), stderr
}

// pipe gives the command a standard input that never goes on, or a standard output of a
// page that nobody reads, and returns what waits until it has taken all of the one, or
// begun to fill the other.
func (c long) pipe(t *testing.T, cmd *exec.Cmd) (until func()) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, errors.Join(r.Close(), w.Close())) })
	if c.given == "" {
		cmd.Stdout = w
		_, err = unix.FcntlInt(r.Fd(), unix.F_SETPIPE_SZ, 1)
		require.NoError(t, err)
	} else {
		cmd.Stdin = r
		data := []byte(c.given)
		if all, err := os.ReadFile(c.given); err == nil {
			data = all[:len(all)/2]
		}
		_, err := w.Write(data[:min(len(data), 30_000)])
		require.NoError(t, err)
	}
	return func() {
		require.Eventually(t, func() bool {
			n, err := unix.IoctlGetInt(int(r.Fd()), unix.TIOCINQ)
			return err == nil && (n > 0) == (c.given == "")
		}, 2*time.Minute, time.Millisecond)
	}
}
