package wal

import (
	"fmt"
	"runtime"
)

// Sync returns when the record lsn, and with it all before, is on stable storage.
//
//	caller ──> already durable? ──────────────────────────────> nil
//	       ──> nobody in an fsync? fsync what is appended ────> nil
//	       ──> else wait in the batch: till that fsync ends, if it began late
//	           enough, or till its first caller has fsynced
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
			l.gather()
			_ = l.syncActive() // an error is what Failed says
			l.syncing.Unlock()
			l.tell()
			continue
		}
		l.join(lsn)
	}
}

// join waits for an fsync that makes lsn durable, or for the log to fail. It may
// return too early. The first to join performs the next fsync.
func (l *Log) join(lsn uint64) {
	l.gate.Lock()
	if done := l.batch; done != nil {
		if l.ended == nil {
			l.ended = make(chan struct{})
		}
		ended := l.ended
		l.gate.Unlock()
		if l.durable.Load() >= lsn {
			return // by the fsync that ended just before
		}
		select {
		case <-done:
		case <-ended:
		}
		return
	}
	done := make(chan struct{})
	l.batch = done
	l.gate.Unlock()

	l.syncing.Lock()
	l.gate.Lock()
	l.batch = nil // who comes now may have appended after the fsync began
	l.gate.Unlock()
	l.gather()
	_ = l.syncActive() // an error is what Failed says
	l.syncing.Unlock()
	close(done)
	l.tell()
}

// tell wakes all who wait, since an fsync has ended.
func (l *Log) tell() {
	l.gate.Lock()
	ended := l.ended
	l.ended = nil
	l.gate.Unlock()
	if ended != nil {
		close(ended)
	}
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
	l.together = last - l.durable.Load()
	l.durable.Store(last)
	return nil
}

const (
	gatherMost = 256 // records that one fsync waits for
	gatherIdle = 64  // times that it looks for another one
)

// gather lets those append who are about to, if the last fsync was for several: they
// were woken by it together, and who comes first would else pay for an fsync of his own
// while the others wait for the next one. The caller holds syncing.
func (l *Log) gather() {
	if l.together < 2 || l.opts.Coming == nil {
		return
	}
	before, idle := l.last.Load(), 0
	for before-l.durable.Load() < gatherMost && idle < gatherIdle {
		runtime.Gosched()
		now := l.last.Load()
		if idle++; now != before {
			before, idle = now, 0
		} else if !l.opts.Coming() {
			return
		}
	}
}
