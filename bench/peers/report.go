package main

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"github.com/tarndb/tarn/bench/internal/data"
)

var recallMarks = []float64{0.90, 0.95, 0.99, 0.995, 0.999}

// graphReport writes the graph's section and its plots from results/.
func graphReport() error {
	var b strings.Builder
	fmt.Fprintf(&b, "## The graph, beside others\n\n"+
		"k = 10, M = %d, efConstruction = %d, one thread, queries per second at equal recall@10, by interpolation between\n"+
		"beams. Every round asks every contender with the same beam within the same second; a ratio is of one round, what\n"+
		"stands here is the median of the rounds. Tarn answers through its public `Search`, one call a query; the others get all\n"+
		"queries in one call of their Python form. Time is the processor's, since the machine was busy with other work; builds are\n"+
		"by the clock. Distances count all layers; of Tarn's, some hundreds are with the hubs of an upper one. Repeat it with\n\n"+
		"    cd bench/peers && TARN_DATA=folder go run . graph\n", linksM, efConstruction)
	for _, name := range data.Names {
		f := readFigures(name)
		if len(f.Rounds) == 0 {
			continue
		}
		if err := f.plot(filepath.Join(plotsFolder, name+".svg")); err != nil {
			return err
		}
		f.write(&b)
	}
	return writeFragment("graph", b.String())
}

func (f *figures) write(b *strings.Builder) {
	fmt.Fprintf(b, "\n### %s\n\n%s, %s.\n\n", f.Set, f.Machine, f.Day)
	head, line := "| recall@10 |", "|---|"
	for _, name := range rivals {
		head += " " + name + " |"
		line += "---|"
	}
	fmt.Fprintf(b, "%s tarn / hnswlib | tarn / best faiss | distances: tarn, hnswlib |\n%s---|---|---|\n", head, line)
	for _, r := range recallMarks {
		fmt.Fprintf(b, "| %g |", r)
		for _, name := range rivals {
			fmt.Fprintf(b, " %s |", f.cell(name, r))
		}
		fmt.Fprintf(b, " %s | %s | %s |\n", f.ratio(r, "hnswlib"), f.ratio(r, "faiss", "faiss-sq8"), f.distances(r))
	}
	fmt.Fprintf(b, "\n`>=`: the narrowest beam is above already. `-`: the widest is below.\n\n![recall and speed](plots/%s.svg)\n", f.Set)
	f.writeBuilds(b)
	f.writeMemory(b)
}

// cell is the median of the rounds at a recall.
func (f *figures) cell(name string, recall float64) string {
	var values []float64
	bound := ""
	for _, round := range f.Rounds[name] {
		v, atLeast, ok := at(round, recall)
		if !ok {
			return "-"
		}
		if atLeast {
			bound = ">= "
		}
		values = append(values, v)
	}
	return fmt.Sprintf("%s%.0f", bound, median(values))
}

// ratio is the median of the rounds' ratios of Tarn to the best of others.
func (f *figures) ratio(recall float64, others ...string) string {
	var ratios []float64
	for i, round := range f.Rounds["tarn"] {
		ours, _, ok := at(round, recall)
		best := 0.0
		for _, name := range others {
			if v, _, ok := at(f.Rounds[name][i], recall); ok {
				best = math.Max(best, v)
			}
		}
		if !ok || best == 0 {
			return "-"
		}
		ratios = append(ratios, ours/best)
	}
	return fmt.Sprintf("**%.2f**", median(ratios))
}

func (f *figures) distances(recall float64) string {
	both := make([]string, 2)
	for i, name := range []string{"tarn", "hnswlib"} {
		v, atLeast, ok := at(f.Work[name], recall)
		switch {
		case !ok:
			both[i] = "-"
		case atLeast:
			both[i] = fmt.Sprintf("<= %.0f", v)
		default:
			both[i] = fmt.Sprintf("%.0f", v)
		}
	}
	return strings.Join(both, ", ")
}

func (f *figures) writeBuilds(b *strings.Builder) {
	if len(f.Builds) == 0 {
		return
	}
	over := func(x, y string) float64 {
		var ratios []float64
		for i, v := range f.Builds[x] {
			ratios = append(ratios, v/f.Builds[y][i])
		}
		return median(ratios)
	}
	m := func(key string) float64 { return median(f.Builds[key]) }
	fmt.Fprintf(b, "\nBuild of the first %d vectors, in turn, medians of %d rounds:\n\n", f.BuildRows, len(f.Builds["tarn/1"]))
	fmt.Fprintf(b, "| vectors/s | tarn | hnswlib | tarn / hnswlib |\n|---|---|---|---|\n")
	for threads := 1; threads <= 2; threads++ {
		x, y := fmt.Sprintf("tarn/%d", threads), fmt.Sprintf("hnswlib/%d", threads)
		fmt.Fprintf(b, "| %d thread(s) | %.0f | %.0f | **%.2f** |\n", threads, m(x), m(y), over(x, y))
	}
	fmt.Fprintf(b, "\nTwo threads make %.2f of what two builds of one thread make side by side (%.0f vectors/s).\n",
		over("tarn/2", "tarn/1+1"), m("tarn/1+1"))
}

func (f *figures) writeMemory(b *strings.Builder) {
	fmt.Fprintf(b, "\nAnonymous memory of the loaded index, after searches (RssAnon, less what the process had before):\n\n|")
	for _, name := range rivals {
		fmt.Fprintf(b, " %s |", name)
	}
	fmt.Fprintf(b, " tarn / hnswlib |\n|%s---|\n|", strings.Repeat("---|", len(rivals)))
	for _, name := range rivals {
		fmt.Fprintf(b, " %.0f MiB |", float64(f.Anonymous[name])/(1<<20))
	}
	fmt.Fprintf(b, " **%.2f** |\n", float64(f.Anonymous["tarn"])/float64(f.Anonymous["hnswlib"]))
}
