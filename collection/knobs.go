package collection

import "github.com/tarndb/tarn/internal/vecfile"

// Knobs turn what users need not know. Zero fields mean the defaults; tests and
// benchmarks set them.
type Knobs struct {
	ExactThreshold  int     // live points up to which a search scans all of them; negative: none
	DeltaLimit      int     // points in the delta above which writers wait
	SoftLimit       int     // points in the delta above which every worker indexes, though searches run
	FewDeaths       int     // dead or lost slots below which a graph is not worth repairing or rebuilding
	LogSegment      int64   // bytes of a log segment
	CheckpointBytes int64   // log bytes that start a checkpoint in the background
	LogLimit        int64   // log bytes above which writers wait for a checkpoint
	SnapshotChange  int     // slots of change that make a snapshot due
	ChunkSlots      int     // slots of one chunk of the slot files, a power of two
	RunBytes        int     // of vectors written to slots in one go; what is more than two of them is a large batch
	CompactBytes    int64   // of slots that hold no point, from which on the collection compacts itself
	Ring            int     // moves that a search can look back on, a power of two
	NoFilterScan    bool    // under a filter the graph is walked however few match, as long as it takes
	PlainShare      float64 // share of matching points above which the walk under a filter is ordinary; negative: always
	PauseIndexer    bool    // leave everything in the delta, without limit
	NoBackground    bool    // no checkpoints of its own

	// Hook is called at every named step, from the goroutine that takes it.
	Hook func(step string)
}

const (
	defaultExactThreshold  = 2_000
	defaultDeltaPoints     = 65_536
	defaultDeltaBytes      = 64 << 20
	defaultSoftLimit       = 2_048 // a scan of them costs about what a search of a graph does: see docs/tuning.md
	defaultFewDeaths       = 1_000
	defaultLogSegment      = 16 << 20
	defaultCheckpointBytes = 64 << 20
	defaultLogLimit        = 4 * defaultCheckpointBytes
	defaultSnapshotChange  = 65_536
	defaultRing            = 4_096
)

func (k Knobs) withDefaults(codeStride int) Knobs {
	def := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	def64 := func(p *int64, v int64) {
		if *p == 0 {
			*p = v
		}
	}
	def(&k.ExactThreshold, defaultExactThreshold)
	if k.PlainShare == 0 {
		k.PlainShare = defaultPlainShare
	}
	def(&k.DeltaLimit, max(1, min(defaultDeltaPoints, defaultDeltaBytes/codeStride)))
	def(&k.SoftLimit, min(defaultSoftLimit, k.DeltaLimit/2))
	def(&k.FewDeaths, defaultFewDeaths)
	def64(&k.LogSegment, defaultLogSegment)
	def64(&k.CheckpointBytes, defaultCheckpointBytes)
	def64(&k.LogLimit, max(defaultLogLimit, 4*k.CheckpointBytes))
	def(&k.SnapshotChange, defaultSnapshotChange)
	def(&k.Ring, defaultRing)
	def(&k.RunBytes, vecfile.RunBytes)
	def64(&k.CompactBytes, defaultCompactBytes)
	return k
}
