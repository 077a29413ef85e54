package collection

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/vfs"
)

// payloadRows is an archive of rows of one payload each, made as they are read.
type payloadRows struct {
	config      []byte
	rows, bytes int
	at          int
	given       atomic.Int64 // rows
}

func (p *payloadRows) Next() (uint8, []byte, error) {
	p.at++
	switch n := uint32(p.rows); {
	case p.at == 1:
		return blockConfig, p.config, nil
	case p.at == 2:
		m := archived{lsn: 9, slots: n, rows: n, live: n}
		return blockMoment, m.encode(), nil
	case p.at > p.rows+2:
		return blockDone, nil, nil
	}
	slot := uint32(p.given.Add(1) - 1)
	block := make([]byte, rowsHead+rowHead+4*4+p.bytes)
	block[0] = 1
	putRowHead(block, 0, &archiveRow{id: uint64(slot), lsn: 1, slot: slot, live: true, payload: block[len(block)-p.bytes:]})
	return blockRows, block, nil
}

// A disk that takes its time over meta.db holds back the reading of a backup, whose
// payloads would fill the memory else.
func TestARestoreReadsNoMoreAheadOfACommitThanItMayHold(t *testing.T) {
	const each = 1 << 20
	in := &payloadRows{config: archiveInMemory(t).blocks[0], rows: mostStored/each + 16, bytes: each}
	synctest.Test(t, func(t *testing.T) {
		disk, goOn := vfs.NewInject(vfs.NewMem()), make(chan struct{})
		disk.Before(func(c vfs.Call) {
			if c.Op.Mutates() && strings.HasPrefix(c.Name, metaName) && in.given.Load() > 0 {
				<-goOn
			}
		})
		done := make(chan error, 1)
		go func() {
			_, err := Restore(t.Context(), disk, in, [16]byte{2})
			done <- err
		}()
		synctest.Wait() // until nothing goes on
		ahead := in.given.Load()
		close(goOn)
		require.NoError(t, <-done)
		// What the commit has, what came since, and the block that was one too much.
		require.LessOrEqual(t, ahead, int64(leastStored/each+1+mostStored/each+1))
		require.GreaterOrEqual(t, ahead, int64(mostStored/each), "it reads beside the commit")
		require.EqualValues(t, in.rows, in.given.Load())
	})
}
