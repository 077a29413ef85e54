package vfs

// Blank makes all of a mapping read as zeros and lets go of its file, so that the
// blocks of a removed one are free; where the system cannot do that it does
// nothing. Readers may run beside it.
func Blank(m Mapping) error {
	if b, ok := m.(interface{ blank() error }); ok {
		return b.blank()
	}
	return nil
}
