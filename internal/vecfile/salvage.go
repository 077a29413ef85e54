package vecfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/kernel"
	"github.com/tarndb/tarn/internal/vfs"
)

// NoSlot stands in a report for a whole file.
const NoSlot = 1<<32 - 1

// Salvage calls fn with those slots of live that are whole, in ascending order,
// whatever else in the folder is damaged, cut short or missing, and reports the
// others. The vector is valid during the call. Codes are not looked at: they can be
// made anew. Absent are those that nothing was ever written to, as far as the files go.
// The digest is that of the slots that are whole.
func Salvage(ctx context.Context, dir vfs.FS, cfg Config, live *bitmap.Set, fn func(Entry) error, report func(slot uint32, absent bool, f Finding)) (digest uint64, err error) {
	s, err := planned(dir, cfg, live)
	if err != nil {
		return 0, err
	}
	hash := func(e sideRow, _ []float32) uint64 { return codec.Hash(e) }
	return s.salvage(ctx, live, hash, fn, report)
}

// MendedDigest returns what the digest of Salvage would be if the checksum of each slot's
// codes were that of the codes made anew.
func MendedDigest(ctx context.Context, dir vfs.FS, cfg Config, live *bitmap.Set) (uint64, error) {
	s, err := planned(dir, cfg, live)
	if err != nil {
		return 0, err
	}
	row := make([]byte, s.lay.stride[codes])
	hash := func(e sideRow, v []float32) uint64 {
		kernel.EncodeCode(s.lay.metric, v, row)
		mended := sideRow(bytes.Clone(e))
		mended.setCodes(row)
		return codec.Hash(mended)
	}
	return s.salvage(ctx, live, hash, func(Entry) error { return nil }, func(uint32, bool, Finding) {})
}

// planned returns a store of which only the layout is known.
func planned(dir vfs.FS, cfg Config, live *bitmap.Set) (*Store, error) {
	s := &Store{fs: dir, cfg: cfg, log: slog.New(slog.DiscardHandler), base: codec.CRC(cfg.UUID[:])}
	return s, s.planAround(live)
}

// salvage is Salvage with a hash of each slot for the digest.
func (s *Store) salvage(ctx context.Context, live *bitmap.Set, hash hasher, fn func(Entry) error, report func(slot uint32, absent bool, f Finding)) (digest uint64, err error) {
	for first, more := live.Next(0); more; {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		i := s.lay.chunk(first)
		end := s.lay.first(i) + uint64(s.lay.slots())
		sum, err := s.salvageChunk(i, live, first, end, hash, fn, report)
		digest += sum
		if err != nil || end >= 1<<32 {
			return digest, err
		}
		first, more = live.Next(uint32(end))
	}
	return digest, nil
}

// hasher returns a hash of a slot with its entry and its vector.
type hasher func(e sideRow, v []float32) uint64

// planAround sets the layout that the first whole header of this store tells. A file
// of a newer version is nothing to salvage from.
func (s *Store) planAround(live *bitmap.Set) error {
	lay, err := newLayout(s.cfg.Dim, s.cfg.Metric, s.cfg.ChunkSlots, 1<<62)
	if err != nil {
		return err
	}
	s.lay = lay
	told := false
	err = eachHeader(s.fs, func(name string, h fileHeader, err error) error {
		if errors.Is(err, codec.ErrVersion) {
			return fmt.Errorf("%s: %w", name, err)
		}
		if told || err != nil || h.shift > maxShift || h.uuid != s.cfg.UUID {
			return nil
		}
		told = true
		s.lay, err = newLayout(s.cfg.Dim, s.cfg.Metric, 1<<h.shift, 1<<62)
		return err
	})
	return err
}

// eachHeader calls fn with the header of every slot file in a folder, or why it
// cannot be read.
func eachHeader(dir vfs.FS, fn func(name string, h fileHeader, err error) error) error {
	entries, err := dir.List(".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if _, ok := chunkOf(e.Name); !ok || !e.Regular {
			continue
		}
		for k := range kinds {
			if !strings.HasSuffix(e.Name, suffixes[k]) {
				continue
			}
			var h fileHeader
			f, err := dir.Open(e.Name)
			if err == nil {
				h, _, err = readHeader(k, f)
				_ = f.Close() // only read
			}
			if err := fn(e.Name, h, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// Owners returns how many files of a folder belong to each store.
func Owners(dir vfs.FS) (map[[16]byte]int, error) {
	owners := map[[16]byte]int{}
	err := eachHeader(dir, func(_ string, h fileHeader, err error) error {
		if err == nil {
			owners[h.uuid]++
		}
		return nil
	})
	return owners, err
}

var errMissing = errors.New("a file is missing")

// salvageChunk reads the slots of live from first to end (excluded) of a chunk.
func (s *Store) salvageChunk(i int, live *bitmap.Set, first uint32, end uint64, hash hasher, fn func(Entry) error, report func(uint32, bool, Finding)) (digest uint64, failed error) {
	vec, vecErr := s.fs.Open(fileName(vectors, uint32(i)))
	side, sideErr := s.fs.Open(fileName(sidecar, uint32(i)))
	if err := errors.Join(vecErr, sideErr); err != nil {
		report(NoSlot, true, Finding{fileName(vectors, uint32(i)), -1, err.Error()})
	}
	rows := [kinds][]byte{vectors: make([]byte, s.lay.stride[vectors]), sidecar: make([]byte, sideSize)}
	for slot, ok := first, true; ok && uint64(slot) < end && failed == nil; slot, ok = live.Next(slot + 1) {
		var problem error
		absent := false
		for k, f := range map[kind]vfs.File{vectors: vec, sidecar: side} {
			err := errMissing
			if f != nil {
				_, err = f.ReadAt(rows[k], s.lay.offset(k, slot))
			}
			if err != nil {
				problem = err
			}
			if k == sidecar { // it tells of a point whose vector is lost too
				absent = f == nil || errors.Is(err, io.EOF) || err == nil && len(bytes.TrimLeft(rows[k], "\x00")) == 0
			}
		}
		e := sideRow(rows[sidecar])
		if problem == nil && (e.lsn() == 0 || !e.matchesVector(s.base, slot, rows[vectors])) {
			problem = fmt.Errorf("it does not match its checksum; it may have been point %d", e.id())
		}
		if problem != nil {
			report(slot, absent, Finding{fileName(vectors, uint32(i)), s.lay.offset(vectors, slot), fmt.Sprintf("slot %d is lost: %v", slot, problem)})
		} else if v, ok := vfs.Float32s(rows[vectors]); ok {
			v = v[:s.lay.dim]
			digest += hash(e, v)
			failed = fn(Entry{Slot: slot, ID: e.id(), LSN: e.lsn(), Payload: e.payload(), Vector: v})
		}
		if slot == 1<<32-1 {
			break
		}
	}
	for _, f := range []vfs.File{vec, side} {
		if f != nil {
			_ = f.Close() // only read
		}
	}
	return digest, failed
}
