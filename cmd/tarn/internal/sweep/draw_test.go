package sweep

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDrawWritesWhatTheNameSays(t *testing.T) {
	points := []Point{{Ef: 10, Recall: 0.9, P50: 20}, {Ef: 40, Recall: 0.99, P50: 60}}
	for file, begins := range map[string]string{"a.png": "\x89PNG", "a.svg": "<?xml", "a.pdf": "%PDF"} {
		var out bytes.Buffer
		require.NoError(t, Draw(&out, file, "title", 10, points))
		assert.True(t, bytes.HasPrefix(out.Bytes(), []byte(begins)), file)
	}
	assert.ErrorContains(t, Draw(&bytes.Buffer{}, "a.xyz", "", 10, points), ".png")
}
