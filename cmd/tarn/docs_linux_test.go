package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The sessions of docs/operations.md, one after the other in one folder, are typed on a
// terminal of 80 columns, and show what the page says they show. Then each is looked at
// for lines that such a terminal breaks. -update writes what is shown into the page.
func TestEverySessionOfTheDocumentsShowsWhatItSays(t *testing.T) {
	page, err := filepath.Abs(operations)
	require.NoError(t, err)
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	block := readmeSession(t)
	env := built(t)
	t.Chdir(t.TempDir())

	all := sessions(string(text))
	require.NotEmpty(t, all)
	for _, s := range all {
		for i, st := range s.steps {
			shown, status := onTerminal(t, env, 80, st.typed)
			require.Zero(t, status, "$ %s%s", st.typed, shown) // one that fails says so: ; echo $?
			for line := range strings.Lines(shown) {
				fits := len([]rune(strings.TrimSuffix(line, "\n"))) <= 80 || !strings.HasPrefix(st.typed, "tarn ")
				assert.True(t, fits || cpu.MatchString(line), "$ %s%s", st.typed, line) // a processor's name is as long as it is
			}
			if *update {
				s.steps[i].shown = shown
				continue
			}
			require.Equal(t, masked(st.shown, s.vary), masked(shown, s.vary), "$ %s", st.typed)
			require.Equal(t, bars.MatchString(st.shown), bars.MatchString(shown), "$ %s%s", st.typed, shown)
		}
	}
	if *update {
		i := -1
		text = consoles.ReplaceAllFunc(text, func([]byte) []byte { i++; return []byte(all[i].String()) })
		require.NoError(t, os.WriteFile(page, text, 0o644))
	}

	t.Run("on a wide terminal nothing is wider", func(t *testing.T) {
		for _, line := range []string{"tarn inspect store godoc", "tarn search store godoc --like 1", "tarn scroll store godoc", "tarn verify store", "tarn stats store"} {
			shown, status := onTerminal(t, env, 120, line)
			require.Zero(t, status, shown)
			for got := range strings.Lines(shown) {
				assert.LessOrEqual(t, len([]rune(strings.TrimSuffix(got, "\n"))), 120, "$ %s\n%s", line, got)
			}
		}
	})
	t.Run("the commands of the README work", func(t *testing.T) {
		shown, status := onTerminal(t, env, 80, "set -e\n"+block)
		require.Zero(t, status, shown)
		assert.Contains(t, shown, "a mountain")
		assert.Contains(t, shown, "2 points")
	})
	t.Run("tmux shows the same", func(t *testing.T) { inTmux(t, env, "tarn stats store; tarn get store godoc 7") })
}

// inTmux compares what a pane of tmux shows with what a terminal was told.
func inTmux(t *testing.T, env []string, line string) {
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("there is no tmux here: ", err)
	}
	want, _ := onTerminal(t, env, 80, line)
	socket := filepath.Join(t.TempDir(), "s")
	tmux := func(args ...string) string {
		cmd := exec.Command("tmux", append([]string{"-f", "/dev/null", "-S", socket}, args...)...)
		cmd.Env = append(env, "TERM=xterm-256color", "LC_ALL=C.UTF-8")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%v: %s", args, out)
		return string(out)
	}
	tmux("new-session", "-d", "-x", "80", "-y", "40", line+"; tmux -S "+socket+" wait-for -S shown; tmux -S "+socket+" wait-for seen")
	defer func() { _ = exec.Command("tmux", "-S", socket, "kill-server").Run() }() // it has ended if all went well
	tmux("wait-for", "shown")
	shown := strings.TrimRight(tmux("capture-pane", "-p"), "\n") + "\n"
	var b strings.Builder
	for l := range strings.Lines(want) {
		b.WriteString(strings.TrimRight(l, " \n") + "\n")
	}
	assert.Equal(t, b.String(), shown)
	tmux("wait-for", "-S", "seen")
}
