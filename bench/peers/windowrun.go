package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/bench/internal/await"
)

// tarnWindow is Tarn under the window: a collection, durable writes, and the graph
// caught up with before a search is timed, as it is in the others.
type tarnWindow struct {
	b        *runbook
	db       *tarn.DB
	c        *tarn.Collection
	rebuilds bool
}

func startTarnWindow(b *runbook, path string, rebuilds bool) (windowed, error) {
	db, err := tarn.Open(path, nil)
	if err != nil {
		return nil, err
	}
	c, err := db.CreateCollection(context.Background(), "window", tarn.CollectionConfig{Dim: b.Dim,
		Index: tarn.IndexConfig{M: linksM, EfConstruction: efConstruction}})
	return &tarnWindow{b, db, c, rebuilds}, err
}

func (w *tarnWindow) insert(from, to int) (float64, error) {
	start := time.Now()
	points := make([]tarn.Point, 0, to-from)
	for id := from; id < to; id++ {
		points = append(points, tarn.Point{ID: uint64(id), Vector: w.b.set.Base[id%w.b.Rows]})
	}
	err := w.c.Upsert(context.Background(), points...)
	if err == nil && w.rebuilds && from > 0 && from%w.b.Rows == 0 {
		err = w.c.Rebuild(context.Background(), tarn.IndexConfig{})
	}
	if err != nil {
		return 0, err
	}
	indexed, err := await.Indexed(context.Background(), w.c)
	return indexed.Sub(start).Seconds(), err
}

func (w *tarnWindow) remove(from, to int) (float64, error) {
	start := time.Now()
	ids := make([]uint64, 0, to-from)
	for id := from; id < to; id++ {
		ids = append(ids, uint64(id))
	}
	_, err := w.c.Delete(context.Background(), ids...)
	return time.Since(start).Seconds(), err
}

func (w *tarnWindow) search(ef int) (ids [][]uint32, took float64, err error) {
	start := time.Now()
	for _, q := range w.b.set.Queries {
		found, err := w.c.Search(context.Background(), q, neighbours, tarn.WithEf(ef), tarn.WithoutPayload())
		if err != nil {
			return nil, 0, err
		}
		row := make([]uint32, len(found))
		for i, r := range found {
			row[i] = uint32(r.ID)
		}
		ids = append(ids, row)
	}
	return ids, time.Since(start).Seconds(), nil
}

func (w *tarnWindow) end() error { return w.db.Close() }

// pythonWindow is window.py.
type pythonWindow struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startWindow(name, rows string, capacity int) (windowed, error) {
	python, err := pythonPath()
	if err != nil {
		return nil, err
	}
	w := &pythonWindow{cmd: exec.Command(python, "window.py", name, rows, strconv.Itoa(capacity))}
	w.cmd.Stderr = os.Stderr
	if w.in, err = w.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	w.out = bufio.NewReaderSize(out, 1<<20)
	if err := w.cmd.Start(); err != nil {
		return nil, err
	}
	r, err := w.read()
	if err == nil && !r.Ready {
		err = errors.New("it does not start")
	}
	return w, err
}

func (w *pythonWindow) read() (r reply, err error) {
	line, err := w.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &r)
	}
	return r, err
}

func (w *pythonWindow) ask(do string, from, to, ef int) (reply, error) {
	line, err := json.Marshal(map[string]any{"do": do, "from": from, "to": to, "ef": ef})
	if err == nil {
		_, err = w.in.Write(append(line, '\n'))
	}
	if err != nil {
		return reply{}, err
	}
	return w.read()
}

func (w *pythonWindow) insert(from, to int) (float64, error) {
	r, err := w.ask("insert", from, to, 0)
	return r.Seconds, err
}

func (w *pythonWindow) remove(from, to int) (float64, error) {
	r, err := w.ask("delete", from, to, 0)
	return r.Seconds, err
}

func (w *pythonWindow) search(ef int) ([][]uint32, float64, error) {
	r, err := w.ask("search", 0, 0, ef)
	return r.Rows, r.Seconds, err
}

func (w *pythonWindow) end() error {
	w.in.Close()
	return w.cmd.Wait()
}
