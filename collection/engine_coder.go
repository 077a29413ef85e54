//go:build !windows

package collection

import "github.com/tarndb/tarn/hnsw/coder"

var _ engine = (*coder.Graph)(nil)

// newCoder returns an empty graph of EngineCoder.
func (c *Collection) newCoder(cfg IndexConfig) (engine, error) {
	return coder.New(coder.Config(c.graphConfig(cfg)), c.store)
}
