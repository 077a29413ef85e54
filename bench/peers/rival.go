package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// ask is a command to a contender.
//
//	load    take what was built before, or build and keep it; say how long that
//	        took, or what it holds of anonymous memory
//	build   build from the first rows
//	search  ask queries, some times over
//
// Searches are answered in seconds of the processor, all threads of the process
// together, builds in seconds of the clock.
type ask struct {
	Do      string  `json:"do"`
	Rows    int     `json:"rows"`
	Threads int     `json:"threads"`
	Ef      int     `json:"ef"`
	Times   int     `json:"times"`
	Queries int     `json:"queries"` // the first of them; 0: all
	Answers bool    `json:"answers"` // whether rows are wanted
	Exact   bool    `json:"exact"`   // by a scan; filters.py alone
	Acorn   bool    `json:"acorn"`   // filters.py alone
	Narrow  *narrow `json:"narrow"`  // filters.py alone
}

// said is its answer.
type said struct {
	Seconds   float64    `json:"seconds"`
	Anonymous int64      `json:"anonymous"`
	Distances float64    `json:"distances"` // per query, where it is known
	Rows      [][]uint32 `json:"rows"`
}

// rival is a contender: a process that answers asks.
type rival struct {
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
}

// names of the contenders, Tarn first.
var rivals = []string{"tarn", "hnswlib", "faiss", "faiss-sq8", "usearch"}

func startRival(name, set string) (*rival, error) {
	cache, err := filepath.Abs("data")
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, err
	}
	python, err := pythonPath()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(python, "peers.py", name, set, os.Getenv("TARN_DATA"), cache)
	if name == "tarn" {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		cmd = exec.Command(self, "serve", set, cache)
	}
	return launch(name, cmd)
}

// launch starts the process of a contender, on one thread of each numeric library.
func launch(name string, cmd *exec.Cmd) (_ *rival, err error) {
	cmd.Env = append(os.Environ(), "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1")
	cmd.Stderr = os.Stderr
	r := &rival{name: name, cmd: cmd}
	if r.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	r.out = bufio.NewReaderSize(out, 1<<20)
	return r, cmd.Start()
}

func (r *rival) ask(a ask) (said, error) {
	var s said
	line, err := json.Marshal(a)
	if err != nil {
		return s, err
	}
	if _, err := r.in.Write(append(line, '\n')); err != nil {
		return s, fmt.Errorf("%s: %w", r.name, err)
	}
	if line, err = r.out.ReadBytes('\n'); err != nil {
		return s, fmt.Errorf("%s: %w", r.name, err)
	}
	if err := json.Unmarshal(line, &s); err != nil {
		return s, fmt.Errorf("%s: %w", r.name, err)
	}
	return s, nil
}

func (r *rival) stop() error {
	r.in.Close()
	return r.cmd.Wait()
}

// pythonPath is the interpreter of the folder that Python's libraries are put into.
func pythonPath() (string, error) {
	cache, err := os.UserCacheDir()
	return filepath.Join(cache, "tarn-peers", "venv", "bin", "python"), err
}

// venv makes that folder hold the libraries of requirements.txt.
func venv() error {
	python, err := pythonPath()
	if err != nil {
		return err
	}
	if _, err := os.Stat(python); err != nil {
		if err := run("python3", "-m", "venv", filepath.Dir(filepath.Dir(python))); err != nil {
			return err
		}
	}
	return run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt")
}

func run(name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
