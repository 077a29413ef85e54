package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// With --json standard output is JSON whatever happens: what was asked for, or why not.
func TestI2_WithJSONStandardOutputIsJSONWhateverHappens(t *testing.T) {
	t.Chdir(t.TempDir())
	madeStore(t)
	require.NoError(t, os.WriteFile("bad.bak", []byte("no backup"), 0o600))
	require.NoError(t, os.CopyFS("damaged", os.DirFS("store")))
	flip(t, "damaged/collections/lakes/slots/00000000.vec 4160")
	require.NoError(t, os.CopyFS("broken", os.DirFS("store")))
	require.NoError(t, os.Truncate("broken/collections/lakes/meta.db", 100))
	for _, c := range []struct {
		args   []string
		status int
		failed bool
	}{
		{[]string{"search", "store", "lakes", "--like", "1"}, 0, false},
		{[]string{"search", "store", "lakes", "--like", "77"}, exitFailed, true},
		{[]string{"search", "store", "lakes", "--like", "1", "--k", "0"}, exitUsage, true},
		{[]string{"search", "store", "lakes", "--like", "1", "--ef", "-1"}, exitUsage, true},
		{[]string{"search", "store", "lakes", "--like", "1", "--filter", "{}}"}, exitUsage, true},
		{[]string{"search", "store", "lakes"}, exitUsage, true},
		{[]string{"search", "store", "seas", "--like", "1"}, exitFailed, true},
		{[]string{"get", "store", "lakes", "x"}, exitUsage, true},
		{[]string{"get", "store", "lakes", "9"}, exitFailed, true},
		{[]string{"scroll", "store", "lakes"}, 0, false},
		{[]string{"scroll", "store", "lakes", "--limit", "-1"}, exitUsage, true},
		{[]string{"scroll", "store", "lakes", "--from", "x"}, exitUsage, true},
		{[]string{"stats", "store"}, 0, false},
		{[]string{"stats", "nowhere"}, exitFailed, true},
		{[]string{"inspect", "store", "lakes"}, 0, false},
		{[]string{"inspect", "broken", "lakes"}, exitFailed, true},
		{[]string{"bench", "store", "lakes", "--queries", "2", "--k", "1"}, 0, false},
		{[]string{"bench", "store", "lakes", "--queries", "0"}, exitUsage, true},
		{[]string{"bench", "store", "lakes", "--k", "0"}, exitUsage, true},
		{[]string{"bench", "store", "lakes", "--ef", "0"}, exitUsage, true},
		{[]string{"verify", "store"}, 0, false},
		{[]string{"verify", "damaged"}, exitFailed, false},
		{[]string{"verify", "broken"}, exitFailed, true},
		{[]string{"repair", "damaged"}, exitPartly, false},
		{[]string{"repair", "nowhere"}, exitFailed, true},
		{[]string{"backup", "store", "x.bak"}, 0, false},
		{[]string{"backup", "store", "x.bak"}, exitFailed, true},
		{[]string{"restore", "copy", "x.bak"}, 0, false},
		{[]string{"restore", "third", "bad.bak"}, exitFailed, true},
		{[]string{"restore", "third"}, exitUsage, true},
		{[]string{"compact", "store", "lakes"}, 0, false},
		{[]string{"compact", "store", "seas"}, exitFailed, true},
		{[]string{"rebuild", "store", "lakes"}, 0, false},
		{[]string{"rebuild", "store", "lakes", "--m", "-3"}, exitUsage, true},
		{[]string{"export", "store", "lakes", "-"}, 0, false},
		{[]string{"export", "store", "lakes", "x.npy"}, 0, false},
		{[]string{"export", "store", "lakes", "x.npy"}, exitFailed, true},
		{[]string{"export", "store", "lakes", "x.doc"}, exitUsage, true},
		{[]string{"import", "other", "lakes", "x.npy"}, 0, false},
		{[]string{"import", "other", "lakes", "nowhere.npy"}, exitFailed, true},
		{[]string{"import", "other", "lakes", "x.doc"}, exitUsage, true},
		{[]string{"ingest", "store", "lakes", "lakes.ndjson"}, exitFailed, false},
		{[]string{"ingest", "store", "seas", "lakes.ndjson"}, exitFailed, true},
		{[]string{"ingest", "store", "lakes", "lakes.ndjson", "--frob"}, exitUsage, true},
		{[]string{"demo", "--dir", "/dev/null/x"}, exitFailed, true},
		{[]string{"demo", "here"}, exitUsage, true},
		{[]string{"dmeo"}, exitUsage, true},
	} {
		status, stdout, stderr := tarnCommand(append(c.args, "--json")...)
		require.Equal(t, c.status, status, "%v: %s", c.args, stderr)
		d := json.NewDecoder(bytes.NewReader([]byte(stdout)))
		values := 0
		for {
			var v map[string]any
			err := d.Decode(&v)
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err, "%v: %s", c.args, stdout)
			if c.failed {
				require.NotEmpty(t, v["error"], "%v: %s", c.args, stdout)
			} else {
				require.NotContains(t, v, "error", c.args)
			}
			values++
		}
		require.Positive(t, values, "%v: %s", c.args, stderr)
		if status != 0 {
			require.Contains(t, stderr, "tarn: ", c.args)
		}
	}
}
