package collection

import (
	"context"
	"io/fs"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/kernel"
	"github.com/tarndb/tarn/internal/vfs"
)

// slotsSaid is an archive of rows in slots, by a moment that says how many there are.
func slotsSaid(t *testing.T, slots, rows uint32, in ...uint32) *blockList {
	t.Helper()
	m := archived{lsn: 9, slots: slots, rows: rows, live: rows}
	block := make([]byte, rowsHead+len(in)*(rowHead+4*4))
	block[0] = byte(len(in))
	vectors, err := rowsVectors(block, len(in), 4)
	require.NoError(t, err)
	for i, slot := range in {
		putRowHead(block, i, &archiveRow{id: uint64(100 + i), lsn: 1, slot: slot, live: true})
		vectors[i*4] = 1
	}
	config := archiveInMemory(t).blocks[0]
	return &blockList{kinds: []uint8{blockConfig, blockMoment, blockRows, blockDone}, blocks: [][]byte{config, m.encode(), block, nil}}
}

// A slot is where the counts of the moment leave room for it, or nothing is reserved.
func TestASlotThatTheCountsOfABackupLeaveNoRoomForIsRefused(t *testing.T) {
	for what, tc := range map[string]struct {
		in *blockList
		ok bool
	}{
		"without gaps":                      {slotsSaid(t, 3, 3, 0, 1, 2), true},
		"all gaps before the first":         {slotsSaid(t, 1000, 1, 999), true},
		"all gaps before the second":        {slotsSaid(t, 1000, 2, 0, 999), true},
		"the first one too high by one":     {slotsSaid(t, 1000, 2, 999), false},
		"the second one too high by one":    {slotsSaid(t, 1000, 3, 0, 999), false},
		"a row more than there are slots":   {slotsSaid(t, 2, 2, 0, 1, 2), false},
		"a row more, and in the last place": {slotsSaid(t, 3, 2, 0, 2, 3), false},
		"one slot twice":                    {slotsSaid(t, 3, 3, 0, 0), false},
		"slots that descend":                {slotsSaid(t, 4, 2, 1, 0), false},
	} {
		t.Run(what, func(t *testing.T) {
			disk := vfs.NewMem()
			r, err := Restore(context.Background(), disk, tc.in, [16]byte{2})
			if tc.ok {
				require.NoError(t, err)
				require.Positive(t, r.Live)
				return
			}
			require.ErrorIs(t, err, codec.ErrCorrupt)
			require.ErrorContains(t, err, "out of its place")
			files, err := disk.List(slotName)
			require.NoError(t, err)
			require.Empty(t, files)
		})
	}
}

// A dead row is where a graph leads over it. Without the graph it would be a slot that
// nothing reaches, and that a restore began with.
func TestADeadRowIsRestoredOnlyBesideTheGraphThatLeadsOverIt(t *testing.T) {
	far := uint32(4 * defaultCompactBytes / (kernel.VectorStride(4) + kernel.CodeStride(4)))
	for what, tc := range map[string]struct{ slots, want uint32 }{
		"slots are kept":     {8, 7},
		"rows get new slots": {far, 2},
	} {
		t.Run(what, func(t *testing.T) {
			in := slotsSaid(t, tc.slots, 3, 1, 4, 6)
			m := archived{lsn: 9, slots: tc.slots, rows: 3, live: 2}
			in.blocks[1] = m.encode()
			putRowHead(in.blocks[2], 2, &archiveRow{id: 102, lsn: 1, slot: 6})
			if tc.slots == far { // a graph comes too, and knows the old slots
				m.graphBytes = 4
				in.kinds = append([]uint8{blockConfig, blockGraph}, in.kinds[1:]...)
				in.blocks = append([][]byte{in.blocks[0], []byte("none"), m.encode()}, in.blocks[2:]...)
			}
			disk := vfs.NewMem()
			r, err := Restore(t.Context(), disk, in, [16]byte{2})
			require.NoError(t, err)
			require.Equal(t, 2, r.Live)
			_, err = disk.Stat(snapshotPrefix + "1" + snapshotSuffix)
			require.ErrorIs(t, err, fs.ErrNotExist)
			c, err := Open(Options{Name: "test", FS: disk, MaxPayload: 64 << 10, MaxK: 100, Knobs: Knobs{PauseIndexer: true, NoBackground: true}})
			require.NoError(t, err)
			require.Equal(t, tc.want, c.slots.next)
			_, err = c.Get(t.Context(), 102)
			require.ErrorIs(t, err, ErrNotFound)
			for _, id := range []uint64{100, 101} {
				_, err := c.Get(t.Context(), id)
				require.NoError(t, err)
			}
			_, err = Verify(t.Context(), c, func(f Finding) { t.Errorf("%v", f) })
			require.NoError(t, err)
			require.NoError(t, c.Close())
		})
	}
}

func TestSlotsWithoutRowsAreKeptAsLongAsTheBackupAccountsForThem(t *testing.T) {
	row := uint64(kernel.VectorStride(4) + kernel.CodeStride(4))
	gaps := uint32(defaultCompactBytes / row)
	for what, tc := range map[string]struct {
		gaps   uint32
		graph  int64
		sparse bool
	}{
		"none":                                  {0, 0, false},
		"as many as a store leaves":             {gaps, 0, false},
		"one more":                              {gaps + 1, 0, true},
		"more, by a small graph":                {gaps + 1, 1 << 20, true},
		"as many as a large graph accounts for": {2 * gaps, 2 * defaultCompactBytes, false},
		"one more than that":                    {2*gaps + 1, 2 * defaultCompactBytes, true},
		"all there are numbers for":             {noSlot - 1, 0, true},
	} {
		r := restore{config: Config{Dim: 4}, graphSize: tc.graph, moment: archived{slots: tc.gaps, rows: 0}}
		require.Equal(t, tc.sparse, r.sparse(), what)
		if tc.gaps < noSlot-10 {
			r.moment = archived{slots: tc.gaps + 7, rows: 7}
			require.Equal(t, tc.sparse, r.sparse(), what)
		}
	}
}

// Backup writes zeros for the vector of a dead row that is damaged: that is no cosine
// point's, and yet no reason to refuse the backup. What no write lets in still is one.
func TestADeadRowMayHaveNoDirectionAndIsElseAsARowIs(t *testing.T) {
	cosine := vfs.NewMem()
	require.NoError(t, Create(cosine, Config{Dim: 4, Metric: Cosine}, [16]byte{1}))
	c, err := Open(Options{Name: "test", FS: cosine, MaxPayload: 1 << 10, MaxK: 100, Knobs: Knobs{PauseIndexer: true, NoBackground: true}})
	require.NoError(t, err)
	whole := &blockList{}
	require.NoError(t, Backup(t.Context(), c, whole))
	require.NoError(t, c.Close())
	nan := float32(math.NaN())
	for what, tc := range map[string]struct {
		live  bool
		first float32
		ok    bool
	}{
		"dead, a point's vector": {false, 1, true},
		"dead, zeros":            {false, 0, true},
		"dead, not a number":     {false, nan, false},
		"live, zeros":            {true, 0, false},
		"live, not a number":     {true, nan, false},
	} {
		t.Run(what, func(t *testing.T) {
			in := slotsSaid(t, 2, 2, 0, 1)
			m := archived{lsn: 9, slots: 2, rows: 2, live: 1}
			if tc.live {
				m.live++
			}
			in.blocks[0], in.blocks[1] = whole.blocks[0], m.encode()
			putRowHead(in.blocks[2], 1, &archiveRow{id: 101, lsn: 1, slot: 1, live: tc.live})
			vectors, err := rowsVectors(in.blocks[2], 2, 4)
			require.NoError(t, err)
			vectors[4] = tc.first
			_, err = Restore(t.Context(), vfs.NewMem(), in, [16]byte{2})
			if tc.ok {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, codec.ErrCorrupt)
			require.ErrorIs(t, err, ErrInvalidVector)
		})
	}
}
