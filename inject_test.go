package tarn

import (
	"errors"
	"fmt"

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
