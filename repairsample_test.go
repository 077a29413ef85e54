package tarn_test

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
)

// Every damage of part C of the list of faults, repaired: what is whole is kept,
// what is lost is counted exactly, and the damaged bytes are kept aside. The store is
// the one of storeToDamage, of a killed process, once with ids and once with keys:
//
//	records 1 to 260 upsert points 0 to 259, in slots 0 to 259; then a checkpoint
//	records 261 to 300 upsert points 260 to 299
//	records 301 to 340 upsert points 100 to 139 once more
//	records 341 to 350 delete points 0 to 9

const (
	sampleDim     = 8
	checkpointed  = 260
	movedFrom     = 100
	lastOfSamples = 350
)

// sample is such a store and what was done to it.
type sample struct {
	keys  bool
	seed  uint64
	files fs.FS
	first map[int]tarn.Point // as records 1 to 300 wrote them
	moved map[int]tarn.Point // as records 301 to 340 did
}

var samples = map[string]func(t *testing.T) *sample{
	"ids":  makeOnce(false),
	"keys": makeOnce(true),
}

// makeOnce keeps the store in memory: each case damages a copy.
func makeOnce(keys bool) func(t *testing.T) *sample {
	var once sync.Once
	s := &sample{keys: keys, first: map[int]tarn.Point{}, moved: map[int]tarn.Point{}}
	return func(t *testing.T) *sample {
		once.Do(func() { s.make(t) })
		require.NotNil(t, s.files)
		return s
	}
}

func (s *sample) make(t *testing.T) {
	knobs := smallChunks
	knobs.NoBackground, knobs.LogSegment, knobs.SnapshotChange = true, 8<<10, 1
	cfg := tarn.CollectionConfig{Dim: sampleDim}
	if s.keys {
		cfg.Keys = tarn.StringKeys
	}
	c, _, at := newCollection(t, cfg, tarn.WithKnobs(knobs))
	for i, p := range points(newRand(20+s.seed), 0, 300, sampleDim) {
		s.first[i] = s.name(p)
		require.NoError(t, c.Upsert(ctx, s.first[i]))
		if i == checkpointed-1 {
			eventually(t, "the delta is empty", func() bool { return c.Stats().InDelta == 0 })
			require.NoError(t, c.Checkpoint(ctx))
		}
	}
	for _, p := range points(newRand(21), movedFrom, 40, sampleDim) {
		s.moved[int(p.ID)] = s.name(p)
		require.NoError(t, c.Upsert(ctx, s.name(p)))
	}
	for i := range 10 {
		var err error
		if s.keys {
			_, err = c.DeleteKeys(ctx, sampleKey(i))
		} else {
			_, err = c.Delete(ctx, uint64(i))
		}
		require.NoError(t, err)
	}
	require.EqualValues(t, lastOfSamples, c.Stats().AppliedLSN)
	s.files = inMemory(t, at)
}

func sampleKey(i int) string { return fmt.Sprintf("doc/%03d", i) }

func (s *sample) name(p tarn.Point) tarn.Point {
	if s.keys {
		p.ID, p.Key = 0, sampleKey(int(p.ID))
	}
	return p
}

func inMemory(t *testing.T, path string) fs.FS {
	files := fstest.MapFS{}
	require.NoError(t, fs.WalkDir(os.DirFS(path), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(path, name))
		files[name] = &fstest.MapFile{Data: data, Mode: 0o600}
		return err
	}))
	return files
}

// copy lays the store out anew and returns its path and its collection's folder.
func (s *sample) copy(t *testing.T) (path, folder string) {
	t.Helper()
	path = filepath.Join(fastDir(t), "db")
	require.NoError(t, os.CopyFS(path, s.files))
	return path, filepath.Join(path, "collections", "test")
}

// loss is what a damage costs.
type loss struct {
	records  []uint64         // of the log
	slots    func(i int) bool // of slots 0 to 259: whether it is gone
	payloads func(i int) bool // likewise, of its payload
	names    func(i int) bool // likewise, of its key
	noEnd    bool
}

// expect returns what must be there after a repair, and how the rest is counted.
func (s *sample) expect(l loss) (want map[string]tarn.Point, count tarn.Repaired) {
	never := func(int) bool { return false }
	for _, f := range []*func(int) bool{&l.slots, &l.payloads, &l.names} {
		if *f == nil {
			*f = never
		}
	}
	isLost := func(record int) bool { return slices.Contains(l.records, uint64(record)) }
	want = map[string]tarn.Point{}
	count = tarn.Repaired{Collection: "test", Records: uint64(len(l.records)), NoEnd: l.noEnd}
	for i := range 300 {
		p, there, slot := s.first[i], true, i < checkpointed
		switch {
		case i < 10 && !isLost(341+i):
			continue // deleted
		case s.moved[i].Vector != nil && !isLost(301+i-movedFrom):
			p, slot = s.moved[i], false
		case !slot:
			there = !isLost(261 + i - checkpointed)
		}
		if slot && (l.slots(i) || s.keys && l.names(i)) {
			there = false
			count.Lost++
		}
		if there && slot && l.payloads(i) {
			p.Payload = nil
			count.Payloads++
		}
		if there {
			want[fmt.Sprint(p.ID, p.Key)] = p
			count.Points++
		}
	}
	return want, count
}

// requireMended repairs the store and compares everything with what must be left.
func (s *sample) requireMended(t *testing.T, path string, l loss) tarn.Repaired {
	t.Helper()
	folder := filepath.Join(path, "collections", "test")
	before := under(t, folder)
	want, count := s.expect(l)
	r := repairOne(t, path)
	require.False(t, r.Sound)
	require.NotEmpty(t, r.Findings)
	require.Equal(t, before, under(t, filepath.Join(path, r.Aside)), "the damaged bytes are kept aside")
	got := r
	got.Findings, got.Aside = nil, ""
	require.Equal(t, count, got)
	s.requireHolds(t, path, want)
	return r
}

// requireHolds asserts that the store has these points, finds each, is sound, and
// takes writes.
func (s *sample) requireHolds(t *testing.T, path string, want map[string]tarn.Point) {
	t.Helper()
	c, db := openCollection(t, path, tarn.WithKnobs(graphOnly))
	requireSound(t, db)
	require.Equal(t, len(want), c.Len())
	for p, err := range c.All(ctx) {
		require.NoError(t, err)
		if s.keys {
			p.ID = 0
		}
		require.Equal(t, want[fmt.Sprint(p.ID, p.Key)], p)
		near, err := c.Search(ctx, p.Vector, 1)
		require.NoError(t, err)
		require.Zero(t, near[0].Distance)
	}
	require.NoError(t, c.Upsert(ctx, s.name(points(newRand(22), 250, 1, sampleDim)[0])))
	require.NoError(t, db.Close())
}

// under returns the files and folders of a folder by their names in it.
func under(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for name, data := range tree(t, dir) {
		rel, err := filepath.Rel(dir, name)
		require.NoError(t, err)
		all[rel] = data
	}
	return all
}

// frameAt is where a record of the log is.
type frameAt struct {
	file      string
	off, size int
}

// frames returns the records of the log by their numbers.
func frames(t *testing.T, folder string) map[uint64]frameAt {
	t.Helper()
	all := map[uint64]frameAt{}
	for _, file := range segments(t, folder) {
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		for off := 4096; off+32 <= len(b) && binary.LittleEndian.Uint64(b[off+8:]) > 0; {
			size := (32 + int(binary.LittleEndian.Uint32(b[off:])) + 1 + 7) &^ 7
			all[binary.LittleEndian.Uint64(b[off+8:])] = frameAt{file, off, size}
			off += size
		}
	}
	return all
}

func segments(t *testing.T, folder string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(folder, "wal", "*.wal"))
	require.NoError(t, err)
	require.Greater(t, len(all), 2)
	return all
}

// recordsIn returns the numbers of the records of a segment that count.
func recordsIn(all map[uint64]frameAt, file string) (lsns []uint64) {
	for _, lsn := range slices.Sorted(maps.Keys(all)) {
		if all[lsn].file == file && lsn > checkpointed {
			lsns = append(lsns, lsn)
		}
	}
	return lsns
}

// eachSample runs a test for points named by ids and for points named by keys.
func eachSample(t *testing.T, fn func(t *testing.T, s *sample)) {
	for _, kind := range []string{"ids", "keys"} {
		if raceOn && kind == "ids" {
			continue // a repair is one goroutine; keys have all that ids have
		}
		t.Run(kind, func(t *testing.T) { fn(t, samples[kind](t)) })
	}
}

func slotFile(folder, name string) string { return filepath.Join(folder, "slots", name) }

func (s *sample) made(t *testing.T) *sample {
	s.make(t)
	return s
}

func fill(part, whole []byte, with byte) []byte {
	for i := range part {
		part[i] = with
	}
	return whole
}

// requireKept asserts that all that is there is as it was written, but for so many
// payloads.
func requireKept(t *testing.T, path string, want map[string]tarn.Point, s *sample, payloads int) {
	t.Helper()
	c, db := openCollection(t, path, nil)
	requireSound(t, db)
	for p, err := range c.All(ctx) {
		require.NoError(t, err)
		if s.keys {
			p.ID = 0
		}
		w, there := want[fmt.Sprint(p.ID, p.Key)]
		require.True(t, there)
		if p.Payload == nil && w.Payload != nil {
			w.Payload = nil
			payloads--
		}
		require.Equal(t, w, p)
	}
	require.Zero(t, payloads, "as many as are told")
	require.NoError(t, db.Close())
}

// requireAlmost asserts that a repair leaves what was there but for what it counts,
// and for the last write, the deletion of point 9, which may count as torn.
func (s *sample) requireAlmost(t *testing.T, path, file string, want map[string]tarn.Point, what string) {
	t.Helper()
	r := repairOne(t, path)
	c, db := openCollection(t, path, nil)
	requireSound(t, db)
	rest, differ := maps.Clone(want), 0
	for p, err := range c.All(ctx) {
		require.NoError(t, err)
		if s.keys {
			p.ID = 0
		}
		name := fmt.Sprint(p.ID, p.Key)
		torn := r.Records == 0 && assert.ObjectsAreEqual(s.first[9], p)
		if !torn && !assert.ObjectsAreEqual(want[name], p) {
			differ++
		}
		delete(rest, name)
	}
	require.NoError(t, db.Close())
	told := r.Lost + r.Payloads + int(r.Records)
	require.Equal(t, told, len(rest)+differ, "%s: %+v", what, r)
	if file != "meta.db" {
		require.LessOrEqual(t, told, 1, "%s: %+v", what, r)
	}
}
