package filter

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// ErrInvalid is what every mistake in a filter wraps.
var ErrInvalid = errors.New("invalid argument")

const (
	// maxDepth is how deep conditions may be nested.
	maxDepth = 64
	// maxConditions is how many there may be in one filter.
	maxConditions = 65_536
	// maxPath is how long the path of a field may be.
	maxPath = 1024
)

// Op is what a condition does.
type Op uint8

// The conditions. EqOp, InOp and ContainsOp hold for any of Node.Values.
const (
	EqOp Op = iota
	InOp
	LtOp
	LteOp
	GtOp
	GteOp
	ExistsOp
	ContainsOp
	AndOp
	OrOp
	NotOp
)

var opNames = [...]string{"$eq", "$in", "$lt", "$lte", "$gt", "$gte", "$exists", "$contains", "$and", "$or", "$not"}

// String returns the name that the JSON form uses.
func (o Op) String() string { return opNames[o] }

// Filter is a condition on a payload.
type Filter interface{ node() *Node }

// Node is a Filter as a tree. It is not changed once it was built.
type Node struct {
	Op     Op
	Field  string
	Values []Value // sorted, each once
	Kids   []*Node

	depth, size int
	err         error
}

func (n *Node) node() *Node { return n }

// Eq holds for a field that equals v.
func Eq(field string, v any) Filter { return compare(EqOp, field, v) }

// In holds for a field that equals one of vs.
func In(field string, vs ...any) Filter { return compare(InOp, field, vs...) }

// Lt holds for a field that is less than v.
func Lt(field string, v any) Filter { return compare(LtOp, field, v) }

// Lte holds for a field that is at most v.
func Lte(field string, v any) Filter { return compare(LteOp, field, v) }

// Gt holds for a field that is greater than v.
func Gt(field string, v any) Filter { return compare(GtOp, field, v) }

// Gte holds for a field that is at least v.
func Gte(field string, v any) Filter { return compare(GteOp, field, v) }

// Exists holds for a field that is there, null included.
func Exists(field string) Filter { return compare(ExistsOp, field) }

// Contains holds for a field that is an array with an element that equals v.
func Contains(field string, v any) Filter { return compare(ContainsOp, field, v) }

func compare(op Op, field string, vs ...any) *Node {
	n := &Node{Op: op, Field: field, depth: 1, size: 1}
	if err := CheckPath(field); err != nil {
		n.err = fmt.Errorf("%s: %w", op, err)
		return n
	}
	for _, v := range vs {
		x, err := valueOf(v)
		if err != nil {
			n.err = fmt.Errorf("%s of %q: %w", op, field, err)
			return n
		}
		n.Values = append(n.Values, x)
	}
	n.sortValues()
	return n
}

func (n *Node) sortValues() {
	slices.SortFunc(n.Values, Value.Compare)
	n.Values = slices.CompactFunc(n.Values, func(a, b Value) bool { return a.Compare(b) == 0 })
}

// CheckPath reports what is wrong with the path of a field: names joined by dots.
func CheckPath(path string) error {
	if path == "" {
		return errors.New("the field has no name")
	}
	if len(path) > maxPath {
		return fmt.Errorf("the field's name has %d bytes: at most %d are allowed", len(path), maxPath)
	}
	if !utf8.ValidString(path) {
		return errors.New("the field's name is not UTF-8")
	}
	if path[0] == '.' || path[len(path)-1] == '.' || strings.Contains(path, "..") {
		return fmt.Errorf("the field %q has a part without a name", path)
	}
	return nil
}

// And holds if all of fs do, so And() always does.
func And(fs ...Filter) Filter { return combine(AndOp, fs...) }

// Or holds if one of fs does, so Or() never does.
func Or(fs ...Filter) Filter { return combine(OrOp, fs...) }

// Not holds if f does not.
func Not(f Filter) Filter { return combine(NotOp, f) }

func combine(op Op, fs ...Filter) *Node {
	n := &Node{Op: op, size: 1, Kids: make([]*Node, 0, len(fs))}
	for i, f := range fs {
		if f == nil {
			n.err = errors.Join(n.err, fmt.Errorf("%s: filter %d is nil", op, i))
			continue
		}
		k := f.node()
		n.Kids = append(n.Kids, k)
		n.depth, n.size = max(n.depth, k.depth), min(n.size+k.size, maxConditions+1)
		if n.err == nil {
			n.err = k.err
		}
	}
	n.depth++
	if n.err == nil && n.depth > maxDepth {
		n.err = fmt.Errorf("%s: conditions are nested deeper than %d", op, maxDepth)
	}
	if n.err == nil && n.size > maxConditions {
		n.err = fmt.Errorf("%s: there are more than %d conditions", op, maxConditions)
	}
	return n
}

// Check returns what is wrong with f, wrapping ErrInvalid, nil if nothing is.
func Check(f Filter) error {
	if f == nil {
		return fmt.Errorf("%w: the filter is nil", ErrInvalid)
	}
	if err := f.node().err; err != nil {
		return fmt.Errorf("%w: filter: %w", ErrInvalid, err)
	}
	return nil
}
