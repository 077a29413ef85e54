package tarn

import (
	"errors"

	"github.com/tarndb/tarn/collection"
	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/vfs"
)

// Errors to compare with errors.Is. Each is declared in the room that raises it.
var (
	ErrClosed   = collection.ErrClosed   // the database, collection or stream was closed
	ErrLocked   = vfs.ErrLocked          // another handle, of this or another process, holds the directory
	ErrReadOnly = collection.ErrReadOnly // the database was opened with Options.ReadOnly
	ErrExists   = errors.New("exists already")
	ErrNotFound = collection.ErrNotFound

	ErrInvalidName    = errors.New("invalid name")
	ErrInvalidConfig  = collection.ErrInvalidConfig // names every bad field
	ErrConfigMismatch = errors.New("configuration differs")

	ErrDimension       = collection.ErrDimension
	ErrInvalidVector   = collection.ErrInvalidVector
	ErrInvalidPoint    = collection.ErrInvalidPoint
	ErrTooLarge        = collection.ErrTooLarge
	ErrInvalidArgument = collection.ErrInvalidArgument // k, ef, limit, filter, source

	ErrBufferFull    = collection.ErrBufferFull
	ErrNotConfigured = collection.ErrNotConfigured
	ErrStreamDead    = collection.ErrStreamDead // wraps the cause

	ErrCorrupt = codec.ErrCorrupt // names file and offset; nothing was changed
	ErrVersion = codec.ErrVersion // written by a newer version
	ErrNoSpace = vfs.ErrNoSpace   // the disk is full; reads go on, writes work again once there is space
	ErrFailed  = vfs.ErrFailed    // an fsync failed: the outcome is unknown until the database is opened again
)
