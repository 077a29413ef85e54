package filter

import "slices"

// Fact is what a payload says about a field: it is there, and if it is a scalar or
// an array, with what.
type Fact struct {
	There    bool
	Value    Value   // Kind Other: not a scalar
	Elements []Value // of an array, the scalars in it
}

// Facts decodes the fields of a payload, for an index. The result is by path, and
// valid until the next call.
func (p *Paths) Facts(payload []byte, s *Scratch, into []Fact) ([]Fact, error) {
	var err error
	if s.spans, err = p.spans(payload, s.spans); err != nil {
		return nil, err
	}
	into = slices.Grow(into[:0], p.total)[:p.total]
	for i, where := range s.spans {
		f := &into[i]
		f.There, f.Value, f.Elements = where.there(), Value{}, f.Elements[:0]
		if !f.There {
			continue
		}
		b := payload[where.from:where.to]
		if b[0] != '[' {
			f.Value = parseScalar(b).value()
			continue
		}
		err := elements(b, func(e []byte) bool {
			if x := parseScalar(e); x.kind != Other {
				f.Elements = append(f.Elements, x.value())
			}
			return true
		})
		if err != nil {
			return nil, err
		}
	}
	return into, nil
}
