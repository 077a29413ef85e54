package collection

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/codec"
)

// TestE12_AKindThatNobodyKnowsIsAnError reads configurations of which one kind is
// named by a word that this version does not know: it is refused and named.
func TestE12_AKindThatNobodyKnowsIsAnError(t *testing.T) {
	sound, err := encodeConfig(Config{Dim: 3})
	require.NoError(t, err)
	_, err = decodeConfig(sound)
	require.NoError(t, err)
	for field, name := range map[string]string{"Metric": "metric", "Keys": "keys", "WriteMode": "write_mode", "Engine": "engine"} {
		word := regexp.MustCompile(`"` + name + `":"[^"]*"`)
		require.True(t, word.Match(sound), name)
		for _, unknown := range []string{"hamming", "", "L2 ", "0"} {
			_, err := decodeConfig(word.ReplaceAll(sound, []byte(`"`+name+`":"`+unknown+`"`)))
			require.ErrorIs(t, err, codec.ErrCorrupt, field)
			require.ErrorContains(t, err, field)
		}
	}
}
