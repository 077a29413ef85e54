package filter

import (
	"bytes"
	"encoding/json"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// The naive evaluator: what api.go.txt says, over decoded JSON, with arithmetic that
// cannot round. Nothing of it is shared with the package.

// cond is a filter as the tests build it.
type cond struct {
	op    string // as in the JSON form
	field string
	vals  []any // nil, bool, string, json.Number
	kids  []cond
}

func (c cond) holds(doc map[string]any) bool {
	switch c.op {
	case "$and":
		for _, k := range c.kids {
			if !k.holds(doc) {
				return false
			}
		}
		return true
	case "$or":
		for _, k := range c.kids {
			if k.holds(doc) {
				return true
			}
		}
		return false
	case "$not":
		return !c.kids[0].holds(doc)
	}
	x, ok := lookUp(doc, c.field)
	if !ok {
		return false
	}
	switch c.op {
	case "$exists":
		return true
	case "$contains":
		list, ok := x.([]any)
		if !ok {
			return false
		}
		for _, e := range list {
			if equal(e, c.vals[0]) {
				return true
			}
		}
		return false
	case "$eq", "$in":
		for _, v := range c.vals {
			if equal(x, v) {
				return true
			}
		}
		return false
	}
	n, ok := order(x, c.vals[0])
	return ok && map[string]bool{"$lt": n < 0, "$lte": n <= 0, "$gt": n > 0, "$gte": n >= 0}[c.op]
}

func lookUp(doc map[string]any, path string) (any, bool) {
	first, rest, more := strings.Cut(path, ".")
	x, ok := doc[first]
	if !ok || !more {
		return x, ok
	}
	inner, ok := x.(map[string]any)
	if !ok {
		return nil, false
	}
	return lookUp(inner, rest)
}

func equal(a, b any) bool {
	switch a := a.(type) {
	case nil:
		return b == nil
	case bool:
		v, ok := b.(bool)
		return ok && a == v
	}
	n, ok := order(a, b)
	return ok && n == 0
}

func order(a, b any) (int, bool) {
	switch a := a.(type) {
	case string:
		v, ok := b.(string)
		return strings.Compare(a, v), ok
	case json.Number:
		v, ok := b.(json.Number)
		if !ok {
			return 0, false
		}
		return exact(a).Cmp(exact(v)), true
	}
	return 0, false
}

// exact returns what a number is taken for: an integer where it fits 64 bits, else
// the nearest float64.
func exact(n json.Number) *big.Rat {
	s := string(n)
	if !strings.ContainsAny(s, ".eE") {
		i, _ := new(big.Int).SetString(s, 10)
		if i.IsInt64() || i.IsUint64() {
			return new(big.Rat).SetInt(i)
		}
	}
	f, _ := n.Float64()
	return new(big.Rat).SetFloat64(f)
}

// build makes the filter with the constructors.
func (c cond) build() Filter {
	var kids []Filter
	for _, k := range c.kids {
		kids = append(kids, k.build())
	}
	var v any
	if len(c.vals) > 0 {
		v = plain(c.vals[0])
	}
	switch c.op {
	case "$and":
		return And(kids...)
	case "$or":
		return Or(kids...)
	case "$not":
		return Not(kids[0])
	case "$exists":
		return Exists(c.field)
	case "$in":
		var vs []any
		for _, v := range c.vals {
			vs = append(vs, plain(v))
		}
		return In(c.field, vs...)
	}
	return map[string]func(string, any) Filter{
		"$eq": Eq, "$lt": Lt, "$lte": Lte, "$gt": Gt, "$gte": Gte, "$contains": Contains,
	}[c.op](c.field, v)
}

// plain turns a number into a Go one that has its value, if there is one.
func plain(v any) any {
	n, ok := v.(json.Number)
	if !ok {
		return v
	}
	if !strings.ContainsAny(string(n), ".eE") {
		i, _ := new(big.Int).SetString(string(n), 10)
		if i.IsInt64() {
			return i.Int64()
		}
		if i.IsUint64() {
			return i.Uint64()
		}
	}
	f, _ := n.Float64()
	return f
}

// text writes the JSON form.
func (c cond) text() string {
	enc := func(v any) string { data, _ := json.Marshal(v); return string(data) }
	list := func(n int, one func(i int) string) string {
		var parts []string
		for i := range n {
			parts = append(parts, one(i))
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
	switch c.op {
	case "$and", "$or":
		return `{"` + c.op + `":` + list(len(c.kids), func(i int) string { return c.kids[i].text() }) + "}"
	case "$not":
		return `{"$not":` + c.kids[0].text() + "}"
	case "$exists":
		return "{" + enc(c.field) + `:{"$exists":true}}`
	case "$in":
		return "{" + enc(c.field) + `:{"$in":` + list(len(c.vals), func(i int) string { return enc(c.vals[i]) }) + "}}"
	}
	return "{" + enc(c.field) + `:{"` + c.op + `":` + enc(c.vals[0]) + "}}"
}

func decode(data []byte) map[string]any {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var m map[string]any
	if d.Decode(&m) != nil {
		return nil
	}
	return m
}

// literal writes a Number as JSON that is taken for it.
func literal(n Number) json.Number {
	b := n.Hi
	if b>>63 != 0 {
		b ^= 1 << 63
	} else {
		b = ^b
	}
	f := math.Float64frombits(b)
	if n.Lo == 0 {
		return json.Number(strconv.FormatFloat(f, 'e', -1, 64))
	}
	i, _ := big.NewFloat(f).Int(nil)
	return json.Number(i.Add(i, big.NewInt(int64(n.Lo))).String())
}
