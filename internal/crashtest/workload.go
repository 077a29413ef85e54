package crashtest

import (
	"encoding/binary"
	"hash/crc32"
	"iter"
	"math"
	"math/rand/v2"

	"github.com/tarndb/tarn"
)

// Kind is how a producer writes.
type Kind string

const (
	Stream Kind = "stream" // one point at a time into the stream; any prefix may survive
	Source Kind = "source" // batches with From; each survives whole or not at all, and Position says which
	API    Kind = "api"    // Upsert and Delete of several points; each call survives whole or not at all
)

const (
	dim        = 16
	largest    = 12      // operations of one batch
	perCycle   = 1 << 20 // offsets of a source that one cycle may use
	preloaded  = 1 << 40 // first id of the points that are there from the start
	noProducer = 1 << 16 // who wrote those, for vector
)

// Config is a workload and the store it runs on.
type Config struct {
	Dir        string
	Seed       uint64
	Cycle      int    // kills before; each cycle does something else
	Producers  []Kind // each with its own ids
	IDs        int    // of each producer
	Preload    int    // points that are there from the start and stay; enough of them make the graph count
	Rebuild    bool   // Rebuild over and over beside the producers
	Checkpoint bool   // Checkpoint over and over beside the producers
	Compact    bool   // Compact over and over beside the producers
	Nested     int    // after each kill so many children more, killed while they recover
	Named      bool   // points have keys, which say their ids
	Fresh      bool   // the store does not exist before the first kill, which comes early

	Churn bool // create, fill and drop other collections over and over beside the producers

	Step string // the child kills itself when it comes to this named step ...
	Nth  int    // ... for the n-th time, drawn anew for each kill; 0: it is killed by the clock

	OpenOnly bool // for a child: open the store and write nothing
}

// op is one write. Its seq counts the producer's operations of this cycle.
type op struct {
	id     uint64
	seq    int
	delete bool
}

// batches yields what producer p does in this cycle, without end.
func (c Config) batches(p int) iter.Seq[[]op] {
	return func(yield func([]op) bool) {
		rng := rand.New(rand.NewPCG(c.Seed+uint64(c.Cycle), uint64(p)))
		for seq := 0; ; {
			n := 1 + rng.IntN(largest)
			if c.Producers[p] == Stream {
				n = 1
			}
			deletes := rng.IntN(6) == 0 // an API call is one or the other
			batch := make([]op, n)
			for i := range batch {
				if c.Producers[p] == Source {
					deletes = rng.IntN(6) == 0
				}
				batch[i] = op{id: c.id(p, rng.IntN(c.IDs)), seq: seq, delete: deletes}
				seq++
			}
			if !yield(batch) {
				return
			}
		}
	}
}

// id returns id number i of producer p: 0 is the first producer's first.
func (c Config) id(p, i int) uint64 { return uint64(i*len(c.Producers) + p) }

// point is what o writes (I2).
func (c Config) point(p int, o op) tarn.Point {
	return c.named(tarn.Point{ID: o.id, Vector: c.vector(p, c.Cycle, o.seq), Payload: tarn.Payload{"cycle": c.Cycle, "seq": o.seq}})
}

func (c Config) preloadedPoint(i int) tarn.Point {
	return c.named(tarn.Point{ID: preloaded + uint64(i), Vector: c.vector(noProducer, 0, i), Payload: tarn.Payload{"cycle": 0, "seq": i}})
}

func (c Config) vector(p, cycle, seq int) []float32 {
	rng := rand.New(rand.NewPCG(c.Seed, uint64(p)<<40|uint64(cycle)<<24|uint64(seq)))
	v := make([]float32, dim)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return v
}

func (c Config) ops(p int, batch []op) []tarn.Op {
	out := make([]tarn.Op, len(batch))
	for i, o := range batch {
		if o.delete {
			out[i] = tarn.Op{Delete: true, Point: c.named(tarn.Point{ID: o.id})}
		} else {
			out[i] = tarn.Op{Point: c.point(p, o)}
		}
	}
	return out
}

// source names producer p's source, offset the place of its n-th batch in it.
func (c Config) source(p int) string     { return "source-" + string(rune('a'+p)) }
func (c Config) offset(batch int) uint64 { return uint64(c.Cycle*perCycle + batch + 1) }
func (c Config) collection() tarn.CollectionConfig {
	cfg := tarn.CollectionConfig{Dim: dim, Streaming: &tarn.StreamingConfig{BufferSize: 256, BatchSize: 32}}
	if c.Named {
		cfg.Keys = tarn.StringKeys
	}
	return cfg
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum identifies a point by what is in it, its id left out.
func checksum(p tarn.Point) uint32 {
	b := make([]byte, 0, 4*len(p.Vector)+16)
	for _, v := range p.Vector {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	b = binary.LittleEndian.AppendUint64(b, number(p.Payload["cycle"]))
	b = binary.LittleEndian.AppendUint64(b, number(p.Payload["seq"]))
	return crc32.Checksum(b, castagnoli)
}

// number accepts the int that goes in and the int64 that comes out.
func number(v any) uint64 {
	switch n := v.(type) {
	case int:
		return uint64(n)
	case int64:
		return uint64(n)
	}
	return math.MaxUint64
}
