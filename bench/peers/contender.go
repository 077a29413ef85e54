package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// task is a command to a store's process.
//
//	open    open or make the store at Path; with Row >= 0, up to the first answer
//	insert  write the first Rows in batches, each acknowledged, after every Probe-th
//	        one search for its last row
//	finish  do what the store documents to make searches quick and data safe
//	search  ask all queries one by one with a beam
//	memory  what the process holds beyond what it held before it opened the store
//	pour    write without end, saying after each batch how many points that makes
//	check   look for the first Rows by id, and for a sample by vector
//	close   close it
type task struct {
	Do       string `json:"do"`
	Path     string `json:"path"`
	Row      int    `json:"row"`
	Rows     int    `json:"rows"`
	Payloads bool   `json:"payloads"` // open: points carry one
	Durable  bool   `json:"durable"`
	Probe    int    `json:"probe"`
	Ef       int    `json:"ef"`
}

// reply is its answer.
type reply struct {
	Error     string     `json:"error,omitempty"`
	Ready     bool       `json:"ready,omitempty"`
	Seconds   float64    `json:"seconds,omitempty"`
	Right     bool       `json:"right,omitempty"`
	Visible   []float64  `json:"visible,omitempty"` // seconds of a search for what was just acknowledged
	Late      int        `json:"late,omitempty"`    // of these, not found at once
	Missed    int        `json:"missed,omitempty"`  // nor within two seconds
	Rows      [][]uint32 `json:"rows,omitempty"`
	Times     []float64  `json:"times,omitempty"` // seconds of each search
	Anonymous int64      `json:"anonymous,omitempty"`
	Acked     int        `json:"acked,omitempty"`
	Missing   int        `json:"missing,omitempty"`
	Unfound   int        `json:"unfound,omitempty"`
	Sample    int        `json:"sample,omitempty"`
}

// contender is a store's process.
type contender struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// startContender starts a store's process on the data in a folder. Those of Go are
// this program itself.
func startContender(name, folder string) (*contender, error) {
	var cmd *exec.Cmd
	if _, ok := goStores[name]; ok {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		cmd = exec.Command(self, "store", name, folder)
	} else {
		python, err := pythonPath()
		if err != nil {
			return nil, err
		}
		cmd = exec.Command(python, "driver.py", name, folder)
	}
	cmd.Stderr = os.Stderr
	c := &contender{cmd: cmd}
	var err error
	if c.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewReaderSize(out, 1<<20)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	r, err := c.read()
	if err == nil && !r.Ready {
		err = errors.New("it does not start")
	}
	return c, err
}

func (c *contender) send(t task) error {
	line, err := json.Marshal(t)
	if err == nil {
		_, err = c.in.Write(append(line, '\n'))
	}
	return err
}

func (c *contender) read() (reply, error) {
	var r reply
	line, err := c.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &r)
	}
	if err == nil && r.Error != "" {
		err = errors.New(r.Error)
	}
	return r, err
}

func (c *contender) do(t task) (reply, error) {
	if err := c.send(t); err != nil {
		return reply{}, err
	}
	r, err := c.read()
	if err != nil {
		return r, fmt.Errorf("%s: %w", t.Do, err)
	}
	return r, nil
}

func (c *contender) end() error {
	c.in.Close()
	return c.cmd.Wait()
}

// kill ends it with SIGKILL.
func (c *contender) kill() {
	_ = c.cmd.Process.Kill() // it may have ended by itself
	_ = c.cmd.Wait()
	c.in.Close()
}

// pin keeps all threads of the process on one processor; those that it starts later
// inherit that. Go's runtime is told by the search (driver.go).
func (c *contender) pin() error {
	var set unix.CPUSet
	set.Set(0)
	tasks, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(c.cmd.Process.Pid), "task"))
	if err != nil {
		return err
	}
	for _, t := range tasks {
		if tid, err := strconv.Atoi(t.Name()); err == nil {
			if err := unix.SchedSetaffinity(tid, &set); err != nil && !errors.Is(err, unix.ESRCH) {
				return err
			}
		}
	}
	return nil
}
