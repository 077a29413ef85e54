package meta

import "errors"

// bucket names a group of records. The numbers are in checksums and in dumps:
// wire format.
type bucket uint8

const (
	small     bucket = iota // header, config, checkpoint and counts, by name
	live                    // pieces of the live bitmap, by number
	payloads                // by slot
	positions               // by source
	keys                    // ids by key
	buckets
)

var bucketNames = [buckets][]byte{
	small: []byte("meta"), live: []byte("live"), payloads: []byte("payloads"), positions: []byte("positions"), keys: []byte("keys"),
}

// backend keeps records, and changes them by transactions. A Store adds what
// they mean, and their checksums.
type backend interface {
	// view calls fn with the records of one moment.
	view(fn func(reader) error) error
	// update makes the changes of fn, all of them durably, or none. An error that
	// wraps vfs.ErrFailed leaves it open which.
	update(fn func(writer) error) error
	size() int64
	close() error
}

// reader reads records during a transaction. Slices that it returns or passes
// end with it.
type reader interface {
	get(b bucket, key []byte) []byte // nil if there is none
	// scan calls fn with records in the order of their keys, beginning at from
	// (nil: the first), until it returns false.
	scan(b bucket, from []byte, fn func(key, value []byte) (bool, error)) error
}

// writer changes records. It keeps value until the transaction ends.
type writer interface {
	reader
	put(b bucket, key, value []byte) error
	delete(b bucket, key []byte) error
}

// each calls fn with all records of a bucket in the order of their keys.
func each(r reader, b bucket, fn func(key, value []byte) error) error {
	return r.scan(b, nil, func(key, value []byte) (bool, error) { return true, fn(key, value) })
}

var errReadOnly = errors.New("opened for reading only")
