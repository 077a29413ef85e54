package tarn

import "github.com/tarndb/tarn/internal/filter"

// Filter is a condition on a point's payload, for WithFilter, DeleteWhere, Scroll
// and ScrollKeys. It is made by the functions below or by ParseFilter, immutable,
// and may be used again and by many goroutines.
//
// A comparison with a field that is missing or of another type is false, so Not of
// it is true. Numbers compare by value, int or float; strings by their bytes. A
// field is the path of names to it, joined by dots; a path does not enter arrays. A
// value means what it would be in a payload: it may be a string, a number, a bool,
// nil, or what marshals itself to one of them, as time.Time does. A mistake in a
// filter is ErrInvalidArgument of the call that it is given to.
type Filter = filter.Filter

// Eq holds if the field equals v. Eq(field, nil) holds if it is there and null.
func Eq(field string, v any) Filter { return filter.Eq(field, v) }

// In holds if the field equals one of vs.
func In(field string, vs ...any) Filter { return filter.In(field, vs...) }

// Lt holds if the field is less than v. Only numbers and strings are less than
// others of their kind.
func Lt(field string, v any) Filter { return filter.Lt(field, v) }

// Lte holds if the field is less than v or equals it.
func Lte(field string, v any) Filter { return filter.Lte(field, v) }

// Gt holds if the field is greater than v.
func Gt(field string, v any) Filter { return filter.Gt(field, v) }

// Gte holds if the field is greater than v or equals it.
func Gte(field string, v any) Filter { return filter.Gte(field, v) }

// Exists holds if the field is there, whatever it is, null included.
func Exists(field string) Filter { return filter.Exists(field) }

// Contains holds if the field is an array with an element that equals v.
func Contains(field string, v any) Filter { return filter.Contains(field, v) }

// And holds if all of fs do; And() always does.
func And(fs ...Filter) Filter { return filter.And(fs...) }

// Or holds if one of fs does; Or() never does.
func Or(fs ...Filter) Filter { return filter.Or(fs...) }

// Not holds if f does not.
func Not(f Filter) Filter { return filter.Not(f) }

// ParseFilter reads the JSON form of a filter:
//
//	{"lang":"go","year":{"$gte":2020,"$lt":2030},"$or":[{"draft":false},{"draft":{"$exists":false}}]}
//
// Operators on a field: $eq $in $lt $lte $gt $gte $exists $contains; a value alone
// is $eq. At the top of an object: $and $or (arrays) and $not (an object). All
// members of an object must hold. Anything else is ErrInvalidArgument, with the
// place of it.
func ParseFilter(data []byte) (Filter, error) { return filter.Parse(data) }
