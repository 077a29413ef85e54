package meta

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/vfs"
)

const modelSlots = 300

// model is a store as plain maps.
type model struct {
	answers
	has bitmap.Set
}

func newModel() *model {
	return &model{answers: answers{Config: `{"dim":3}`, Checkpoint: Checkpoint{UUID: testUUID},
		Positions: map[string]uint64{}, Payloads: map[uint32]string{}}}
}

func (m *model) clone() *model {
	c := newModel()
	c.answers = m.answers
	c.Live = slices.Clone(m.Live)
	c.Positions, c.Payloads = maps.Clone(m.Positions), maps.Clone(m.Payloads)
	for slot := range m.Payloads {
		c.has.Add(slot)
	}
	return c
}

// change returns a random update and the model after it.
func (m *model) change(r *rand.Rand) (Update, *model) {
	put := map[uint32][]byte{}
	u, next := Update{Payloads: bySlot(put)}, m.clone()
	for range r.IntN(30) {
		slot := r.Uint32N(modelSlots)
		u.DropPayloads = append(u.DropPayloads, slot)
		delete(next.Payloads, slot)
		next.has.Remove(slot)
	}
	for range r.IntN(60) {
		slot := r.Uint32N(modelSlots)
		p := make([]byte, r.IntN(300))
		fillRandom(r, p)
		put[slot], next.Payloads[slot] = p, string(p)
		next.has.Add(slot)
	}
	if r.IntN(3) > 0 {
		alive := &bitmap.Set{}
		next.Live = nil
		for slot := range uint32(modelSlots) {
			if r.IntN(2) == 0 {
				alive.Add(slot)
				next.Live = append(next.Live, slot)
			}
		}
		c := Checkpoint{LSN: r.Uint64(), Slots: modelSlots, Digest: r.Uint64(), Generation: r.Uint64(),
			Snapshot: fmt.Sprint("graph-", r.IntN(9)), UUID: testUUID}
		next.Checkpoint = c
		c.Live = alive
		u.Checkpoint = &c
	}
	if r.IntN(2) == 0 {
		source := fmt.Sprint("s", r.IntN(5))
		u.Positions = map[string]uint64{source: r.Uint64()}
		next.Positions[source] = u.Positions[source]
	}
	if r.IntN(5) == 0 {
		next.Config = fmt.Sprint("config ", r.Uint64())
		u.Config = []byte(next.Config)
	}
	return u, next
}

func TestAStoreEqualsAModel(t *testing.T) {
	for what, dir := range map[string]vfs.FS{"bbolt": disk(t), "memory": vfs.NewMem()} {
		t.Run(what, func(t *testing.T) {
			r := rand.New(rand.NewPCG(11, 12))
			s := newStore(t, dir)
			m := newModel()
			for step := range 60 {
				u, next := m.change(r)
				require.NoError(t, s.Commit(u))
				m = next
				if step%5 == 0 {
					s = reopen(t, s)
				}
				got, err := ask(s, modelSlots, &m.has)
				require.NoError(t, err)
				require.Equal(t, m.answers, got)
			}
			require.Empty(t, findings(t, s))
		})
	}
}

// A power cut after every step of every commit leaves the last commit that was
// acknowledged or the one under way.
func TestA09_A10_A11_APowerCutLeavesACommitWhole(t *testing.T) {
	for _, c := range []vfs.Crash{{}, {Keep: 0.5}, {Keep: 0.5, Torn: 0.5, Garbage: 0.3}, {Keep: 0.9, Ordered: true}, {Keep: 1}} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			mem := vfs.NewMem()
			inject := vfs.NewInject(mem)
			var acked, coming *model // acked is nil before the creation
			states, seed := 0, uint64(0)
			inject.After(func(call vfs.Call, _ error) {
				if !call.Op.Mutates() {
					return
				}
				for range 3 {
					seed++
					states++
					requireOneOf(t, mem.Crash(seed, c), acked, coming, fmt.Sprintf("seed %d after %v", seed, call))
				}
			})
			coming = newModel()
			s := newStore(t, inject)
			acked = coming
			r := rand.New(rand.NewPCG(13, 14))
			for range 20 {
				var u Update
				u, coming = acked.change(r)
				require.NoError(t, s.Commit(u))
				acked = coming
			}
			require.Greater(t, states, 500)
		})
	}
}

func requireOneOf(t *testing.T, dir vfs.FS, acked, coming *model, when string) {
	t.Helper()
	s, err := Open(dir, name, true)
	if errors.Is(err, fs.ErrNotExist) && acked == nil {
		return
	}
	require.NoError(t, err, when)
	defer s.Close()
	for _, m := range []*model{acked, coming} {
		if m == nil {
			continue
		}
		got, err := ask(s, modelSlots, &m.has)
		if err == nil && fmt.Sprint(got) == fmt.Sprint(m.answers) {
			return
		}
	}
	require.Fail(t, "neither the last commit nor the next", when)
}

func TestB01_B03_EveryStepOfACommitMayFail(t *testing.T) {
	for op := vfs.OpCreate; op <= vfs.OpAllocate; op++ {
		for _, cause := range []error{vfs.ErrNoSpace, errors.New("input/output error")} {
			for skip := range 2 {
				t.Run(fmt.Sprintf("%s %d %v", op, skip, cause), func(t *testing.T) {
					inject := vfs.NewInject(vfs.NewMem())
					s := newStore(t, inject)
					m := newModel()
					u, next := m.change(rand.New(rand.NewPCG(15, 16)))
					u.Config = []byte("changed")
					next.Config = "changed"
					inject.Add(&vfs.Fault{Ops: []vfs.Op{op}, Skip: skip, Count: 1, Err: cause})
					err := s.Commit(u)
					inject.Clear()
					if errors.Is(err, vfs.ErrFailed) {
						require.ErrorIs(t, s.Commit(u), vfs.ErrFailed)
						require.NoError(t, s.Close())
						requireOneOf(t, inject, m, next, "reopened")
						return
					}
					if err != nil {
						requireOneOf(t, inject, m, nil, "failed")
						require.NoError(t, s.Commit(u))
					}
					requireOneOf(t, inject, next, nil, "done")
					s = reopen(t, s)
					require.NoError(t, s.Commit(Update{Config: []byte("changed")}))
					require.Empty(t, findings(t, s))
				})
			}
		}
	}
}
