package main

import (
	"container/heap"
	"encoding/binary"
	"fmt"
	"os"

	"github.com/tarndb/tarn/bench/internal/data"
	"github.com/tarndb/tarn/internal/kernel"
)

// hnswlibGraph is a file that hnswlib saved. Its Python form does not count
// distances, so its search is done here again, step by step, on its own graph, and
// believed because it finds the same share of the nearest.
//
//	offset0 max count rowSize labelAt dataAt u64, top i32, entry u32,
//	maxM maxM0 M u64, mult f64, efConstruction u64,
//	count times {links: count u32, maxM0 x u32 | vector | label u64},
//	count times {size u32, size bytes: per layer {count u32, maxM x u32}}
type hnswlibGraph struct {
	raw             []byte
	rowSize, dataAt int
	labelAt         int
	top             int
	entry           uint32
	maxM            int
	rows            int // where the rows begin
	upper           []int
	seen            []uint32
	epoch           uint32
	distances       int
}

func openHnswlib(path string) (*hnswlibGraph, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	const head = 6*8 + 2*4 + 5*8
	if len(raw) < head {
		return nil, fmt.Errorf("%s: %d bytes", path, len(raw))
	}
	u64 := func(at int) int { return int(binary.LittleEndian.Uint64(raw[at:])) }
	g := &hnswlibGraph{raw: raw, rowSize: u64(24), labelAt: u64(32), dataAt: u64(40), maxM: u64(56), rows: head}
	g.top, g.entry = int(g.u32(48)), g.u32(52)
	count := u64(16)
	g.seen = make([]uint32, count)
	at := head + count*g.rowSize
	for range count {
		g.upper = append(g.upper, at+4)
		at += 4 + int(g.u32(at))
	}
	if at != len(raw) {
		return nil, fmt.Errorf("%s: %d bytes, %d are accounted for", path, len(raw), at)
	}
	return g, nil
}

func (g *hnswlibGraph) u32(at int) uint32 { return binary.LittleEndian.Uint32(g.raw[at:]) }

// links calls fn for the links of a node on a layer.
func (g *hnswlibGraph) links(node uint32, layer int, fn func(uint32)) {
	at := g.rows + int(node)*g.rowSize
	if layer > 0 {
		at = g.upper[node] + (layer-1)*(4+4*g.maxM)
	}
	for i := range int(binary.LittleEndian.Uint16(g.raw[at:])) {
		fn(g.u32(at + 4 + 4*i))
	}
}

func (g *hnswlibGraph) label(node uint32) uint32 {
	return g.u32(g.rows + int(node)*g.rowSize + g.labelAt)
}

// search is hnswlib's searchKnn.
func (g *hnswlibGraph) search(dist func(node uint32) float32, k, ef int) []uint32 {
	count := func(node uint32) float32 { g.distances++; return dist(node) }
	at, near := g.entry, count(g.entry)
	for layer := g.top; layer > 0; layer-- {
		for moved := true; moved; {
			moved = false
			g.links(at, layer, func(n uint32) {
				if d := count(n); d < near {
					at, near, moved = n, d, true
				}
			})
		}
	}
	g.epoch++
	g.seen[at] = g.epoch
	start := kernel.Candidate{Slot: at, Dist: count(at)}
	todo, best := nearest{start}, farthest{nearest{start}}
	for len(todo) > 0 {
		c := heap.Pop(&todo).(kernel.Candidate)
		if c.Dist > best.nearest[0].Dist && best.Len() == ef {
			break
		}
		g.links(c.Slot, 0, func(n uint32) {
			if g.seen[n] == g.epoch {
				return
			}
			g.seen[n] = g.epoch
			d := count(n)
			if best.Len() < ef || best.nearest[0].Dist > d {
				heap.Push(&todo, kernel.Candidate{Slot: n, Dist: d})
				heap.Push(&best, kernel.Candidate{Slot: n, Dist: d})
				if best.Len() > ef {
					heap.Pop(&best)
				}
			}
		})
	}
	for best.Len() > k {
		heap.Pop(&best)
	}
	rows := make([]uint32, best.Len())
	for i := range best.nearest {
		rows[i] = g.label(best.nearest[i].Slot)
	}
	return rows
}

// work is a beam with its recall and the distances it takes.
type work struct {
	Ef        int     `json:"ef"`
	Recall    float64 `json:"recall"`
	Distances float64 `json:"distances"`
}

// countHnswlib walks hnswlib's graph for every query and beam.
func countHnswlib(path string, set *data.Set, efs []int) ([]work, error) {
	g, err := openHnswlib(path)
	if err != nil {
		return nil, err
	}
	metric := kernel.Metric(set.Metric)
	var all []work
	for _, ef := range efs {
		judge := set.NewJudge(neighbours)
		g.distances = 0
		for i, q := range set.Queries {
			dist := func(node uint32) float32 { return kernel.Distance(metric, q, set.Base[g.label(node)]) }
			judge.Add(i, g.search(dist, neighbours, ef))
		}
		all = append(all, work{ef, judge.Recall(), float64(g.distances) / float64(len(set.Queries))})
	}
	return all, nil
}

// nearest is a heap with the nearest candidate on top.
type nearest []kernel.Candidate

func (h nearest) Len() int           { return len(h) }
func (h nearest) Less(i, j int) bool { return h[i].Dist < h[j].Dist }
func (h nearest) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *nearest) Push(x any)        { *h = append(*h, x.(kernel.Candidate)) }
func (h *nearest) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// farthest is a heap with the farthest on top.
type farthest struct{ nearest }

func (h farthest) Less(i, j int) bool { return h.nearest[i].Dist > h.nearest[j].Dist }
