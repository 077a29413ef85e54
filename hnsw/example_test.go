package hnsw_test

import (
	"bytes"
	"context"
	"fmt"

	"github.com/tarndb/tarn/hnsw"
)

// An index is built, asked, saved and read again.
func Example() {
	ctx := context.Background()
	x, err := hnsw.NewIndex(hnsw.Config{Dim: 2, Metric: hnsw.L2})
	if err != nil {
		panic(err)
	}
	for _, v := range [][]float32{{0, 0}, {3, 4}, {6, 8}} {
		if _, err := x.Add(v); err != nil {
			panic(err)
		}
	}
	near, err := x.Search(ctx, []float32{0, 1}, 2, 0, nil)
	if err != nil {
		panic(err)
	}
	for _, n := range near {
		fmt.Printf("slot %d at %.2f\n", n.Slot, n.Distance)
	}

	var file bytes.Buffer
	if err := x.Save(&file); err != nil {
		panic(err)
	}
	y, err := hnsw.LoadIndex(&file)
	if err != nil {
		panic(err)
	}
	y.Delete(0)
	near, err = y.Search(ctx, []float32{0, 1}, 2, 0, near)
	if err != nil {
		panic(err)
	}
	fmt.Println(y.Len(), "left, the nearest is slot", near[0].Slot)
	// Output:
	// slot 0 at 1.00
	// slot 1 at 4.24
	// 2 left, the nearest is slot 1
}

// Many vectors are added by several workers; a program that asks often gives the
// memory of the last answer to the next search.
func ExampleIndex_AddAll() {
	x, err := hnsw.NewIndex(hnsw.Config{Dim: 3, Metric: hnsw.L2})
	if err != nil {
		panic(err)
	}
	var vecs [][]float32
	for i := range 3_000 {
		vecs = append(vecs, []float32{float32(i), 1, 1})
	}
	ctx := context.Background()
	if _, err := x.AddAll(ctx, vecs, 4); err != nil {
		panic(err)
	}
	var near []hnsw.Neighbour
	for _, i := range []int{10, 2_000} {
		if near, err = x.Search(ctx, vecs[i], 1, 0, near); err != nil {
			panic(err)
		}
		fmt.Println(near[0].Slot)
	}
	// Output:
	// 10
	// 2000
}
