//go:build unix && !linux

package vfs

import "os"

func syncData(f *os.File) error               { return f.Sync() }
func allocate(f *os.File, off, n int64) error { return writeZeros(f, off, n) }
func writeBack(*os.File, int64, int64)        {}
func dropCache(*os.File) error                { return nil }
