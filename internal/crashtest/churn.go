package crashtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tarndb/tarn"
)

// churned is how far a child came with the other collections: C n is said before
// collection n is created, c n when its points are durable, X n before it is
// dropped, x n when it is gone.
type churned struct {
	what rune // 0: nothing was said
	n    int
}

func (h *churned) take(line string) bool {
	what, n := rune(0), 0
	if strings.Contains(line, " ") {
		return false // another kind of line
	}
	if _, err := fmt.Sscanf(line, "%c%d", &what, &n); err != nil || !strings.ContainsRune("CcXx", what) {
		return false
	}
	*h = churned{what, n}
	return true
}

const churnPoints = 5

func (c Config) churnName(n int) string { return fmt.Sprintf("churn-%d-%d", c.Cycle, n) }

// churn creates, fills and drops one collection after the other.
func (c Config) churn(ctx context.Context, db *tarn.DB) error {
	for n := 0; ; n++ {
		say(fmt.Sprintf("C%d\n", n))
		col, err := db.CreateCollection(ctx, c.churnName(n), tarn.CollectionConfig{Dim: dim})
		if err != nil {
			return err
		}
		points := make([]tarn.Point, churnPoints)
		for i := range points {
			points[i] = c.preloadedPoint(i)
		}
		if err := col.Upsert(ctx, points...); err != nil {
			return err
		}
		say(fmt.Sprintf("c%d\n", n))
		if n%2 == 1 {
			if err := col.Checkpoint(ctx); err != nil {
				return err
			}
		}
		say(fmt.Sprintf("X%d\n", n))
		if err := db.DropCollection(ctx, c.churnName(n)); err != nil {
			return err
		}
		say(fmt.Sprintf("x%d\n", n))
	}
}

// churned checks what is there of the other collections, and drops it.
func (o *oracle) churned(ctx context.Context, h churned) (problems []string, err error) {
	db, err := tarn.Open(o.Dir, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	names := db.Collections()
	entries, err := os.ReadDir(filepath.Join(o.Dir, "collections"))
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !slices.Contains(names, e.Name()) {
			problems = append(problems, fmt.Sprintf("A08: %s is left over", e.Name()))
		}
	}
	there := 0
	for _, name := range names {
		if name == collection {
			continue
		}
		there++
		col, err := db.Collection(name)
		if err != nil {
			return problems, err
		}
		n := col.Len()
		switch {
		case h.what == 0 || name != o.churnName(h.n) || h.what == 'x':
			problems = append(problems, fmt.Sprintf("A08: %s is there (%c%d was said)", name, h.what, h.n))
		case n != churnPoints && (h.what != 'C' || n != 0):
			problems = append(problems, fmt.Sprintf("A08: %s holds %d points (%c%d was said)", name, n, h.what, h.n))
		}
		if err := db.DropCollection(ctx, name); err != nil {
			return problems, err
		}
	}
	if h.what == 'c' && there == 0 {
		problems = append(problems, fmt.Sprintf("A08: collection %d was filled, and is gone", h.n))
	}
	return problems, nil
}
