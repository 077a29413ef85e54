package bench

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
)

const listed = 50_000

// listing makes a collection of points with payloads, named by ids or by keys; what is
// fresh is newer than the checkpoint.
func listing(b *testing.B, kind tarn.KeyKind, fresh bool) *tarn.Collection {
	b.Helper()
	db, err := tarn.Open(b.TempDir(), nil)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, db.Close()) })
	c, err := db.CreateCollection(ctx, "bench", tarn.CollectionConfig{Dim: openDim, Keys: kind, Index: tarn.IndexConfig{M: 8, EfConstruction: 40}})
	require.NoError(b, err)
	for from := 0; from < listed; from += 1000 {
		ps := openPoints(1000, uint64(from))
		for i := range ps {
			n := from + i
			ps[i].Payload = tarn.Payload{"title": fmt.Sprintf("the title of number %d", n), "n": n, "tags": []any{"a", "b"}}
			if kind == tarn.StringKeys {
				ps[i].Key = fmt.Sprintf("documents/%08d.md", n*7919%listed)
			}
		}
		require.NoError(b, c.Upsert(ctx, ps...))
	}
	indexed(b, c)
	if !fresh {
		require.NoError(b, c.Checkpoint(ctx))
	}
	return c
}

// BenchmarkListing walks over all points by All, in pages of 100 by Scroll, and looks
// for the few that fulfil a condition without an index; per point of the collection.
// Then, with an index, it pages through few and through half of the points; per page.
func BenchmarkListing(b *testing.B) {
	on(b, openData, func(b *testing.B) {
		for _, kind := range []tarn.KeyKind{tarn.Uint64Keys, tarn.StringKeys} {
			for _, fresh := range []bool{false, true} {
				c := listing(b, kind, fresh)
				name := "ids"
				if kind == tarn.StringKeys {
					name = "keys"
				}
				if fresh {
					name += ",fresh"
				}
				rare := tarn.Lt("n", 10)
				pages := func(name, per string, count int, walk func(b *testing.B) int) {
					b.Run(name, func(b *testing.B) {
						want := walk(b)
						for b.Loop() {
							require.Equal(b, want, walk(b))
						}
						b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(count), per)
					})
				}
				pages(name+"/all", "ns/point", listed, func(b *testing.B) int { return allOf(b, c) })
				pages(name+"/pages", "ns/point", listed, func(b *testing.B) int { return pagesOf(b, c, 100, nil) })
				pages(name+"/rare", "ns/point", listed, func(b *testing.B) int { return pagesOf(b, c, 100, rare) })
				require.NoError(b, c.SetFields(ctx, "n"))
				for c.Stats().FieldsBuilding > 0 {
					time.Sleep(time.Millisecond)
				}
				half := tarn.Lt("n", listed/2)
				pages(name+"/rare,indexed", "ns/page", 1, func(b *testing.B) int { return pagesOf(b, c, 100, rare) })
				pages(name+"/half,indexed", "ns/page", listed/2/100+1, func(b *testing.B) int { return pagesOf(b, c, 100, half) })
			}
		}
	})
}

func allOf(b *testing.B, c *tarn.Collection) (n int) {
	for _, err := range c.All(ctx) {
		require.NoError(b, err)
		n++
	}
	return n
}

func pagesOf(b *testing.B, c *tarn.Collection, limit int, f tarn.Filter) (n int) {
	for id, key := uint64(0), ""; ; {
		var page []tarn.Point
		var err error
		if c.Config().Keys == tarn.StringKeys {
			page, err = c.ScrollKeys(ctx, key, limit, f)
		} else {
			page, err = c.Scroll(ctx, id, limit, f)
		}
		require.NoError(b, err)
		if n += len(page); len(page) < limit {
			return n
		}
		id, key = page[len(page)-1].ID+1, page[len(page)-1].Key+"\x00"
	}
}
