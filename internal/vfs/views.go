package vfs

import "unsafe"

// Uint32s returns b as 32-bit words of the host's byte order, without a copy. ok
// is false if b is not aligned to 4 bytes or not made of whole words.
func Uint32s(b []byte) (words []uint32, ok bool) { return view[uint32](b) }

// Float32s returns b as float32 of the host's byte order, without a copy.
func Float32s(b []byte) (values []float32, ok bool) { return view[float32](b) }

func view[T uint32 | float32](b []byte) ([]T, bool) {
	var zero T
	size := int(unsafe.Sizeof(zero))
	if len(b)%size != 0 {
		return nil, false
	}
	if len(b) == 0 {
		return nil, true
	}
	p := unsafe.Pointer(unsafe.SliceData(b))
	if uintptr(p)%unsafe.Alignof(zero) != 0 {
		return nil, false
	}
	return unsafe.Slice((*T)(p), len(b)/size), true
}

// littleEndian is the host's byte order, which is that of all files.
var littleEndian = func() bool {
	one := uint16(1)
	return *(*byte)(unsafe.Pointer(&one)) == 1
}()

// Bytes returns v as the bytes that stand for it in a file, without a copy. ok is
// false on a host whose byte order is another one.
func Bytes(v []float32) (b []byte, ok bool) {
	if !littleEndian {
		return nil, false
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), 4*len(v)), true
}

// address returns where b begins.
func address(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }
