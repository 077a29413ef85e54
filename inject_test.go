package tarn

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/tarndb/tarn/internal/vfs"
)

// OpenInjected is Open on a disk that a test puts faults into.
func OpenInjected(path string, opts *Options) (*DB, *vfs.Inject, error) {
	dir, err := openDirectory(path, false)
	if err != nil {
		return nil, nil, err
	}
	disk := vfs.NewInject(dir)
	db, err := openDB(disk, path, opts.withDefaults())
	if err != nil {
		return nil, nil, fmt.Errorf("open database %q: %w", path, errors.Join(err, dir.Close()))
	}
	return db, disk, nil
}

// RestoreInjected is Restore in a folder of a disk that a test puts faults into.
func RestoreInjected(ctx context.Context, parent vfs.FS, name string, r io.Reader) error {
	return restoreIn(ctx, parent, name, r)
}
