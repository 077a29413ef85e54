package tarn

import (
	"fmt"
	"regexp"
)

var (
	legalName  = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)
	deviceName = regexp.MustCompile(`^(con|prn|aux|nul|com[0-9]|lpt[0-9])$`)
)

// checkName keeps names to what is one plain folder on every file system.
func checkName(name string) error {
	if !legalName.MatchString(name) {
		return fmt.Errorf("%w: %.80q: it must be 1 to 64 of a-z, 0-9, '_' and '-', beginning with a letter or digit", ErrInvalidName, name)
	}
	if deviceName.MatchString(name) {
		return fmt.Errorf("%w: %q is the name of a device on some systems", ErrInvalidName, name)
	}
	return nil
}
