package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
)

func tarnCommand(args ...string) (status int, stdout, stderr string) {
	var out, errs bytes.Buffer
	status = run(context.Background(), append([]string{"tarn"}, args...), &out, &errs)
	return status, out.String(), errs.String()
}

func TestI1_ExitStatusTellsWhatHappened(t *testing.T) {
	for name, c := range map[string]struct {
		args   []string
		status int
		stderr string
	}{
		"help is fine":                      {[]string{"--help"}, 0, ""},
		"help of a command is fine":         {[]string{"demo", "--help"}, 0, ""},
		"a command that does not exist":     {[]string{"dmeo"}, exitUsage, `no command "dmeo"`},
		"a flag that does not exist":        {[]string{"--frob"}, exitUsage, "frob"},
		"a flag that the command has not":   {[]string{"demo", "--frob"}, exitUsage, "frob"},
		"an argument that nobody asked for": {[]string{"demo", "here"}, exitUsage, `["here"]`},
		"a folder that cannot be made":      {[]string{"demo", "--dir", "/dev/null/x"}, exitFailed, "create the store"},
	} {
		t.Run(name, func(t *testing.T) {
			status, _, stderr := tarnCommand(c.args...)
			assert.Equal(t, c.status, status)
			assert.Contains(t, stderr, c.stderr)
		})
	}
}

func TestErrorsSayWhatToDoNext(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	db, err := tarn.Open(dir, nil)
	require.NoError(t, err)
	status, stdout, stderr := tarnCommand("demo", "--dir", dir)
	assert.Equal(t, exitFailed, status)
	assert.Empty(t, stdout)
	assert.Contains(t, stderr, "another process has this store open")
	require.NoError(t, db.Close())

	assert.Equal(t, "interrupted", explain(fmt.Errorf("stream: %w", context.Canceled)))
	assert.Equal(t, "plain", explain(errors.New("plain")))
	for _, a := range advice {
		assert.Contains(t, explain(fmt.Errorf("open: %w", a.err)), a.then)
	}
}
