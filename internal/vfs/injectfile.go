package vfs

import "fmt"

// injectFile is an open file of an Inject.
type injectFile struct {
	f     File
	name  string
	state *injectState
}

func (f *injectFile) do(op Op, off, n int64, call func() error) error {
	return f.state.do(Call{Op: op, Name: f.name, Off: off, Len: n}, call)
}

func (f *injectFile) ReadAt(b []byte, off int64) (n int, err error) {
	err = f.do(OpRead, off, int64(len(b)), func() (err error) {
		n, err = f.f.ReadAt(b, off)
		return err
	})
	return n, err
}

// WriteAt may write a part of b and fail.
func (f *injectFile) WriteAt(b []byte, off int64) (n int, err error) {
	c := Call{Op: OpWrite, Name: f.name, Off: off, Len: int64(len(b))}
	fault := f.state.enter(c)
	switch {
	case fault == nil:
		n, err = f.f.WriteAt(b, off)
	case fault.Short != nil:
		n, err = f.f.WriteAt(b[:min(max(fault.Short(len(b)), 0), len(b))], off)
		if err == nil {
			err = fault.Err
		}
	default:
		err = fault.Err
	}
	f.state.leave(c, err)
	return n, err
}

func (f *injectFile) Close() error { return f.do(OpClose, 0, 0, f.f.Close) }

func (f *injectFile) Size() (n int64, err error) {
	err = f.do(OpSize, 0, 0, func() (err error) {
		n, err = f.f.Size()
		return err
	})
	return n, err
}

func (f *injectFile) Sync() error     { return f.sync(OpSync, f.f.Sync) }
func (f *injectFile) SyncData() error { return f.sync(OpSyncData, f.f.SyncData) }

// sync fails as a real fsync does, with ErrFailed.
func (f *injectFile) sync(op Op, call func() error) error {
	c := Call{Op: op, Name: f.name}
	fault := f.state.enter(c)
	var err error
	if fault == nil {
		err = call()
	} else {
		err = syncError(fault.Err)
		if m, ok := f.f.(interface{ loseSync() }); ok && fault.Lose {
			m.loseSync()
		}
	}
	f.state.leave(c, err)
	return err
}

func (f *injectFile) Truncate(size int64) error {
	return f.do(OpTruncate, size, 0, func() error { return f.f.Truncate(size) })
}

func (f *injectFile) Allocate(off, n int64) error {
	return f.do(OpAllocate, off, n, func() error { return f.f.Allocate(off, n) })
}

// WriteBack has no outcome that could be another one.
func (f *injectFile) WriteBack(off, n int64) { f.f.WriteBack(off, n) }

func (f *injectFile) DropCache() error { return f.do(OpDropCache, 0, 0, f.f.DropCache) }

func (f *injectFile) Map(off int64, n int, mode MapMode) (Mapping, error) {
	var m Mapping
	err := f.do(OpMap, off, int64(n), func() (err error) {
		m, err = f.f.Map(off, n, mode)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", f.name, err)
	}
	return m, nil
}
