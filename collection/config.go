package collection

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tarndb/tarn/streaming"
)

// Limits of the parameters of a graph.
const (
	maxM  = 256
	maxEf = 10_000
)

// configVersion is the version of the stored configuration: wire format.
const configVersion = 1

// DefaultStreamingConfig returns 10 000 points, 128 points, 50 ms.
func DefaultStreamingConfig() StreamingConfig {
	return StreamingConfig{
		BufferSize:    streaming.DefaultBufferSize,
		BatchSize:     streaming.DefaultBatchSize,
		FlushInterval: streaming.DefaultFlushInterval,
	}
}

// WithDefaults fills zero fields and rounds the interval up to milliseconds.
func (s StreamingConfig) WithDefaults() StreamingConfig {
	d := DefaultStreamingConfig()
	if s.BufferSize != 0 {
		d.BufferSize = s.BufferSize
	}
	if s.BatchSize != 0 {
		d.BatchSize = s.BatchSize
	}
	if s.FlushInterval != 0 {
		d.FlushInterval = s.FlushInterval
		if r := s.FlushInterval % time.Millisecond; r > 0 {
			d.FlushInterval += time.Millisecond - r
		}
	}
	return d
}

// Validate returns all bad fields in one error that wraps ErrInvalidConfig.
func (s StreamingConfig) Validate() error { return invalidConfig(s.problems("")...) }

func (s StreamingConfig) problems(prefix string) []error {
	var errs []error
	check := func(name string, v, top int) {
		if v < 0 || v > top {
			errs = append(errs, fmt.Errorf("%s%s is %d: it must be 1 to %d, or 0 for the default", prefix, name, v, top))
		}
	}
	check("BufferSize", s.BufferSize, streaming.MaxBufferSize)
	check("BatchSize", s.BatchSize, streaming.MaxBatchSize)
	if d := s.FlushInterval; d < 0 || d > streaming.MaxFlushInterval {
		errs = append(errs, fmt.Errorf("%sFlushInterval is %v: it must be above 0 and at most %v, or 0 for the default", prefix, d, streaming.MaxFlushInterval))
	}
	return errs
}

type streamingJSON struct {
	BufferSize      int   `json:"buffer_size"`
	BatchSize       int   `json:"batch_size"`
	FlushIntervalMS int64 `json:"flush_interval_ms"`
}

// MarshalJSON writes the interval in whole milliseconds, rounded up.
func (s StreamingConfig) MarshalJSON() ([]byte, error) {
	ms := (s.FlushInterval + time.Millisecond - 1) / time.Millisecond
	return json.Marshal(streamingJSON{s.BufferSize, s.BatchSize, int64(ms)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *StreamingConfig) UnmarshalJSON(data []byte) error {
	var j streamingJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	if j.FlushIntervalMS > int64(streaming.MaxFlushInterval/time.Millisecond) || j.FlushIntervalMS < 0 {
		return fmt.Errorf("flush_interval_ms is %d: it must be 0 to %d", j.FlushIntervalMS, streaming.MaxFlushInterval/time.Millisecond)
	}
	*s = StreamingConfig{j.BufferSize, j.BatchSize, time.Duration(j.FlushIntervalMS) * time.Millisecond}
	return nil
}

// Validate returns all bad fields in one error that wraps ErrInvalidConfig.
func (c Config) Validate(maxDim int) error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Dim < 1 || c.Dim > maxDim {
		bad("Dim is %d: it must be 1 to %d", c.Dim, maxDim)
	}
	if int(c.Metric) >= len(metricNames) {
		bad("Metric is %d: it must be L2, Cosine or Dot", c.Metric)
	}
	if int(c.Keys) >= len(keyNames) {
		bad("Keys is %d: it must be Uint64Keys or StringKeys", c.Keys)
	}
	if int(c.WriteMode) >= len(modeNames) {
		bad("WriteMode is %d: it must be WriteAPI or WriteStreaming", c.WriteMode)
	}
	errs = append(errs, c.Index.problems()...)
	errs = append(errs, fieldProblems(c.Fields)...)
	if c.Streaming != nil {
		errs = append(errs, c.Streaming.problems("Streaming.")...)
	}
	return invalidConfig(errs...)
}

func (c IndexConfig) problems() []error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if int(c.Engine) >= len(engineNames) {
		bad("Index.Engine is %d: it must be EngineNative or EngineCoder", c.Engine)
	}
	check := func(name string, v, low, high int) {
		if v != 0 && (v < low || v > high) {
			bad("Index.%s is %d: it must be %d to %d, or 0 for the default", name, v, low, high)
		}
	}
	check("M", c.M, 2, maxM)
	check("EfConstruction", c.EfConstruction, 4, maxEf)
	check("EfSearch", c.EfSearch, 1, maxEf)
	return errs
}

func invalidConfig(errs ...error) error {
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrInvalidConfig, errors.Join(errs...))
}

// clone returns a copy that shares nothing with c.
func (c Config) clone() Config {
	if c.Streaming != nil {
		s := *c.Streaming
		c.Streaming = &s
	}
	c.Fields = slices.Clone(c.Fields)
	return c
}

// merged returns c with the fields of o that are not zero.
func (c IndexConfig) merged(o IndexConfig) IndexConfig {
	if o.M != 0 {
		c.M = o.M
	}
	if o.EfConstruction != 0 {
		c.EfConstruction = o.EfConstruction
	}
	if o.EfSearch != 0 {
		c.EfSearch = o.EfSearch
	}
	return c
}
