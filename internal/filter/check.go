package filter

import "errors"

var (
	errDeep  = errors.New("nested too deep")
	errTwice = errors.New("an object has a name twice")
)

// CheckNested reports what is wrong with a JSON value that is known to be valid:
// objects and arrays deeper than depth, or an object with a name twice.
func CheckNested(b []byte, depth int) error {
	if len(b) == 0 || b[0] != '{' && b[0] != '[' {
		return nil
	}
	if depth == 0 {
		return errDeep
	}
	var inner error
	if b[0] == '[' {
		err := elements(b, func(e []byte) bool {
			inner = CheckNested(e, depth-1)
			return inner == nil
		})
		return errors.Join(inner, err)
	}
	seen := map[string]bool{}
	err := members(b, 0, func(name []byte, value span) bool {
		if seen[string(name)] {
			inner = errTwice
			return false
		}
		seen[string(name)] = true
		inner = CheckNested(b[value.from:value.to], depth-1)
		return inner == nil
	})
	return errors.Join(inner, err)
}
