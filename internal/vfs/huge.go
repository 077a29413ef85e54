package vfs

// Block is memory outside of the heap, or of it where there is no other.
type Block interface {
	Bytes() []byte
	Close() error
}
