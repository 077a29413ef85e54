package vfs

import (
	"errors"
	"io"
	"os"
)

var (
	// ErrNoSpace is returned when the disk, a quota or a limit of the file's size
	// leaves no room.
	ErrNoSpace = errors.New("no space left")
	// ErrFailed is returned when an fsync failed: what is on the disk is unknown.
	ErrFailed = errors.New("fsync failed")
	// ErrLocked is returned when somebody else holds a lock.
	ErrLocked = errors.New("locked")
	// ErrFault is returned when mapped memory could not be read.
	ErrFault = errors.New("fault in mapped memory")
)

// FS is a directory tree.
type FS interface {
	// Create makes a file, which must not exist, for reading and writing (0600).
	Create(name string) (File, error)
	// Open opens a file for reading.
	Open(name string) (File, error)
	// OpenRW opens a file, which must exist, for reading and writing.
	OpenRW(name string) (File, error)
	Remove(name string) error
	// RemoveAll removes a tree; that there is none is no error.
	RemoveAll(name string) error
	// Rename replaces newname. It is durable after SyncDir.
	Rename(oldname, newname string) error
	// Mkdir makes a folder (0700) in one that exists.
	Mkdir(name string) error
	// SyncDir makes the names in a folder durable; "." is the root.
	SyncDir(name string) error
	// List returns what is in a folder, sorted by name.
	List(name string) ([]Entry, error)
	// Stat does not follow a symbolic link.
	Stat(name string) (Entry, error)
	// Lock takes a lock on a file, which it creates unless shared, or returns
	// ErrLocked at once. The end of the process releases it.
	Lock(name string, shared bool) (io.Closer, error)
	// Sub returns the FS of a folder.
	Sub(name string) (FS, error)
	// Path returns the name that a file of the operating system had when the FS was
	// opened, "" if it is none.
	Path(name string) string
	// OSFile opens a file of the operating system as os.OpenFile does, wherever its
	// folder was moved meanwhile, for libraries that want one. Other systems have none:
	// errors.ErrUnsupported.
	OSFile(name string, flag int) (*os.File, error)
	// Close releases the FS. Open files stay open.
	Close() error
}

// Entry is one name in a folder.
type Entry struct {
	Name    string
	Dir     bool
	Regular bool
	Size    int64
}

// File is an open file.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error)
	// Sync makes the file's bytes and size durable; a failure is ErrFailed.
	Sync() error
	// SyncData is Sync that may leave out what reading the bytes does not need.
	SyncData() error
	// WriteBack begins to bring n bytes from off to the disk, where that can be asked
	// for, so that a Sync later has less to wait for. It waits for nothing and
	// promises nothing.
	WriteBack(off, n int64)
	Truncate(size int64) error
	// Allocate makes sure that the blocks of n bytes from off exist; new ones read
	// as zeros. The file grows if it ends before off+n.
	Allocate(off, n int64) error
	// Map maps n bytes from off, which is a multiple of the page size. On unix the
	// mapping may reach past the end of the file; what is there must not be touched
	// before the file has grown. On windows such a file is grown first.
	Map(off int64, n int, mode MapMode) (Mapping, error)
	// DropCache forgets cached pages that are not dirty, where that can be asked for.
	DropCache() error
}

// MapMode is what a mapping is for.
type MapMode uint8

const (
	MapRead MapMode = iota // reading
	MapCopy                // reading and writing; what is written stays in this mapping
)

// Mapping is mapped memory. It is valid until Close.
type Mapping interface {
	Bytes() []byte
	Close() error
}

// PageSize is what offsets of mappings are multiples of, on every system.
const PageSize = 65_536
