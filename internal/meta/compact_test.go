package meta

import (
	"bytes"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCompactKeepsTheRecordsAndGivesPagesBack(t *testing.T) {
	dir, s := onDisk(t)
	all := map[uint32][]byte{}
	for slot := range uint32(3_000) {
		all[slot] = bytes.Repeat([]byte{byte(slot)}, 500)
	}
	require.NoError(t, s.Commit(Update{Payloads: bySlot(all), Positions: map[string]uint64{"a": 7}}))
	var drop []uint32
	for slot := range uint32(2_900) {
		drop = append(drop, slot)
	}
	require.NoError(t, s.Commit(Update{DropPayloads: drop}))
	before := s.Bytes()

	stop, done := make(chan struct{}), sync.WaitGroup{}
	for range 2 { // readers beside it see all of it
		done.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				p, err := s.Payload(2_950)
				if err != nil || !bytes.Equal(p, all[2_950]) {
					t.Errorf("payload beside Compact: %v", err)
					return
				}
			}
		})
	}
	for range 3 {
		require.NoError(t, s.Compact())
	}
	close(stop)
	done.Wait()
	require.Less(t, s.Bytes(), before/4)
	require.NoError(t, s.Commit(Update{Payloads: bySlot(map[uint32][]byte{1: []byte("new")}), Config: []byte("cfg2")}))
	require.NoError(t, s.Close())

	s, err := Open(dir, "meta.db", false)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	cfg, err := s.Config()
	require.NoError(t, err)
	require.Equal(t, []byte("cfg2"), cfg)
	places, err := s.Positions()
	require.NoError(t, err)
	require.Equal(t, map[string]uint64{"a": 7}, places)
	n := 0
	require.NoError(t, s.EachPayload(func(slot uint32, p []byte) error { n++; return nil }))
	require.Equal(t, 101, n)
}
