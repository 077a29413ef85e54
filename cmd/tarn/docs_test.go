package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v3"
)

const (
	operations = "../../docs/operations.md"
	readme     = "../../README.md"
)

// session is a block of a document between ```console and ```: lines behind "$ ", going
// on behind "> ", are typed; what follows each is what a terminal shows then. In one
// that is ```console figures vary, figures differ from run to run.
type session struct {
	vary  bool
	steps []step
}

type step struct{ typed, shown string }

var consoles = regexp.MustCompile("(?ms)^```console( figures vary)?\n(.*?)^```$")

func sessions(text string) (all []session) {
	for _, m := range consoles.FindAllStringSubmatch(text, -1) {
		s := session{vary: m[1] != ""}
		for line := range strings.Lines(m[2]) {
			n := len(s.steps) - 1
			switch {
			case strings.HasPrefix(line, "$ "):
				s.steps = append(s.steps, step{typed: strings.TrimPrefix(line, "$ ")})
			case n >= 0 && strings.HasPrefix(line, "> ") && s.steps[n].shown == "":
				s.steps[n].typed += strings.TrimPrefix(line, "> ")
			case n >= 0:
				s.steps[n].shown += line
			}
		}
		all = append(all, s)
	}
	return all
}

// String is the block.
func (s session) String() string {
	var b strings.Builder
	b.WriteString("```console")
	if s.vary {
		b.WriteString(" figures vary")
	}
	b.WriteString("\n")
	for _, st := range s.steps {
		b.WriteString("$ " + strings.ReplaceAll(strings.TrimSuffix(st.typed, "\n"), "\n", "\n> ") + "\n" + st.shown)
	}
	return b.String() + "```"
}

var (
	bars   = regexp.MustCompile(`(?m)^.*\[[#.]+\] +\d+ %.*\n`)
	digits = regexp.MustCompile(`\b[0-9a-f]{16}\b|[0-9]+(\.[0-9]+)?( [0-9]+(\.[0-9]+)?)*`)
	units  = regexp.MustCompile(`\bN (kB|MB)\b`)
	cpu    = regexp.MustCompile(`(?m)^machine .*$`)
	tables = regexp.MustCompile(`(?m)^(  tables .*B)  written anew, .*$`)
)

// masked returns what is shown without what differs from run to run.
func masked(shown string, vary bool) string {
	shown = bars.ReplaceAllString(shown, "") // how many there are may depend on what moved
	if vary {
		shown = cpu.ReplaceAllString(digits.ReplaceAllString(shown, "N"), "machine")
		shown = tables.ReplaceAllString(shown, "$1") // how large they were before depends on how many checkpoints there were
	}
	shown = spaces.ReplaceAllString(units.ReplaceAllString(normal(shown), "N B"), "  ")
	lines := strings.Split(shown, "\n")
	for i := len(lines) - 1; vary && i > 0; i-- { // how many chunks there are, too
		if slices.Contains(lines[:i], lines[i]) && lines[i] != "" {
			lines = slices.Delete(lines, i, i+1)
		}
	}
	return strings.Join(lines, "\n")
}

// built is the command, built as a user builds it; the environment finds it.
func built(t *testing.T) (env []string) {
	t.Helper()
	dir := t.TempDir()
	out, err := exec.Command("go", "build", "-o", dir+"/", ".").CombinedOutput()
	require.NoError(t, err, string(out))
	return append(os.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// names of the commands that are typed in a text.
func typedCommands(text string) (names []string) {
	for _, m := range regexp.MustCompile(`\btarn ([a-z]+)`).FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	return names
}

// Every command has a line in the table and a session that is run, and what a text says
// about a command is one.
func TestEveryCommandIsDocumentedAndEveryDocumentedCommandIsOne(t *testing.T) {
	text, err := os.ReadFile(operations)
	require.NoError(t, err)
	var typed string
	for _, s := range sessions(string(text)) {
		for _, st := range s.steps {
			typed += st.typed
		}
	}
	for _, c := range commands() {
		assert.Contains(t, string(text), "| `tarn "+c.Name, "the table")
		assert.Contains(t, typedCommands(typed), c.Name, "the sessions")
	}
	pages, err := filepath.Glob("../../docs/*.md")
	require.NoError(t, err)
	for _, page := range append(pages, readme) {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile("`tarn ([^`]*)`([^|\n]*)").FindAllStringSubmatch(string(text), -1) {
			checkMention(t, page, m[1])
		}
	}
}

// checkMention checks the name and the flags of a command that a text mentions.
func checkMention(t *testing.T, page, mention string) {
	name, rest, _ := strings.Cut(mention, " ")
	i := slices.IndexFunc(commands(), func(c *cli.Command) bool { return c.Name == name })
	if name == "completion" || name == "help" {
		return
	}
	if assert.GreaterOrEqual(t, i, 0, "%s: tarn %s", page, mention) {
		for _, flag := range regexp.MustCompile(`--([a-z-]+)`).FindAllStringSubmatch(rest, -1) {
			has := slices.ContainsFunc(commands()[i].Flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), flag[1]) })
			assert.True(t, has, "%s: tarn %s has no --%s", page, name, flag[1])
		}
	}
}

func TestHelpFitsATerminal(t *testing.T) {
	lines := func(args ...string) {
		status, help, _ := tarnCommand(args...)
		require.Zero(t, status)
		for line := range strings.Lines(help) {
			assert.LessOrEqual(t, len([]rune(strings.TrimSuffix(line, "\n"))), helpColumns, "%v: %s", args, line)
		}
	}
	lines("--help")
	for _, c := range commands() {
		lines(c.Name, "--help")
	}
}

// readmeSession is the block of the README that has commands.
func readmeSession(t *testing.T) string {
	text, err := os.ReadFile(readme)
	require.NoError(t, err)
	for i, block := range strings.Split("\n"+string(text), "\n```") {
		if i%2 == 1 && strings.HasPrefix(block, "\ntarn ") { // every other one is text
			return block[1:]
		}
	}
	t.Fatal("the README has no commands of tarn")
	return ""
}
