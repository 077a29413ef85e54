package collection

import "fmt"

// newCoder refuses: github.com/coder/hnsw imports a package that does not build
// on Windows.
func (c *Collection) newCoder(IndexConfig) (engine, error) {
	return nil, fmt.Errorf("%w: Index.Engine is EngineCoder, which there is not on Windows", ErrInvalidConfig)
}
