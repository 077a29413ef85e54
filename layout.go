package tarn

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/vfs"
)

// The layout of a database directory.
//
//	LOCK                 held while the database is open
//	tarn.db              a file header: this is a Tarn database, of this version
//	collections/NAME/    one folder a collection
//	collections/.new-*   a creation that a crash ended; removed by Open
//	collections/.drop-*  a drop that a crash ended; removed by Open
//	collections/.repaired-*  a repair that a crash ended; see finishRepairs
const (
	lockName   = "LOCK"
	headerName = "tarn.db"
	homeName   = "collections"
	newPrefix  = ".new-"
	dropPrefix = ".drop-"
)

// databaseMagic and databaseVersion are the wire format of tarn.db.
var databaseMagic = [8]byte{'T', 'A', 'R', 'N', 'd', 'b', 0, '\n'}

const databaseVersion = 1

// openDirectory opens the directory. For a writer it is created, durably, unless it
// is a database already.
func openDirectory(path string, readOnly bool) (vfs.FS, error) {
	if path == "" {
		return nil, fmt.Errorf("%w: the path is empty", ErrInvalidArgument)
	}
	dir, err := vfs.OS(path)
	switch {
	case err == nil && !readOnly:
		if _, err := dir.Stat(headerName); !isNotExist(err) {
			return dir, err
		}
		if err := dir.Close(); err != nil {
			return nil, err
		}
		return vfs.CreateOS(path)
	case err == nil || !isNotExist(err):
		return dir, err
	case readOnly:
		return nil, fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	return vfs.CreateOS(path)
}

// checkForeign refuses a directory that holds something and no database, before
// anything is written to it.
func checkForeign(dir vfs.FS, readOnly bool) error {
	entries, err := dir.List(".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name == headerName {
			return readHeader(dir)
		}
	}
	if readOnly {
		return fmt.Errorf("%w: the directory holds no database", ErrNotFound)
	}
	for _, e := range entries {
		if e.Name == homeName && e.Dir {
			if err := checkUnborn(dir); err != nil {
				return err
			}
		}
		if e.Name != lockName && e.Name != homeName && !strings.HasPrefix(e.Name, headerName) {
			return fmt.Errorf("%w: the directory is not empty (%.80q) and holds no database: give an empty or a new one", ErrCorrupt, e.Name)
		}
	}
	return nil
}

// checkUnborn refuses a database that has collections and no header: that is made
// before the first of them.
func checkUnborn(dir vfs.FS) error {
	entries, err := dir.List(homeName)
	if err == nil && len(entries) > 0 {
		if _, err := dir.Stat(headerName); err == nil {
			return readHeader(dir) // another process has made it since it was looked for
		}
		err = fmt.Errorf("%s: %w: it is missing, and there are collections", headerName, ErrCorrupt)
	}
	return err
}

func readHeader(dir vfs.FS) error {
	f, err := dir.Open(headerName)
	if err != nil {
		return misplaced(headerName, err)
	}
	defer f.Close()
	data := make([]byte, codec.HeaderSize)
	if _, err := f.ReadAt(data, 0); err != nil {
		return fmt.Errorf("%s: %w: %w", headerName, ErrCorrupt, err)
	}
	h, err := codec.ParseHeader(data, databaseMagic, databaseVersion)
	if err != nil {
		return fmt.Errorf("%s: %w", headerName, err)
	}
	_ = h
	return nil
}

// prepareLayout makes what a new database consists of; every step may be the last
// before a crash.
func prepareLayout(dir vfs.FS, readOnly bool) error {
	if readOnly {
		return nil
	}
	if err := dir.Mkdir(homeName); err == nil {
		if err := dir.SyncDir("."); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, err := dir.Stat(headerName); err == nil || !isNotExist(err) {
		return err
	}
	h := codec.Header{Magic: databaseMagic, Version: databaseVersion, UUID: newUUID()}
	return vfs.AtomicWrite(dir, headerName, h.AppendTo(nil))
}

func isLeftover(name string) bool {
	return strings.HasPrefix(name, newPrefix) || strings.HasPrefix(name, dropPrefix)
}

// newUUID returns a random one, version 4.
func newUUID() (u [16]byte) {
	rand.Read(u[:])
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return u
}
