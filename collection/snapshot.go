package collection

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/tarndb/tarn/hnsw"
	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/vfs"
)

const (
	snapshotPrefix = "graph-"
	snapshotSuffix = ".snap"
	temporary      = ".tmp"
)

// snapshotDue reports whether the graph file that the checkpoint names is old
// enough to be worth a new one.
func (c *Collection) snapshotDue(wanted bool) bool {
	g := c.view.Load().graph
	if _, ok := g.(saver); !ok || g.Len() == 0 {
		return false
	}
	changed := g.Len() - c.check.named.slots
	if c.check.named.graph != g {
		changed = g.Len()
	}
	if wanted {
		return changed > 0
	}
	return changed >= max(c.opts.Knobs.SnapshotChange, g.Len()/20)
}

// writeSnapshot writes the serving graph to a file that nothing names yet, while
// inserts go on.
func (c *Collection) writeSnapshot() (snapshotFile, error) {
	v := c.view.Load()
	name := fmt.Sprintf("%s%d%s", snapshotPrefix, c.check.generation+1, snapshotSuffix)
	tmp := name + temporary
	c.removeFile(tmp)
	c.removeGraph(name) // of an attempt that no checkpoint came to name
	since := v.missed.since()
	before := v.unfound(since)
	var saved hnsw.Saved
	err := guard(func() (err error) {
		saved, err = c.saveTo(tmp, v.graph.(saver))
		return err
	})
	if err == nil {
		c.hook("snapshot: before rename")
		err = c.fs.Rename(tmp, name)
	}
	if err == nil {
		c.hook("snapshot: after rename")
		err = c.fs.SyncDir(".")
	}
	if err != nil {
		c.removeFile(tmp)
		return snapshotFile{}, err
	}
	file := snapshotFile{name: name, crc: saved.CRC, slots: saved.Slots, graph: v.graph}
	file.since = since
	return file, c.saveLeft(&file, union(before, v.unfound(since)))
}

func (c *Collection) saveTo(name string, g saver) (saved hnsw.Saved, err error) {
	f, err := c.fs.Create(name)
	if err != nil {
		return hnsw.Saved{}, err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	w := bufio.NewWriterSize(&offsetWriter{f: f}, 1<<20)
	saved, err = g.Save(w, c.uuid)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		c.hook("snapshot: before sync")
		err = f.Sync()
	}
	return saved, err
}

// offsetWriter appends to a file.
type offsetWriter struct {
	f   vfs.File
	off int64
}

func (w *offsetWriter) Write(p []byte) (int, error) {
	n, err := w.f.WriteAt(p, w.off)
	w.off += int64(n)
	return n, err
}

// mapSnapshot maps a graph file.
func (c *Collection) mapSnapshot(file snapshotFile, mode vfs.MapMode) (vfs.Mapping, error) {
	f, err := c.fs.Open(file.name)
	if err != nil {
		return nil, err
	}
	defer f.Close() // opened for reading: an error tells nothing
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size == 0 || size > maxMap {
		return nil, fmt.Errorf("it has %d bytes", size)
	}
	return f.Map(0, int(size), mode)
}

// loadSnapshot maps the graph file that the checkpoint names. Any doubt is an
// error: the graph is derived state.
func (c *Collection) loadSnapshot(file snapshotFile) (*hnsw.Graph, int64, error) {
	m, err := c.mapSnapshot(file, vfs.MapCopy)
	if err != nil {
		return nil, 0, err
	}
	var g *hnsw.Graph
	err = vfs.Guard(func() (err error) {
		g, err = hnsw.Load(m.Bytes(), c.uuid, file.crc, c.graphConfig(c.config.Index), c.store)
		return err
	})
	if err != nil {
		m.Close()
		return nil, 0, err
	}
	c.maps = append(c.maps, m)
	g.Prefer(&c.live)
	return g, int64(len(m.Bytes())), nil
}

// checkLoaded compares the links of a graph file that Open took unseen, because it is
// large. A file in doubt is dropped, and what it holds is searched exactly until a
// new graph has it.
func (c *Collection) checkLoaded(file snapshotFile) {
	_, err := c.checkSnapshot(file)
	if !errors.Is(err, codec.ErrCorrupt) {
		return // it is whole, or a checkpoint has replaced it meanwhile
	}
	c.log.Warn("the graph is built anew: its file is damaged", "collection", c.name, "file", file.name, "error", err)
	if err := c.dropGraph(file.graph); err != nil && c.bg.Err() == nil {
		c.background("dropping a damaged graph", err)
	}
}

// dropGraph swaps a graph that cannot be trusted for an empty one.
func (c *Collection) dropGraph(g engine) error {
	if err := c.lockAdmin(c.bg); err != nil {
		return nil // closing
	}
	defer c.unlockAdmin()
	if c.view.Load().graph != g {
		return nil // a rebuild has replaced it
	}
	cfg := c.Config().Index
	next, err := c.newEngine(cfg)
	if err != nil {
		return err
	}
	c.publishGraph(next, nil, cfg)
	c.check.bad.Store(true) // after that: a checkpoint forgets it if its file is of the graph that serves
	c.index.old.Store(int64(c.view.Load().delta.Len()))
	c.room.broadcast()
	c.hook("snapshot: dropped")
	return nil
}

// maxMap is the largest file that is mapped: what an int can say.
const maxMap = int64(^uint(0) >> 1)

// removeSnapshot removes a graph file that is no longer, or never was, named.
func (c *Collection) removeSnapshot(old, named snapshotFile) {
	if old.name != "" && old.name != named.name {
		c.removeGraph(old.name)
	}
}

// removeGraph removes a graph file, and what lies beside it.
func (c *Collection) removeGraph(name string) {
	c.removeFile(name)
	c.removeFile(leftName(name))
}

// readFile reads the whole of a file that is not mapped: indexes of fields, what lies beside a graph.
func (c *Collection) readFile(name string) (data []byte, err error) {
	f, err := c.fs.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > maxMap {
		return nil, fmt.Errorf("it has %d bytes", size)
	}
	data = make([]byte, size)
	if _, err := f.ReadAt(data, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return data, nil
}

// removeFile removes a file that may be missing. That it could not be removed is
// only said: the next Open removes what nothing names.
func (c *Collection) removeFile(name string) {
	if err := c.fs.Remove(name); err != nil && !isNotExist(err) {
		c.log.Warn("a file that is not needed could not be removed", "collection", c.name, "file", name, "error", err)
	}
}

// sweepFiles removes temporary files, and graph files that no checkpoint names with what
// lies beside them.
func (c *Collection) sweepFiles() error {
	entries, err := c.fs.List(".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		graph := strings.HasSuffix(e.Name, snapshotSuffix) && e.Name != c.check.named.name
		left := strings.HasSuffix(e.Name, leftSuffix) && e.Name != leftName(c.check.named.name)
		stale := strings.HasPrefix(e.Name, snapshotPrefix) && (graph || left)
		if stale && e.Regular {
			// The tables that do not name it may be those of a process whose fsync
			// failed: on the disk may be the ones that do.
			if err := c.syncTables(); err != nil {
				return err
			}
		}
		if e.Regular && (stale || strings.HasSuffix(e.Name, temporary)) {
			c.removeFile(e.Name)
		}
	}
	return nil
}

// syncTables makes durable what meta.db says, whoever wrote it.
func (c *Collection) syncTables() error {
	f, err := c.fs.OpenRW(metaName)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("%s: %w", metaName, err)
	}
	return c.fs.SyncDir(".")
}
