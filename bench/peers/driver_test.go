package main

import (
	"runtime"
	"testing"
)

// counting is a store that notes how many threads may run Go while it searches.
type counting struct {
	goStore
	threads []int
}

func (c *counting) search([]float32, int, int) ([]uint32, error) {
	c.threads = append(c.threads, runtime.GOMAXPROCS(0))
	return nil, nil
}

func TestStoresOfGoSearchOnOneThread(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	var store counting
	d := driver{store: &store, queries: make([][]float32, 2)}
	if _, err := d.do(task{Do: "search", Ef: 10}); err != nil {
		t.Fatal(err)
	}
	if len(store.threads) != 3 {
		t.Errorf("%d searches, not one that is not counted and two", len(store.threads))
	}
	for _, n := range store.threads {
		if n != 1 {
			t.Errorf("a search with %d threads", n)
		}
	}
}
