package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tarndb/tarn/internal/kernel"
)

// A fragment may hold commands of the repository and what they printed:
//
//	<!-- run: TARN_X=1 go test -run ^$ -bench 'Filter|Open' ./bench -->
//	...
//	<!-- end of run -->
//
// What is between the marks is written by repeat: the command, the machine, the day,
// and the output, benchmarks as a table.
const runMark, runEnd = "<!-- run: ", "<!-- end of run -->\n"

// repeat runs the commands of a section's fragment at the repository's root.
func repeat(section string) error {
	path := filepath.Join(fragments, section+".md")
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text, err := rerun(string(old), execute)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return writeFragment(section, text)
}

// rerun replaces what stands between the marks by what each command gives now.
func rerun(text string, execute func(command string) (string, error)) (string, error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, runMark)
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		command, rest, found := strings.Cut(rest, " -->\n")
		_, after, ended := strings.Cut(rest, runEnd)
		if !found || !ended {
			return "", fmt.Errorf("the mark of a run has no end: %.60s", command)
		}
		output, err := execute(command)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%s%s -->\n%s%s", runMark, command, output, runEnd)
		text = after
	}
}

// execute runs a command and returns what a fragment says of it.
func execute(command string) (string, error) {
	env, args := words(command)
	if len(args) < 2 || args[0] != "go" {
		return "", fmt.Errorf("not a command of Go: %s", command)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Env, cmd.Stderr = "../..", append(os.Environ(), env...), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", command, err, out)
	}
	body := string(out)
	if args[1] == "test" {
		if body = benchTable(body); body == "" {
			return "", errors.New(command + " ran no benchmark")
		}
	}
	return fmt.Sprintf("\n    %s\n\n%s.\n\n%s\n", command, stamp(), strings.TrimSpace(body)), nil
}

// stamp is the machine and the day.
func stamp() string {
	tier, _ := kernel.Tier()
	return fmt.Sprintf("%s, kernel %s, %s", machine(), tier, time.Now().UTC().Format(time.DateOnly))
}

// words splits a command into what it sets in the environment and its arguments,
// in which single quotes hold what belongs together.
func words(command string) (env, args []string) {
	for i, part := range strings.Split(command, "'") {
		if i%2 == 1 {
			args = append(args, part)
			continue
		}
		for _, word := range strings.Fields(part) {
			if len(args) == 0 && strings.Contains(word, "=") {
				env = append(env, word)
			} else {
				args = append(args, word)
			}
		}
	}
	return env, args
}

// benchTable makes tables of the output of go test -bench, one for each set of
// metrics.
func benchTable(output string) string {
	type table struct {
		units []string
		rows  [][]string
	}
	var tables []*table
	for in := bufio.NewScanner(strings.NewReader(output)); in.Scan(); {
		f := strings.Fields(in.Text())
		if len(f) < 4 || len(f)%2 != 0 || !strings.HasPrefix(f[0], "Benchmark") {
			continue
		}
		name := strings.TrimPrefix(f[0], "Benchmark")
		if at := strings.LastIndexByte(name, '-'); at > 0 && strings.Trim(name[at+1:], "0123456789") == "" {
			name = name[:at] // the processors
		}
		row, units := []string{name}, []string{}
		for i := 2; i < len(f); i += 2 {
			row, units = append(row, f[i]), append(units, f[i+1])
		}
		if len(tables) == 0 || !slices.Equal(tables[len(tables)-1].units, units) {
			tables = append(tables, &table{units: units})
		}
		last := tables[len(tables)-1]
		last.rows = append(last.rows, row)
	}
	var b strings.Builder
	for i, t := range tables {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "| | %s |\n|---|%s\n", strings.Join(t.units, " | "), strings.Repeat("---|", len(t.units)))
		for _, row := range t.rows {
			fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
		}
	}
	return b.String()
}
