package collection

import (
	"fmt"
	"maps"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/filter"
	"github.com/tarndb/tarn/internal/vfs"
)

// step does one random operation.
func (m *cutModel) step() {
	m.t.Helper()
	ctx := m.t.Context()
	switch k := m.r.IntN(100); {
	case k < 45:
		m.write()
	case k < 55:
		m.send()
	case k < 57:
		a := m.r.IntN(4)
		m.begin(func(s cutState) { maps.DeleteFunc(s, func(_ int, is cutPoint) bool { return is.a == a }) }, "delete where %d", a)
		_, err := m.c.DeleteWhere(ctx, filter.Eq("a", a))
		require.NoError(m.t, err)
		m.acknowledged()
	case k < 72:
		m.checkpoint()
	case k < 76:
		m.log = append(m.log, "rebuild")
		require.NoError(m.t, m.c.Rebuild(ctx, IndexConfig{}))
	case k < 80:
		m.log = append(m.log, "compact")
		require.NoError(m.t, m.c.Compact(ctx))
	case k < 86:
		var fields []string
		for _, f := range []string{"a", "b", "n"} {
			if m.r.IntN(2) == 0 {
				fields = append(fields, f)
			}
		}
		m.log = append(m.log, fmt.Sprint("fields ", fields))
		require.NoError(m.t, m.c.SetFields(ctx, fields...))
	case k < 90:
		m.backup()
	case k < 94:
		m.log = append(m.log, "reopen")
		m.close()
		m.settled()
		m.open()
	default:
		m.log = append(m.log, "power")
		m.quiet(true)
		after := m.disk.Crash(m.r.Uint64(), crashes[m.r.IntN(len(crashes))])
		m.c.Drop() // it ends; what it does to its disk nobody sees
		m.disk = after
		m.open()
	}
}

// points returns a few random points.
func (m *cutModel) points(most int) (cutState, []Point) {
	are := cutState{}
	for range 1 + m.r.IntN(most) {
		m.n++
		are[m.r.IntN(m.names)] = cutPoint{m.r.IntN(5) - 1, m.n}
	}
	var ps []Point
	for name, is := range are {
		ps = append(ps, m.point(name, is))
	}
	return are, ps
}

// write is an upsert or a delete.
func (m *cutModel) write() {
	m.t.Helper()
	ctx := m.t.Context()
	if m.r.IntN(3) > 0 {
		are, ps := m.points(4)
		m.begin(func(s cutState) { maps.Copy(s, are) }, "upsert %v", are)
		require.NoError(m.t, m.c.Upsert(ctx, ps...))
	} else {
		a, b := m.r.IntN(m.names), m.r.IntN(m.names)
		m.begin(func(s cutState) { delete(s, a); delete(s, b) }, "delete %d, %d", a, b)
		var err error
		if m.cfg.Keys == StringKeys {
			_, err = m.c.DeleteKeys(ctx, m.key(a), m.key(b))
		} else {
			_, err = m.c.Delete(ctx, uint64(a), uint64(b))
		}
		require.NoError(m.t, err)
	}
	m.acknowledged()
}

// acknowledged follows a write by a call, which is durable unless that comes later.
func (m *cutModel) acknowledged() {
	if m.cfg.WriteMode != WriteStreaming {
		m.settled()
	}
}

// send writes through a stream, as one record with its place, and waits.
func (m *cutModel) send() {
	m.t.Helper()
	ctx := m.t.Context()
	s, err := m.c.Stream()
	if err != nil || m.r.IntN(4) == 0 {
		s, err = m.c.EnableStreaming(ctx, StreamingConfig{BatchSize: 1 + m.r.IntN(4), FlushInterval: time.Millisecond})
	}
	require.NoError(m.t, err)
	are, ps := m.points(5)
	m.begin(func(s cutState) { maps.Copy(s, are) }, "send %v", are)
	ticket, err := s.SendBatch(ctx, ps, From("source", uint64(m.n)))
	require.NoError(m.t, err)
	require.NoError(m.t, ticket.Wait(ctx))
	m.settled()
}

func (m *cutModel) checkpoint() {
	m.t.Helper()
	m.log = append(m.log, "checkpoint")
	require.NoError(m.t, m.c.Checkpoint(m.t.Context()))
	m.settled()
}

// writtenInto is an archive between whose blocks the collection is written to.
type writtenInto struct {
	blockList
	m *cutModel
}

func (a *writtenInto) Write(kind uint8, data []byte) error {
	if a.m.r.IntN(2) == 0 {
		for range 1 + a.m.r.IntN(6) {
			a.m.write()
			if a.m.r.IntN(2) == 0 {
				a.m.checkpoint()
			}
		}
	}
	return a.blockList.Write(kind, data)
}

// backup backs the collection up and reads what is restored.
func (m *cutModel) backup() {
	m.t.Helper()
	ctx := m.t.Context()
	m.log = append(m.log, "backup")
	a := &writtenInto{m: m}
	require.NoError(m.t, Backup(ctx, m.c, a))
	m.mu.Lock()
	want := m.moment
	m.mu.Unlock()
	m.uuid++
	disk := vfs.NewMem()
	_, err := Restore(ctx, disk, a.again(), [16]byte{m.uuid})
	require.NoError(m.t, err)
	knobs := m.knobs
	knobs.ChunkSlots = 0 // a restore makes chunks of the usual size
	c, err := Open(m.options(disk, knobs))
	require.NoError(m.t, err)
	require.Equal(m.t, want, m.read(c))
	require.NoError(m.t, c.Close())
}
