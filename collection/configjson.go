package collection

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/vecfile"
)

// configJSON is the stored form of a Config: wire format, version 1.
type configJSON struct {
	Version   int              `json:"version"`
	Dim       int              `json:"dim"`
	Metric    string           `json:"metric"`
	Keys      string           `json:"keys"`
	WriteMode string           `json:"write_mode"`
	Index     indexJSON        `json:"index"`
	Streaming *StreamingConfig `json:"streaming,omitempty"`
	Fields    []string         `json:"fields,omitempty"`
}

type indexJSON struct {
	Engine         string `json:"engine"`
	M              int    `json:"m,omitempty"`
	EfConstruction int    `json:"ef_construction,omitempty"`
	EfSearch       int    `json:"ef_search,omitempty"`
}

func encodeConfig(c Config) ([]byte, error) {
	return json.Marshal(configJSON{
		Version:   configVersion,
		Dim:       c.Dim,
		Metric:    c.Metric.String(),
		Keys:      c.Keys.String(),
		WriteMode: c.WriteMode.String(),
		Index: indexJSON{
			Engine:         c.Index.Engine.String(),
			M:              c.Index.M,
			EfConstruction: c.Index.EfConstruction,
			EfSearch:       c.Index.EfSearch,
		},
		Streaming: c.Streaming,
		Fields:    c.Fields,
	})
}

// decodeConfig reads a stored configuration. Its dimension may be above what a new
// collection is allowed, not above what the slot files can say.
func decodeConfig(data []byte) (Config, error) {
	var j configJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return Config{}, fmt.Errorf("stored configuration: %w: %w", codec.ErrCorrupt, err)
	}
	if j.Version > configVersion {
		return Config{}, fmt.Errorf("stored configuration: %w: it is of version %d, this program reads up to %d", codec.ErrVersion, j.Version, configVersion)
	}
	c := Config{
		Dim:       j.Dim,
		Metric:    Metric(enumValue(j.Metric, metricNames)),
		Keys:      KeyKind(enumValue(j.Keys, keyNames)),
		WriteMode: WriteMode(enumValue(j.WriteMode, modeNames)),
		Index: IndexConfig{
			Engine:         Engine(enumValue(j.Index.Engine, engineNames)),
			M:              j.Index.M,
			EfConstruction: j.Index.EfConstruction,
			EfSearch:       j.Index.EfSearch,
		},
		Streaming: j.Streaming,
		Fields:    j.Fields,
	}
	if err := c.Validate(vecfile.MaxDim); err != nil {
		return Config{}, fmt.Errorf("stored configuration: %w: %w", codec.ErrCorrupt, err)
	}
	return c, nil
}

// enumValue returns the place of name, or one past the last for an unknown one,
// which Validate refuses.
func enumValue(name string, names []string) int {
	if i := slices.Index(names, name); i >= 0 {
		return i
	}
	return len(names)
}
