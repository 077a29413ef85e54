package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/cmd/tarn/internal/vecio"
)

// BenchmarkImport measures tarn import of an .fbin file against Upsert in batches
// of as many points, in turn, both until everything is durable and closed; above 1
// the import is quicker.
func BenchmarkImport(b *testing.B) {
	const n, dim = 60_000, 128
	dir := b.TempDir()
	file := filepath.Join(dir, "x.fbin")
	f, err := os.Create(file)
	require.NoError(b, err)
	w, err := vecio.NewWriter(f, "fbin", dim)
	require.NoError(b, err)
	r := rand.New(rand.NewPCG(1, 2))
	all := make([]tarn.Point, n)
	for i := range all {
		all[i] = tarn.Point{ID: uint64(i), Vector: make([]float32, dim)}
		for j := range dim {
			all[i].Vector[j] = float32(r.NormFloat64())
		}
		require.NoError(b, w.Write(all[i].Vector))
	}
	require.NoError(b, w.Close())
	require.NoError(b, f.Close())
	var upserts, imports []float64
	for i := 0; b.Loop(); i++ {
		start := time.Now()
		status, _, stderr := tarnCommand("import", filepath.Join(dir, fmt.Sprint("a", i)), "c", file)
		require.Zero(b, status, stderr)
		imports = append(imports, time.Since(start).Seconds())

		start = time.Now()
		db, err := tarn.Open(filepath.Join(dir, fmt.Sprint("b", i)), nil)
		require.NoError(b, err)
		c, err := db.CreateCollection(b.Context(), "c", tarn.CollectionConfig{Dim: dim, Metric: tarn.Cosine})
		require.NoError(b, err)
		for batch := range slices.Chunk(all, importBatch) {
			require.NoError(b, c.Upsert(b.Context(), batch...))
		}
		require.NoError(b, db.Close())
		upserts = append(upserts, time.Since(start).Seconds())
	}
	slices.Sort(upserts)
	slices.Sort(imports)
	b.ReportMetric(upserts[len(upserts)/2]/imports[len(imports)/2], "import/upsert")
	b.ReportMetric(n/imports[len(imports)/2], "points/s")
}
