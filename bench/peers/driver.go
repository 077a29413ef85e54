package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/tarndb/tarn/bench/internal/data"
)

// storeBatch is how many points a store is given at once.
const storeBatch = 128

// same is the cosine above which two vectors are one.
const same = 1 - 1e-6

// shapeOf says what a folder of rows holds.
type shapeOf struct {
	Dim int `json:"dim"`
}

// writeRows puts a set, of unit length if that is wanted, where contenders read it.
func writeRows(folder string, s *data.Set, unit bool) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	shape, err := json.Marshal(shapeOf{s.Dim()})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "shape.json"), shape, 0o644); err != nil {
		return err
	}
	for name, rows := range map[string][][]float32{"base.f32": s.Base, "query.f32": s.Queries} {
		raw := make([]byte, 0, 4*len(rows)*s.Dim())
		for _, row := range rows {
			var square float64
			for _, x := range row {
				square += float64(x) * float64(x)
			}
			norm := 1.0
			if unit {
				norm = math.Sqrt(square)
			}
			for _, x := range row {
				raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(float32(float64(x)/norm)))
			}
		}
		if err := os.WriteFile(filepath.Join(folder, name), raw, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// readRows reads what writeRows wrote.
func readRows(folder string) (base, queries [][]float32, err error) {
	var shape shapeOf
	raw, err := os.ReadFile(filepath.Join(folder, "shape.json"))
	if err == nil {
		err = json.Unmarshal(raw, &shape)
	}
	if err == nil && shape.Dim < 1 {
		err = fmt.Errorf("%s: no dimension", folder)
	}
	if err != nil {
		return nil, nil, err
	}
	read := func(name string) (rows [][]float32) {
		var raw []byte
		if raw, err = os.ReadFile(filepath.Join(folder, name)); err != nil {
			return nil
		}
		flat := make([]float32, len(raw)/4)
		for i := range flat {
			flat[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
		for ; len(flat) >= shape.Dim; flat = flat[shape.Dim:] {
			rows = append(rows, flat[:shape.Dim:shape.Dim])
		}
		return rows
	}
	if base = read("base.f32"); err == nil {
		queries = read("query.f32")
	}
	return base, queries, err
}

// driver does to a store of Go what driver.py does to the others.
type driver struct {
	store         goStore
	base, queries [][]float32
	before        int64
	out           *json.Encoder
}

func (d *driver) do(t task) (r reply, err error) {
	start := time.Now()
	switch t.Do {
	case "open":
		if err = d.store.open(t.Path, len(d.base[0]), t.Payloads); err == nil {
			r.Right = t.Row < 0 || d.finds(t.Row, 64)
		}
		r.Seconds = time.Since(start).Seconds()
	case "insert":
		return d.insert(t)
	case "finish":
		var over time.Duration
		over, err = d.store.finish()
		r.Seconds = (time.Since(start) - over).Seconds()
	case "search":
		return d.search(t.Ef)
	case "memory":
		debug.FreeOSMemory()
		r.Anonymous = anonymous() - d.before
	case "pour":
		err = d.pour(t.Durable)
	case "check":
		r = d.check(t.Rows)
	case "close":
		err = d.store.close()
	default:
		err = fmt.Errorf("no task is called %q", t.Do)
	}
	return r, err
}

// finds tells whether a search by a row's own vector finds it first, or another that
// was written with the same vector.
func (d *driver) finds(row, ef int) bool {
	own := d.base[row%len(d.base)]
	found, err := d.store.search(own, neighbours, ef)
	if err != nil || len(found) == 0 {
		return false
	}
	cosine := 0.0
	for i, x := range d.base[int(found[0])%len(d.base)] {
		cosine += float64(x) * float64(own[i])
	}
	return cosine > same
}

func (d *driver) insert(t task) (r reply, err error) {
	for n, first := 0, 0; first < t.Rows; n, first = n+1, first+storeBatch {
		rows := d.base[first:min(first+storeBatch, t.Rows)]
		start := time.Now()
		if err := d.store.insert(first, rows, t.Durable); err != nil {
			return r, err
		}
		r.Seconds += time.Since(start).Seconds()
		if t.Probe > 0 && n%t.Probe == t.Probe-1 {
			start, newest := time.Now(), first+len(rows)-1
			found := d.finds(newest, 64)
			if !found {
				r.Late++
			}
			for !found && time.Since(start) < 2*time.Second {
				found = d.finds(newest, 64)
			}
			if !found {
				r.Missed++
			}
			r.Visible = append(r.Visible, time.Since(start).Seconds())
		}
	}
	return r, nil
}

// search runs on the one processor that the process was pinned to. A program of Go that
// is started on one does with one thread at a time; this one was started on more, and
// unless it is told, its background shares that processor with the search by the
// system's time slices, of milliseconds each.
func (d *driver) search(ef int) (r reply, err error) {
	runtime.GOMAXPROCS(1)
	if _, err := d.store.search(d.queries[0], neighbours, ef); err != nil { // so that the change to this beam is not counted
		return r, err
	}
	for _, q := range d.queries {
		start := time.Now()
		rows, err := d.store.search(q, neighbours, ef)
		if err != nil {
			return r, err
		}
		r.Times = append(r.Times, time.Since(start).Seconds())
		r.Rows = append(r.Rows, rows)
	}
	return r, nil
}

// pour writes over and over, says so after each batch, and ends with an error only.
func (d *driver) pour(durable bool) error {
	for done := 0; ; {
		rows := make([][]float32, storeBatch)
		for i := range rows {
			rows[i] = d.base[(done+i)%len(d.base)]
		}
		if err := d.store.insert(done, rows, durable); err != nil {
			return err
		}
		done += len(rows)
		if err := d.out.Encode(reply{Acked: done}); err != nil {
			return err
		}
	}
}

func (d *driver) check(rows int) (r reply) {
	for i := range rows {
		if !d.store.has(i) {
			r.Missing++
		}
	}
	start := time.Now()
	for _, i := range rand.New(rand.NewPCG(1, 0)).Perm(rows)[:min(400, rows)] {
		r.Sample++
		if !d.finds(i, 100) {
			r.Unfound++
		}
		if time.Since(start) > 5*time.Second {
			break
		}
	}
	return r
}
