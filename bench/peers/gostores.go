package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"github.com/tarndb/tarn"
)

// goStore is a store of Go as a contender.
type goStore interface {
	open(path string, dim int, payloads bool) error // payloads: whether points carry one
	insert(first int, rows [][]float32, durable bool) error
	finish() (over time.Duration, err error) // over: what it took after all was done, to be sure of that
	search(q []float32, k, ef int) ([]uint32, error)
	has(id int) bool
	close() error
}

var goStores = map[string]func() goStore{
	"tarn":        func() goStore { return &tarnStore{} },
	"tarn-stream": func() goStore { return &tarnStore{streams: true} },
	"chromem-go":  func() goStore { return &chromemStore{} },
	"coder-hnsw":  func() goStore { return &coderStore{} },
	"vecgo":       func() goStore { return &vecgoStore{} },
}

// storePayload is what a point carries: 100 bytes as Tarn writes them.
func storePayload(i int) tarn.Payload {
	return tarn.Payload{"title": "a passage of a manual page, as many others", "section": int64(i % 9), "words": int64(80), "lang": "en", "rank": 0.25}
}

// storeProcess answers tasks until the standard input ends.
func storeProcess(name, folder string) error {
	make, ok := goStores[name]
	if !ok {
		return fmt.Errorf("no store is called %q", name)
	}
	base, queries, err := readRows(folder)
	if err != nil {
		return err
	}
	debug.FreeOSMemory() // what reading the rows left behind
	d := &driver{store: make(), base: base, queries: queries, before: anonymous(), out: json.NewEncoder(os.Stdout)}
	if err := d.out.Encode(reply{Ready: true}); err != nil {
		return err
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var t task
		if err := json.Unmarshal(in.Bytes(), &t); err != nil {
			return err
		}
		r, err := d.do(t)
		if err != nil {
			r.Error = err.Error()
		}
		if err := d.out.Encode(r); err != nil {
			return err
		}
	}
	return nil
}
