package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/cmd/tarn/internal/ingest"
	"github.com/tarndb/tarn/cmd/tarn/internal/progress"
)

// asTarn makes the test binary behave as the command: a child that can be killed.
const asTarn = "TARN_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asTarn) != "" {
		os.Exit(interruptible(func(ctx context.Context) int {
			stopAt(ctx, os.Getenv(stage))
			return run(ctx, os.Args, os.Stdout, os.Stderr)
		}))
	}
	os.Exit(m.Run())
}

const (
	stage   = "TARN_TEST_STAGE" // what a child stops before, until it is interrupted
	stopped = "stopped: "       // it says then
)

// stopAt makes this process stop where a name is the beginning of what it begins.
func stopAt(ctx context.Context, name string) {
	progress.Begun = func(label string) {
		if name != "" && strings.HasPrefix(label, name) {
			fmt.Fprintln(os.Stderr, stopped+label)
			<-ctx.Done()
		}
	}
}

// ndjson returns n lines with ids from 0 on.
func ndjson(n int) string {
	r := rand.New(rand.NewPCG(1, 1))
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"id":%d,"vector":[%g,%g,1],"payload":{"n":%d}}`+"\n", i, r.Float32(), r.Float32(), i)
	}
	return b.String()
}

func write(t testing.TB, name, text string) string {
	t.Helper()
	name = filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}

// ingestJSON runs ingest with --json and returns its status and summary.
func ingestJSON(t testing.TB, args ...string) (int, ingest.Summary, string) {
	t.Helper()
	status, stdout, stderr := tarnCommand(append([]string{"ingest", "--json"}, args...)...)
	var s ingest.Summary
	require.NoError(t, json.Unmarshal([]byte(stdout), &s), "%s%s", stdout, stderr)
	return status, s, stderr
}

// requireStored opens the store and asserts that it holds the ids 0 to n-1, each
// written once.
func requireStored(t testing.TB, dir string, n int) {
	t.Helper()
	db, err := tarn.Open(dir, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	c, err := db.Collection("docs")
	require.NoError(t, err)
	next := uint64(0)
	for p, err := range c.All(context.Background()) {
		require.NoError(t, err)
		require.Equal(t, next, p.ID)
		require.EqualValues(t, next, p.Payload["n"])
		next++
	}
	require.EqualValues(t, n, next)
	require.Zero(t, c.Stats().Deleted, "a point that is written twice leaves a dead slot")
}

func TestIngestCreatesACollectionAndStoresEachLine(t *testing.T) {
	dir, file := filepath.Join(t.TempDir(), "db"), write(t, "points.ndjson", ndjson(1000))
	status, s, _ := ingestJSON(t, "--dim", "3", "--metric", "l2", dir, "docs", file)
	require.Zero(t, status)
	require.EqualValues(t, 1000, s.Stored)
	require.EqualValues(t, 1000, s.Position)
	require.Equal(t, 1000, s.Points)
	require.Zero(t, s.Bad)
	requireStored(t, dir, 1000)
	require.NoFileExists(t, file+".bad")

	status, _, stderr := tarnCommand("ingest", dir, "docs", file)
	require.Equal(t, exitFailed, status)
	require.Contains(t, stderr, "--resume", "it says what to do")
	status, s, _ = ingestJSON(t, "--resume", dir, "docs", file)
	require.Zero(t, status)
	require.Zero(t, s.Stored)
	require.EqualValues(t, 1000, s.Resumed)
	status, s, _ = ingestJSON(t, "--source", "once more", dir, "docs", file)
	require.Zero(t, status)
	require.EqualValues(t, 1000, s.Stored)
	require.Equal(t, 1000, s.Points)
}

func TestIngestReportsBadLinesAndStoresTheRest(t *testing.T) {
	lines := strings.SplitAfter(ndjson(600), "\n")
	bad := map[int]string{ // by line, from 1
		3:   `{"id":`,
		10:  `{"id":9,"vector":[1,2]}`,
		11:  `{"id":10,"vector":[1,2,1e99]}`,
		12:  `{"id":-1,"vector":[1,2,3]}`,
		13:  `{"id":12,"vector":[1,2,3],"paylaod":{}}`,
		14:  `[1,2,3]`,
		15:  `{"vector":[1,2,3]}`,
		16:  `{"id":15,"vector":[0,0,0]}`,
		17:  `{"id":16,"vector":[1,2,3]} {}`,
		18:  `{"key":"x","delete":true}`,
		301: `{"id":300,"vector":[1,2,3],"payload":"text"}`,
	}
	for at, text := range bad {
		lines[at-1] = text + "\n"
	}
	lines[20] = "\r\n" // an empty line is none
	dir, file := filepath.Join(t.TempDir(), "db"), write(t, "points.ndjson", strings.Join(lines, ""))
	status, s, stderr := ingestJSON(t, "--dim", "3", dir, "docs", file)
	require.Equal(t, exitPartly, status)
	require.EqualValues(t, 600-len(bad)-1, s.Stored)
	require.EqualValues(t, len(bad), s.Bad)
	require.EqualValues(t, 600, s.Position)
	require.Equal(t, file+".bad", s.BadFile)
	require.Contains(t, stderr, "could not be stored")
	raw, err := os.ReadFile(file + ".bad")
	require.NoError(t, err)
	told := map[int]string{}
	for line := range strings.Lines(string(raw)) {
		var b struct {
			Line        int
			Error, Text string
		}
		require.NoError(t, json.Unmarshal([]byte(line), &b))
		require.NotEmpty(t, b.Error)
		told[b.Line] = b.Text
		t.Logf("line %d: %s", b.Line, b.Error)
	}
	require.Equal(t, bad, told)
}

func TestIngestReadsStandardInputAndGzip(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write([]byte(ndjson(300)))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	file := write(t, "points.ndjson.gz", packed.String())
	status, s, _ := ingestJSON(t, "--dim", "3", dir, "docs", file)
	require.Zero(t, status)
	require.EqualValues(t, 300, s.Stored)
	requireStored(t, dir, 300)

	text := ndjson(310) // the last ten are new
	cmd := exec.Command(os.Args[0], "ingest", "--json", "--source", "pipe", dir, "docs")
	cmd.Env, cmd.Stdin = append(os.Environ(), asTarn+"=1"), strings.NewReader(strings.Join(strings.SplitAfter(text, "\n")[300:], ""))
	out, err := cmd.Output()
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(out, &s))
	require.EqualValues(t, 10, s.Stored)
	requireStored(t, dir, 310)

	torn := write(t, "torn.ndjson.gz", packed.String()[:packed.Len()-100])
	status, s, stderr := ingestJSON(t, dir, "docs", torn)
	require.Equal(t, exitFailed, status)
	require.Contains(t, stderr, "unexpected EOF")
	require.EqualValues(t, s.Stored, s.Position, "what came before is stored")
}

func TestIngestThatIsKilledGoesOnWhereItWas(t *testing.T) {
	const n = 10_000
	lines := strings.SplitAfter(ndjson(n), "\n")
	for i := 99; i < n; i += 1000 { // some bad lines: each is to be told once
		lines[i] = "nonsense\n"
	}
	dir, file := filepath.Join(t.TempDir(), "db"), write(t, "points.ndjson", strings.Join(lines, ""))
	r := rand.New(rand.NewPCG(uint64(os.Getpid()), 1))
	kills, killed := 0, true
	for killed {
		cmd := exec.Command(os.Args[0], "ingest", "--resume", "--dim", "3", dir, "docs", file)
		cmd.Env = append(os.Environ(), asTarn+"=1")
		require.NoError(t, cmd.Start())
		limit := 20 + r.IntN(150)
		if kills == 5 {
			limit = 60_000 // enough of it
		}
		timer := time.AfterFunc(time.Duration(limit)*time.Millisecond, func() { _ = cmd.Process.Kill() })
		err := cmd.Wait()
		killed = timer.Stop() == false && err != nil && cmd.ProcessState.ExitCode() == -1
		if killed {
			kills++
			continue
		}
		// 0 if the one before was killed when it had told everything.
		require.Contains(t, []int{0, exitPartly}, cmd.ProcessState.ExitCode())
	}
	t.Logf("killed %d times", kills)
	require.Positive(t, kills)

	db, err := tarn.Open(dir, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	c, err := db.Collection("docs")
	require.NoError(t, err)
	require.Equal(t, n-n/1000, c.Len(), "nothing is missing")
	require.Zero(t, c.Stats().Deleted, "nothing was written twice")
	for p, err := range c.All(context.Background()) {
		require.NoError(t, err)
		require.EqualValues(t, p.ID, p.Payload["n"])
	}
	raw, err := os.ReadFile(file + ".bad")
	require.NoError(t, err)
	at := 100
	for line := range strings.Lines(string(raw)) {
		require.True(t, strings.HasPrefix(line, fmt.Sprintf(`{"line":%d,`, at)), "each bad line once, in order: %s", line)
		at += 1000
	}
	require.Equal(t, n+100, at)
}

func TestIngestIsToldWhatIsWrong(t *testing.T) {
	dir, file := filepath.Join(t.TempDir(), "db"), write(t, "points.ndjson", ndjson(5))
	require.Zero(t, first(tarnCommand("ingest", "--dim", "3", dir, "docs", file)))
	for name, c := range map[string]struct {
		args   []string
		status int
		stderr string
	}{
		"no arguments":                   {nil, exitUsage, "DIR COLLECTION"},
		"too many":                       {[]string{"a", "b", "c", "d"}, exitUsage, "DIR COLLECTION"},
		"a metric that does not exist":   {[]string{"--dim", "3", "--metric", "l3", dir, "docs", file}, exitUsage, "l3"},
		"a collection that is not there": {[]string{dir, "other", file}, exitFailed, "--dim"},
		"another dimension":              {[]string{"--dim", "4", dir, "docs", file}, exitFailed, "Dim 3"},
		"a file that is not there":       {[]string{"--source", "x", dir, "docs", file + "x"}, exitFailed, "no such file"},
		"a file that has become shorter": {[]string{"--source", file, "--resume", dir, "docs", write(t, "short", ndjson(2))}, exitFailed, "another file"},
	} {
		t.Run(name, func(t *testing.T) {
			status, _, stderr := tarnCommand(append([]string{"ingest"}, c.args...)...)
			assert.Equal(t, c.status, status)
			assert.Contains(t, stderr, c.stderr)
		})
	}
}

func first(status int, _, _ string) int { return status }
