package wal

import "fmt"

// Sync returns when the record lsn, and with it all before, is on stable storage.
//
//	caller ──> already durable? ──────────────────────────────> nil
//	       ──> nobody in an fsync? fsync what is appended ────> nil
//	       ──> else wait in the batch; its first caller fsyncs
//	           once for all who joined while the other ran ───> nil
//
// All callers share fsyncs in this way; a caller alone pays exactly one.
func (l *Log) Sync(lsn uint64) error {
	for {
		if l.durable.Load() >= lsn {
			return nil
		}
		if err := l.Failed(); err != nil {
			return err
		}
		if last := l.last.Load(); lsn > last {
			return fmt.Errorf("wal: sync of record %d, the last is %d", lsn, last)
		}
		if l.syncing.TryLock() {
			_ = l.syncActive() // an error is what Failed says
			l.syncing.Unlock()
			continue
		}
		l.join()
	}
}

// join waits for an fsync that begins after the call, or for the log to fail. The
// first to join performs it.
func (l *Log) join() {
	l.gate.Lock()
	if done := l.batch; done != nil {
		l.gate.Unlock()
		<-done
		return
	}
	done := make(chan struct{})
	l.batch = done
	l.gate.Unlock()

	l.syncing.Lock()
	l.gate.Lock()
	l.batch = nil // who comes now may have appended after the fsync began
	l.gate.Unlock()
	_ = l.syncActive() // an error is what Failed says
	l.syncing.Unlock()
	close(done)
}

// syncActive makes everything appended so far durable. The caller holds syncing.
func (l *Log) syncActive() error {
	if err := l.Failed(); err != nil {
		return err
	}
	last := l.last.Load() // its frame, and all before, are in the active file or in synced ones
	if last <= l.durable.Load() || l.active == nil {
		return nil
	}
	l.syncs.Add(1)
	if err := l.active.SyncData(); err != nil {
		return l.fail(fmt.Errorf("wal: records after %d: %w", l.durable.Load(), err))
	}
	l.durable.Store(last)
	return nil
}
