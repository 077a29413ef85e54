package codec

import "errors"

var (
	// ErrCorrupt is returned for bytes that cannot have been written as they are.
	ErrCorrupt = errors.New("corrupt")
	// ErrVersion is returned for what a newer version wrote.
	ErrVersion = errors.New("unknown version")
)
