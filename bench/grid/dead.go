package main

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/tarndb/tarn/bench/internal/data"
)

// dead prints what deletions cost a graph, before and after a repair, beside a graph
// built of what is left.
func dead(set *data.Set) error {
	const ef = 64
	fmt.Printf("\n%s, %d vectors: recall@%d / distances at ef %d\n\n", set.Name, len(set.Base), k, ef)
	fmt.Println("| deleted | as it is | repaired | built anew | distances of the repair, of a build |\n|---|---|---|---|---|")
	for _, share := range []int{20, 10, 5, 3, 2} {
		x, err := build(set, 16, 200)
		if err != nil {
			return err
		}
		left := &data.Set{Name: set.Name, Metric: set.Metric, Queries: set.Queries}
		rows := map[uint32]uint32{} // of set -> of left
		r := rand.New(rand.NewPCG(3, uint64(share)))
		for i, v := range set.Base {
			if r.IntN(share) == 0 {
				x.Delete(uint32(i))
				continue
			}
			rows[uint32(i)] = uint32(len(left.Base))
			left.Base = append(left.Base, v)
		}
		left.Truth = left.Nearest()
		worn, work, err := askRows(x, left, rows, ef)
		if err != nil {
			return err
		}
		before := x.Graph().Distances()
		if _, err := x.Repair(context.Background()); err != nil {
			return err
		}
		repair := x.Graph().Distances() - before
		mended, less, err := askRows(x, left, rows, ef)
		if err != nil {
			return err
		}
		y, err := build(left, 16, 200)
		if err != nil {
			return err
		}
		whole := y.Graph().Distances()
		fresh, least, err := askRows(y, left, nil, ef)
		if err != nil {
			return err
		}
		fmt.Printf("| 1 in %d | %.4f / %.0f | %.4f / %.0f | %.4f / %.0f | %.1fM, %.1fM |\n",
			share, worn, work, mended, less, fresh, least, float64(repair)/1e6, float64(whole)/1e6)
	}
	return nil
}
