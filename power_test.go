package tarn_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
	"github.com/tarndb/tarn/internal/vfs"
)

// What a whole store looks like after a power cut.
//
//	driver ──> store on a disk in memory ──> before each operation that changes the disk:
//	  │                                      a state that a power cut could leave ──> opened, compared
//	  └─ states 0, 1, 2 ...  durable..begun ────────────────────────────────────────────┘
//
// One driver writes atomic batches one after the other, so what is found must be
// the state after one of them: at least the last that is durable, at most the last
// that was begun. That is O1 to O3; Verify is O4.

// cuts are the kinds of power cuts.
var cuts = []vfs.Crash{
	{},
	{Keep: 1},
	{Keep: 0.01},
	{Keep: 0.1, Torn: 0.1},
	{Keep: 0.5},
	{Keep: 0.5, Ordered: true},
	{Keep: 0.5, Torn: 0.5, Garbage: 0.3},
	{Keep: 0.9, Torn: 0.2, Ordered: true},
	{Keep: 0.99, Garbage: 0.05},
	{Keep: 0.3, KeepFile: early}, // A12: data is written back, the log is not
	{Keep: 0.3, KeepFile: late},  // A13: the log is, data is not
}

func early(name string) float64 {
	if strings.HasSuffix(name, ".wal") {
		return 0
	}
	return 1
}

func late(name string) float64 { return 1 - early(name) }

// state is what the collection holds: a checksum by id, and its place in the source.
type state struct {
	points map[uint64]uint32
	place  uint64
}

func (s state) next() state { return state{maps.Clone(s.points), s.place} }

func (s state) equal(o state) bool { return s.place == o.place && maps.Equal(s.points, o.points) }

func sumOf(p tarn.Point) uint32 {
	var b []byte
	for _, x := range p.Vector {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return crc32.ChecksumIEEE(fmt.Append(b, p.Payload["n"]))
}

// expected is what may be found: one of the states, and of the second collection
// one of its states, nil standing for none.
type expected struct {
	states []state
	others []*state
}

// powerWorld is a store in use on a disk that can lose power.
type powerWorld struct {
	t     *testing.T
	rng   *rand.Rand
	seed  uint64
	mem   *vfs.Mem
	in    *vfs.Inject
	knobs collection.Knobs
	cfg   tarn.CollectionConfig
	db    *tarn.DB
	c     *tarn.Collection
	other *tarn.Collection
	count *powerCount
	depth int

	mu      sync.RWMutex // held for writing while what is expected changes
	states  []state
	durable int // of states; the last one is the last that was begun
	others  []*state
}

// powerCount is shared by the worlds of a test.
type powerCount struct {
	mu     sync.Mutex
	cuts   int
	stop   int
	places map[string]int // cuts, by operation and kind of file
}

func (n *powerCount) take(place string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cuts >= n.stop {
		return false
	}
	n.cuts++
	n.places[place]++
	return true
}

func (n *powerCount) left() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cuts < n.stop
}

const powerName, otherName = "test", "other"

func newPowerWorld(t *testing.T, seed uint64, n *powerCount) *powerWorld {
	w := &powerWorld{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 11)), mem: vfs.NewMem(), count: n,
		knobs: collection.Knobs{ExactThreshold: -1, ChunkSlots: 16, LogSegment: 16 << 10, SnapshotChange: 12, NoBackground: seed%2 == 0, CheckpointBytes: 6 << 10,
			RunBytes: int(seed/4%2) * 4 * dim}, // in half of the worlds batches from three points on are large
		cfg:    tarn.CollectionConfig{Dim: dim, WriteMode: tarn.WriteMode(seed / 2 % 2)},
		states: []state{{points: map[uint64]uint32{}}}, others: []*state{nil}}
	w.watch()
	return w
}

// watch cuts the power before every operation that matters.
func (w *powerWorld) watch() {
	w.in = vfs.NewInject(w.mem)
	w.in.Before(func(c vfs.Call) {
		if !c.Op.Mutates() || w.t.Failed() {
			return
		}
		if c.Op == vfs.OpRemove && strings.HasSuffix(c.Name, ".wal") && w.knobs.NoBackground {
			w.coveredIsDurable(c)
		}
		for range 2 {
			w.cut(c)
		}
	})
}

// coveredIsDurable is A15: when a segment of the log goes, all else is on the disk.
func (w *powerWorld) coveredIsDurable(c vfs.Call) {
	home := path.Dir(path.Dir(c.Name))
	for _, name := range w.mem.Unsynced() {
		if strings.HasPrefix(name, home+"/slots") || name == home+"/meta.db" {
			w.t.Errorf("A15: %s is removed while %s is not on the disk (seed %d)", c.Name, name, w.seed)
		}
	}
}

func (w *powerWorld) cut(c vfs.Call) {
	if !w.count.take(fmt.Sprintf("%v %s", c.Op, kindOf(c.Name))) {
		return
	}
	w.mu.RLock()
	kind, seed := cuts[rand.IntN(len(cuts))], rand.Uint64()
	left := w.mem.Crash(seed, kind)
	want := expected{slices.Clone(w.states[w.durable:]), slices.Clone(w.others)}
	w.mu.RUnlock()
	if err := w.examine(left, want); err != nil {
		kind.KeepFile = nil
		w.t.Errorf("cut before %v of %s (%+v), world %d: %v", c.Op, c.Name, kind, w.seed, err)
	}
}

// kindOf names the kind of a file: what the report groups by.
func kindOf(name string) string {
	switch base := path.Base(name); {
	case strings.HasSuffix(base, ".tmp"), strings.HasPrefix(base, ".new-"), strings.HasPrefix(base, ".drop-"):
		return "unfinished " + kindOf(strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(base, ".new-"), ".drop-"), ".tmp"))
	case strings.HasPrefix(base, "graph-"):
		return "graph"
	case path.Ext(base) != "":
		return path.Ext(base)
	default:
		return "folder"
	}
}

// examine opens what a power cut left, compares, writes, loses power again, and
// compares again.
func (w *powerWorld) examine(disk *vfs.Mem, want expected) error {
	var fsys vfs.FS = disk
	if w.depth < 2 && rand.IntN(200) == 0 {
		fsys = w.nested(disk, want).in
	}
	opts := tarn.WithKnobs(w.knobs)
	db, err := tarn.OpenFS(fsys, opts)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	found, c, err := lookAt(db, powerName)
	if err == nil {
		err = want.check(found, db)
	}
	if err == nil {
		err = soundAndFound(db, c)
	}
	if err != nil || c == nil {
		return errors.Join(err, db.Close())
	}
	p := tarn.Point{ID: 77777, Vector: vector(newRand(5), dim), Payload: tarn.Payload{"n": int64(1)}}
	if err := errors.Join(c.Upsert(ctx, p), c.Sync(ctx)); err != nil {
		return errors.Join(fmt.Errorf("after: %w", err), db.Close())
	}
	again := disk.Crash(rand.Uint64(), cuts[rand.IntN(len(cuts))])
	if err := db.Close(); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	more := found.next()
	more.points[p.ID] = sumOf(p)
	db, err = tarn.OpenFS(again, opts)
	if err != nil {
		return fmt.Errorf("open after a second cut: %w", err)
	}
	found, c, err = lookAt(db, powerName)
	if err == nil && !found.equal(*more.orNil()) {
		err = fmt.Errorf("after a second cut: %d points at place %d, want %d at %d", len(found.points), found.place, len(more.points), more.place)
	}
	if err == nil {
		err = soundAndFound(db, c)
	}
	return errors.Join(err, db.Close())
}

func (s state) orNil() *state { return &s }

// nested is a world whose recovery is cut.
func (w *powerWorld) nested(disk *vfs.Mem, want expected) *powerWorld {
	n := &powerWorld{t: w.t, seed: w.seed, rng: w.rng, mem: disk, knobs: w.knobs, count: w.count, depth: w.depth + 1}
	for _, s := range want.states { // what examine writes afterwards may be there
		n.states = append(n.states, s)
		more := s.next()
		more.points[77777] = sumOf(tarn.Point{Vector: vector(newRand(5), dim), Payload: tarn.Payload{"n": int64(1)}})
		n.states = append(n.states, more)
	}
	n.others = want.others
	n.watch()
	return n
}

// lookAt returns what a collection holds; a missing one holds nothing.
func lookAt(db *tarn.DB, name string) (s *state, c *tarn.Collection, err error) {
	s = &state{points: map[uint64]uint32{}}
	c, err = db.Collection(name)
	if errors.Is(err, tarn.ErrNotFound) {
		return s, nil, nil
	}
	if err != nil {
		return s, nil, err
	}
	for p, err := range c.All(ctx) {
		if err != nil {
			return s, c, fmt.Errorf("all: %w", err)
		}
		s.points[p.ID] = sumOf(p)
	}
	if n := c.Len(); n != len(s.points) {
		return s, c, fmt.Errorf("Len is %d, All lists %d", n, len(s.points))
	}
	s.place, _ = c.Position("source")
	return s, c, nil
}

// check compares what was found with what may be.
func (e expected) check(found *state, db *tarn.DB) error {
	if !slices.ContainsFunc(e.states, found.equal) {
		return fmt.Errorf("O1-O3: %d points at place %d are none of %d states, from %d points at %d to %d at %d", len(found.points), found.place,
			len(e.states), len(e.states[0].points), e.states[0].place, len(e.states[len(e.states)-1].points), e.states[len(e.states)-1].place)
	}
	other, c, err := lookAt(db, otherName)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(e.others, func(s *state) bool {
		return s == nil && c == nil || s != nil && c != nil && s.equal(*other)
	}) {
		return fmt.Errorf("A08: the second collection (there: %v, %d points) is none of %d that it may be", c != nil, len(other.points), len(e.others))
	}
	return nil
}

// soundAndFound is O4, and that every point is found by its own vector.
func soundAndFound(db *tarn.DB, c *tarn.Collection) error {
	r, err := db.Verify(ctx)
	if err != nil {
		return err
	}
	if len(r.Findings) > 0 {
		return fmt.Errorf("O4: %+v", r.Findings)
	}
	if c == nil {
		return nil
	}
	for p, err := range c.All(ctx) {
		if err != nil {
			return err
		}
		for _, opts := range [][]tarn.SearchOption{{tarn.WithExact()}, nil} {
			near, err := c.Search(ctx, p.Vector, 1, opts...)
			if err != nil {
				return err
			}
			if len(near) != 1 || near[0].ID != p.ID {
				return fmt.Errorf("O1: point %d is not found by its vector", p.ID)
			}
		}
	}
	return nil
}

// begin notes that a batch leads to another state; the caller ends it.
func (w *powerWorld) begin(change func(s *state)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.states[len(w.states)-1].next()
	change(&s)
	w.states = append(w.states, s)
}

// end notes what became of the last batch.
func (w *powerWorld) end(err error, durable bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case err == nil && durable:
		w.durable = len(w.states) - 1
	case err != nil && !errors.Is(err, tarn.ErrFailed):
		w.states = w.states[:len(w.states)-1] // it must never be seen
	}
}

// settled notes that everything so far is durable.
func (w *powerWorld) settled() {
	w.mu.Lock()
	w.durable = len(w.states) - 1
	w.mu.Unlock()
}

func (w *powerWorld) setOthers(others ...*state) {
	w.mu.Lock()
	w.others = others
	w.mu.Unlock()
}
