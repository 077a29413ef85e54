package vfs

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Guard runs fn and turns a fault in mapped memory (a file that was cut short by
// somebody else, a disk that cannot be read) into ErrFault. Other panics go on.
func Guard(fn func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	defer func() {
		if p := recover(); p != nil {
			fault, ok := p.(interface{ Addr() uintptr })
			if _, isRuntime := p.(runtime.Error); !ok || !isRuntime {
				panic(p)
			}
			err = fmt.Errorf("%w at address %#x", ErrFault, fault.Addr())
		}
	}()
	return fn()
}
