package hnsw

import (
	"errors"
	"fmt"

	"github.com/tarndb/tarn/internal/kernel"
)

// MaxSlots bounds the slots of a graph: a candidate packs its slot into 30 bits
// beside two flags.
const MaxSlots = 1 << 30

const (
	minM, maxM                           = 2, 256
	minEfConstruction, maxEfConstruction = 4, 10_000
)

// Config fixes the shape of a graph. Dim is required; other zero fields take
// what Defaults gives for that Dim.
type Config struct {
	Dim            int
	Metric         kernel.Metric
	M              int    // links per slot and layer, 2M on layer 0
	EfConstruction int    // beam of the search that finds a new slot's neighbours
	Seed           uint64 // of the slots' levels
}

// Defaults returns the measured defaults for vectors of dim components.
func Defaults(dim int) Config {
	return Config{Dim: dim, M: 16, EfConstruction: 200}
}

func (c Config) withDefaults() Config {
	d := Defaults(c.Dim)
	if c.M == 0 {
		c.M = d.M
	}
	if c.EfConstruction == 0 {
		c.EfConstruction = d.EfConstruction
	}
	return c
}

func (c Config) validate() error {
	var errs []error
	if c.Dim < 1 {
		errs = append(errs, fmt.Errorf("dim %d: must be at least 1", c.Dim))
	}
	if c.Metric > kernel.Dot {
		errs = append(errs, fmt.Errorf("metric %d: unknown", c.Metric))
	}
	if c.M < minM || c.M > maxM {
		errs = append(errs, fmt.Errorf("m %d: must be %d to %d", c.M, minM, maxM))
	}
	if c.EfConstruction < minEfConstruction || c.EfConstruction > maxEfConstruction {
		errs = append(errs, fmt.Errorf("ef construction %d: must be %d to %d", c.EfConstruction, minEfConstruction, maxEfConstruction))
	}
	return errors.Join(errs...)
}
