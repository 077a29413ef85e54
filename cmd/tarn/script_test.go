package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write what the commands print into the scripts")

// A script is what a user types and sees: lines that begin with "$ tarn" are run
// one by one in a folder of their own, "$ cat > FILE" takes the lines up to EOF,
// "$ hex FILE DIGITS" makes one of bytes, "$ flip FILE OFFSET" damages one. What follows is standard output, then standard
// error behind "2> ", then the exit status unless it is 0. Figures that differ from
// run to run are compared as N.
func TestScripts(t *testing.T) {
	scripts, err := filepath.Glob("testdata/scripts/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, scripts)
	for _, path := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			path, err := filepath.Abs(path)
			require.NoError(t, err)
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			t.Chdir(t.TempDir())
			got := play(t, string(text))
			if *update {
				require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
				return
			}
			assert.Equal(t, string(text), got)
		})
	}
}

// play runs the commands of a script and returns it with what they print.
func play(t *testing.T, script string) string {
	var out strings.Builder
	lines := strings.Split(strings.TrimSuffix(script, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		switch {
		case strings.HasPrefix(line, "#"):
			fmt.Fprintln(&out, line)
		case strings.HasPrefix(line, "$ cat > "):
			fmt.Fprintln(&out, line)
			var text strings.Builder
			for i++; lines[i] != "EOF"; i++ {
				fmt.Fprintln(&text, lines[i])
			}
			out.WriteString(text.String() + "EOF\n")
			require.NoError(t, os.WriteFile(strings.TrimPrefix(line, "$ cat > "), []byte(text.String()), 0o600))
		case strings.HasPrefix(line, "$ flip "):
			fmt.Fprintln(&out, line)
			flip(t, strings.TrimPrefix(line, "$ flip "))
		case strings.HasPrefix(line, "$ hex "):
			fmt.Fprintln(&out, line)
			file, digits, _ := strings.Cut(strings.TrimPrefix(line, "$ hex "), " ")
			b, err := hex.DecodeString(digits)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(file, b, 0o600))
		case strings.HasPrefix(line, "$ tarn "):
			fmt.Fprintln(&out, line)
			out.WriteString(runLine(words(strings.TrimPrefix(line, "$ "))))
		}
	}
	return out.String()
}

func flip(t *testing.T, args string) {
	var file string
	var off int
	_, err := fmt.Sscan(args, &file, &off)
	require.NoError(t, err)
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	b[off] ^= 1
	require.NoError(t, os.WriteFile(file, b, 0o600))
}

var (
	sizes   = regexp.MustCompile(`\b[0-9.]+ (B|kB|MB|GB|ms|s)\b`)
	rates   = regexp.MustCompile(`\b[0-9 ]+ (points )?a second`)
	seconds = regexp.MustCompile(`("(?:seconds|bytes|disk_bytes|log_bytes|before_bytes|after_bytes|points_per_s|searches_per_s|took_ms|p50_us|p99_us|per_second|record_bytes|in_graph|in_delta)": )[0-9.e+-]+`)
	places  = regexp.MustCompile(`/\S*/TestScripts[^/"]*/\d+/`) // the folder of the script
	uuids   = regexp.MustCompile(`\b[0-9a-f]{32}\b|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	micros  = regexp.MustCompile(`\b[0-9]+ µs`)
	last    = regexp.MustCompile(`(?m)µs +[0-9 ]+$`)
	spaces  = regexp.MustCompile(`  +`)
)

func normal(s string) string {
	s = sizes.ReplaceAllString(s, "N $1")
	s = uuids.ReplaceAllString(s, "UUID")
	s = micros.ReplaceAllString(s, "N µs")
	s = last.ReplaceAllString(s, "µs  N")
	s = rates.ReplaceAllString(s, " N ${1}a second")
	s = places.ReplaceAllString(s, "${1}")
	s = seconds.ReplaceAllString(s, "${1}N")
	return s
}

func runLine(args []string) string {
	var stdout, stderr bytes.Buffer
	status := run(context.Background(), args, &stdout, &stderr)
	out := normal(stdout.String())
	if strings.Contains(out, " N ") { // columns are as wide as the figures
		out = spaces.ReplaceAllString(out, "  ")
	}
	if out != "" && !strings.HasSuffix(out, "\n") {
		out += "\n"
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(normal(stderr.String()), "\n"), "\n") {
		if line != "" {
			out += "2> " + line + "\n"
		}
	}
	if status != 0 {
		out += fmt.Sprintf("exit status %d\n", status)
	}
	return out
}

// words splits a line as a shell does, as far as quotes go.
func words(line string) (all []string) {
	var word strings.Builder
	quoted, begun := false, false
	for _, r := range line {
		switch {
		case r == '\'':
			quoted, begun = !quoted, true
		case r == ' ' && !quoted:
			if begun {
				all = append(all, word.String())
				word.Reset()
				begun = false
			}
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	if begun {
		all = append(all, word.String())
	}
	return all
}
