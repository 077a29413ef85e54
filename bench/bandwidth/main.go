package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"time"

	"github.com/tarndb/tarn/internal/kernel"
	"github.com/tarndb/tarn/internal/vfs"
)

// size is the memory that rows are read from, list how many are read at a time:
// about one hop.
const (
	size = 128 << 20
	list = 32
)

func main() {
	if err := table(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bandwidth:", err)
		os.Exit(1)
	}
}

func table(w io.Writer) error {
	tier, _ := kernel.Tier()
	fmt.Fprintf(w, "%s/%s, %s, kernel %s, rows at random places of %d MiB, one thread\n\n", runtime.GOOS, runtime.GOARCH, runtime.Version(), tier, size>>20)
	fmt.Fprintln(w, "| row | bytes | 4 KiB pages, ns | GB/s | 2 MiB pages, ns | GB/s | kernel in 2 MiB, ns | kernel in cache, ns |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|")
	for _, dim := range []int{128, 384, 784, 1536} {
		for _, form := range []string{"codes", "float32"} {
			if err := line(w, dim, form); err != nil {
				return err
			}
		}
	}
	return nil
}

// line measures rows of one dimension in one form.
func line(w io.Writer, dim int, form string) error {
	vec := make([]float32, dim)
	r := rand.New(rand.NewPCG(1, uint64(dim)))
	for i := range vec {
		vec[i] = float32(r.NormFloat64())
	}
	code := make([]byte, kernel.CodeStride(dim))
	kernel.EncodeCode(kernel.L2, vec, code)
	row := code
	if form == "float32" {
		row = make([]byte, kernel.VectorStride(dim))
		for i, x := range vec {
			binary.LittleEndian.PutUint32(row[i*4:], math.Float32bits(x))
		}
	}
	block, err := vfs.HugeAlloc(size)
	if err != nil {
		return err
	}
	defer block.Close()
	huge, small := rows(row, block.Bytes()), rows(row, make([]byte, size))
	few := rows(row, make([]byte, 16<<10))
	var q kernel.Query
	q.Set(kernel.L2, vec)
	out := make([]float32, list)
	compute := func(t *kernel.Rows) func([]uint32) {
		if form == "codes" {
			return func(slots []uint32) { q.Codes(t, slots, out) }
		}
		return func(slots []uint32) { q.Vectors(t, t, slots, out) }
	}
	slow, quick := perRow(small, read(small)), perRow(huge, read(huge))
	n := float64(len(row))
	fmt.Fprintf(w, "| %d %s | %d | %.0f | %.1f | %.0f | %.1f | %.0f | %.0f |\n", dim, form, len(row),
		slow, n/slow, quick, n/quick, perRow(huge, compute(huge)), perRow(few, compute(few)))
	return nil
}

// rows makes a table of copies of one row in memory.
func rows(row, memory []byte) *kernel.Rows {
	shift := uint(0)
	for len(row)<<(shift+1) <= len(memory) {
		shift++
	}
	memory = memory[:len(row)<<shift]
	for at := 0; at < len(memory); at += len(row) {
		copy(memory[at:], row)
	}
	return kernel.NewRows(len(row), shift).With(memory)
}

var sink uint64

// read touches every cache line of the rows, asked for some rows ahead.
func read(t *kernel.Rows) func([]uint32) {
	lines := t.Stride() / 64
	ahead := min(list, max(4, 224/lines)) // as the kernels do
	return func(slots []uint32) {
		for _, s := range slots[:ahead] {
			kernel.PrefetchRow(t, s, lines)
		}
		for i, s := range slots {
			if i+ahead < len(slots) {
				kernel.PrefetchRow(t, slots[i+ahead], lines)
			}
			b := t.Bytes(s)
			for at := 0; at < len(b); at += 64 {
				sink += uint64(b[at])
			}
		}
	}
}

// perRow returns the nanoseconds a row of passes over rows at random places: the
// best of many that are each shorter than what a busy machine gives a thread at a
// time.
func perRow(t *kernel.Rows, pass func([]uint32)) float64 {
	const rows, passes = 2_048, 200
	r := rand.New(rand.NewPCG(2, 2))
	slots := make([]uint32, rows)
	best := time.Duration(1<<63 - 1)
	for range passes {
		for i := range slots {
			slots[i] = r.Uint32N(t.Cap())
		}
		start := time.Now()
		for at := 0; at < rows; at += list {
			pass(slots[at : at+list])
		}
		best = min(best, time.Since(start))
	}
	return float64(best.Nanoseconds()) / rows
}
