package collection

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestARebuildOfItsOwnThatIsOvertakenByAnotherIsNotDone has a rebuild stand before its
// swap while one that the graph before asked for, or the drop of that graph, waits.
func TestARebuildOfItsOwnThatIsOvertakenByAnotherIsNotDone(t *testing.T) {
	for name, overtaken := range map[string]func(c *Collection, v *view) error{
		"a rebuild": func(c *Collection, v *view) error { return c.rebuildItself(v, "it was due") },
		"a drop":    func(c *Collection, v *view) error { return c.dropGraph(v.graph) },
	} {
		t.Run(name, func(t *testing.T) {
			standing, goOn := make(chan struct{}), make(chan struct{})
			c := newTestCollection(t, tempFS(t), Knobs{ExactThreshold: -1, NoBackground: true, PauseIndexer: true, Hook: func(step string) {
				if step == "rebuild: before publication" {
					standing <- struct{}{}
					<-goOn
				}
			}})
			require.NoError(t, c.Upsert(t.Context(), randomPoints(1, 0, 100)...))
			v := c.view.Load()
			done := make(chan error, 2)
			go func() { done <- c.Rebuild(t.Context(), IndexConfig{M: 5}) }()
			<-standing
			go func() { done <- overtaken(c, v) }()
			goOn <- struct{}{}
			for range 2 {
				select {
				case err := <-done:
					require.NoError(t, err)
				case <-standing:
					t.Fatal("it is done though there is another graph")
				}
			}
			require.EqualValues(t, 1, c.Stats().Rebuilds)
			require.Equal(t, 100, c.Stats().InGraph)
			require.Zero(t, c.notFound())
		})
	}
}
