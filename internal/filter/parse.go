package filter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Parse reads the JSON form of a filter:
//
//	filter    = { } | { member , member ... }        all members hold
//	member    = "$and" : [ filter , ... ]  |  "$or" : [ filter , ... ]  |  "$not" : filter
//	          | path : scalar                        as $eq
//	          | path : { operator , operator ... }   all operators hold, at least one
//	operator  = "$eq" "$lt" "$lte" "$gt" "$gte" "$contains" : scalar
//	          | "$in" : [ scalar , ... ]  |  "$exists" : true or false
//	scalar    = string | number | true | false | null
//	path      = name . name ...                      not beginning with $
//
// An error says where, as a path and as an offset into data.
func Parse(data []byte) (Filter, error) {
	p := parser{d: json.NewDecoder(bytes.NewReader(data))}
	p.d.UseNumber()
	f, err := p.parse(data)
	if err != nil {
		return nil, fmt.Errorf("%w: filter: %w", ErrInvalid, err)
	}
	return f, Check(f)
}

type parser struct {
	d     *json.Decoder
	depth int
}

// problem says what is wrong at a place.
func (p *parser) problem(at, format string, args ...any) error {
	if at == "" {
		at = "at the top"
	}
	return fmt.Errorf("%s (offset %d): %s", at, p.d.InputOffset(), fmt.Sprintf(format, args...))
}

func (p *parser) parse(data []byte) (Filter, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("it is not UTF-8")
	}
	t, err := p.token("")
	if err != nil {
		return nil, err
	}
	f, err := p.object("", t)
	if err != nil {
		return nil, err
	}
	if _, err := p.d.Token(); !errors.Is(err, io.EOF) {
		return nil, p.problem("", "something follows the filter")
	}
	return f, nil
}

func (p *parser) token(at string) (json.Token, error) {
	t, err := p.d.Token()
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, p.problem(at, "the text ends too early")
	}
	if err != nil {
		return nil, p.problem(at, "%v", err)
	}
	return t, nil
}

// object reads a filter whose first token is t.
func (p *parser) object(at string, t json.Token) (*Node, error) {
	if t != json.Delim('{') {
		return nil, p.problem(at, "a filter is an object, this is %s", what(t))
	}
	if p.depth++; p.depth > maxDepth/2 {
		return nil, p.problem(at, "filters are nested deeper than %d", maxDepth/2)
	}
	defer func() { p.depth-- }()
	var all []Filter
	err := p.members(at, func(name, at string) error {
		f, err := p.member(name, at)
		all = append(all, f)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(all) == 1 {
		return all[0].node(), nil
	}
	return combine(AndOp, all...), nil
}

// members calls fn for each name of an object, whose brace was read.
func (p *parser) members(at string, fn func(name, at string) error) error {
	seen := map[string]bool{}
	for p.d.More() {
		t, err := p.token(at)
		if err != nil {
			return err
		}
		name, ok := t.(string)
		if !ok {
			return p.problem(at, "a name is expected, not %s", what(t))
		}
		inner := join(at, name)
		if seen[name] {
			return p.problem(inner, "the name is there twice")
		}
		seen[name] = true
		if err := fn(name, inner); err != nil {
			return err
		}
	}
	_, err := p.token(at)
	return err
}

// longest is how much of a name an error shows.
const longest = 64

func join(at, name string) string {
	if len(name) > longest {
		name = strings.ToValidUTF8(name[:longest], "") + "..."
	}
	if at == "" {
		return name
	}
	return at + " / " + name
}

func (p *parser) member(name, at string) (Filter, error) {
	t, err := p.token(at)
	if err != nil {
		return nil, err
	}
	switch name {
	case "$and", "$or":
		op := AndOp
		if name == "$or" {
			op = OrOp
		}
		kids, err := p.list(at, t)
		return combine(op, kids...), err
	case "$not":
		f, err := p.object(at, t)
		if err != nil {
			return nil, err
		}
		return Not(f), nil
	}
	if name != "" && name[0] == '$' {
		return nil, p.problem(at, "there is no such operator here: $and, $or and $not are, or the path of a field")
	}
	if err := CheckPath(name); err != nil {
		return nil, p.problem(at, "%v", err)
	}
	if t == json.Delim('{') {
		return p.operators(name, at)
	}
	v, err := p.scalar(at, t)
	return Eq(name, v), err
}

// list reads an array of filters whose first token is t.
func (p *parser) list(at string, t json.Token) ([]Filter, error) {
	if t != json.Delim('[') {
		return nil, p.problem(at, "an array of filters is expected, not %s", what(t))
	}
	var kids []Filter
	for p.d.More() {
		inner := fmt.Sprintf("%s[%d]", at, len(kids))
		t, err := p.token(inner)
		if err != nil {
			return nil, err
		}
		f, err := p.object(inner, t)
		if err != nil {
			return nil, err
		}
		kids = append(kids, f)
	}
	_, err := p.token(at)
	return kids, err
}

// operators reads the object of operators on a field, whose brace was read.
func (p *parser) operators(field, at string) (Filter, error) {
	var all []Filter
	err := p.members(at, func(name, at string) error {
		t, err := p.token(at)
		if err != nil {
			return err
		}
		f, err := p.operator(field, name, at, t)
		all = append(all, f)
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case len(all) == 0:
		return nil, p.problem(at, "an operator is expected, such as $eq")
	case len(all) == 1:
		return all[0], nil
	}
	return And(all...), nil
}

func (p *parser) operator(field, name, at string, t json.Token) (Filter, error) {
	switch name {
	case "$in":
		vs, err := p.scalars(at, t)
		return In(field, vs...), err
	case "$exists":
		there, ok := t.(bool)
		if !ok {
			return nil, p.problem(at, "true or false is expected, not %s", what(t))
		}
		if !there {
			return Not(Exists(field)), nil
		}
		return Exists(field), nil
	}
	make, ok := map[string]func(string, any) Filter{
		"$eq": Eq, "$lt": Lt, "$lte": Lte, "$gt": Gt, "$gte": Gte, "$contains": Contains,
	}[name]
	if !ok {
		return nil, p.problem(at, "there is no such operator on a field: $eq, $in, $lt, $lte, $gt, $gte, $exists and $contains are")
	}
	v, err := p.scalar(at, t)
	return make(field, v), err
}

func (p *parser) scalars(at string, t json.Token) ([]any, error) {
	if t != json.Delim('[') {
		return nil, p.problem(at, "an array of values is expected, not %s", what(t))
	}
	var vs []any
	for p.d.More() {
		inner := fmt.Sprintf("%s[%d]", at, len(vs))
		t, err := p.token(inner)
		if err != nil {
			return nil, err
		}
		v, err := p.scalar(inner, t)
		if err != nil {
			return nil, err
		}
		vs = append(vs, v)
	}
	_, err := p.token(at)
	return vs, err
}

// scalar returns the value of a token.
func (p *parser) scalar(at string, t json.Token) (any, error) {
	switch t := t.(type) {
	case json.Delim:
		return nil, p.problem(at, "a string, a number, true, false or null is expected, not %s", what(t))
	case json.Number:
		if _, err := ParseNumber(string(t)); err != nil {
			return nil, p.problem(at, "%v", err)
		}
	}
	return t, nil
}

// what names a token, without its content.
func what(t json.Token) string {
	switch t := t.(type) {
	case json.Delim:
		return map[json.Delim]string{'{': "an object", '[': "an array"}[t]
	case string:
		return "a string"
	case bool:
		return "true or false"
	case nil:
		return "null"
	}
	return "a number"
}
