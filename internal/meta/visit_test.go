package meta

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tarndb/tarn/internal/vfs"
)

func TestVisitPayloadsEqualsALookUpOfEach(t *testing.T) {
	dir, err := vfs.OS(t.TempDir())
	require.NoError(t, err)
	defer dir.Close()
	s, err := Create(dir, "meta.db", []byte("{}"), [16]byte{1})
	require.NoError(t, err)
	defer s.Close()
	all := map[uint32][]byte{}
	for slot := uint32(0); slot < 3000; slot += 1 + slot%7 {
		all[slot] = fmt.Appendf(nil, "payload of %d", slot)
	}
	all[9], all[1<<32-1] = []byte{}, []byte("last")
	require.NoError(t, s.Commit(Update{Payloads: bySlot(all)}))
	rapid.Check(t, func(t *rapid.T) {
		var slots []uint32
		for slot := rapid.Uint32Range(0, 40).Draw(t, "first"); slot < 3200; slot += rapid.SampledFrom([]uint32{1, 1, 2, 15, 16, 17, 18, 400}).Draw(t, "step") {
			slots = append(slots, slot)
		}
		slots = append(slots, 1<<32-1)
		got := map[uint32]string{}
		require.NoError(t, s.VisitPayloads(slots, func(i int, payload []byte) error {
			got[slots[i]] = string(payload)
			return nil
		}))
		for _, slot := range slots {
			want, ok := all[slot]
			have, found := got[slot]
			require.Equal(t, ok, found, "slot %d", slot)
			require.Equal(t, string(want), have)
		}
	})
	stop := fmt.Errorf("stop")
	require.ErrorIs(t, s.VisitPayloads([]uint32{0}, func(int, []byte) error { return stop }), stop)
}
