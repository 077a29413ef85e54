package main

import (
	"cmp"
	"slices"

	"github.com/tarndb/tarn"
)

// shares are the parts of the points that filters leave, about.
var shares = []float64{0.9, 0.5, 0.25, 0.1, 0.05, 0.01, 0.001}

// asked is how many queries a cell asks, where a kind has as many.
const asked = 40

// question is one search of a cell.
type question struct {
	query  []float32
	filter tarn.Filter
}

// kinds are the ways in which what matches lies; each gives the questions of a share,
// none if it cannot have that share.
var kinds = []struct {
	name string
	ask  func(x *subject, share float64) []question
}{
	{"at random", func(x *subject, share float64) []question {
		return x.questions(func(int) tarn.Filter { return tarn.Lt("random", share) })
	}},
	{"by attribute", func(x *subject, share float64) []question {
		f, ok := x.byAttribute(share)
		if !ok {
			return nil
		}
		return x.questions(func(int) tarn.Filter { return f })
	}},
	{"in a ball", func(x *subject, share float64) []question {
		return x.questions(func(i int) tarn.Filter { return tarn.Lt(ball((i+1)%centres), share) })
	}},
	{"all but near", func(x *subject, share float64) []question {
		return x.questions(func(i int) tarn.Filter { return tarn.Gte(ball(i), 1-share) })[:centres]
	}},
}

// questions asks the set's first queries; the first of them are the centres.
func (x *subject) questions(filter func(i int) tarn.Filter) []question {
	var all []question
	for i, q := range x.Queries[:min(asked, len(x.Queries))] {
		all = append(all, question{q, filter(i % centres)})
	}
	return all
}

// byAttribute leaves about a share of the points by values of the set's own attribute,
// the frequent ones first; not ok if none come to about that.
func (x *subject) byAttribute(share float64) (f tarn.Filter, ok bool) {
	count := map[any]int{}
	for _, v := range x.own {
		count[v]++
	}
	values := make([]any, 0, len(count))
	for v := range count {
		values = append(values, v)
	}
	slices.SortFunc(values, func(a, b any) int {
		return cmp.Or(count[b]-count[a], compareAny(a, b))
	})
	n := int(share * float64(len(x.own)))
	var chosen []any
	sum := 0
	for _, v := range values {
		if sum+count[v] <= n+n/20 {
			chosen, sum = append(chosen, v), sum+count[v]
		}
	}
	return tarn.In(own[x.Name], chosen...), sum*4 > n*3
}

func compareAny(a, b any) int {
	if a, ok := a.(string); ok {
		return cmp.Compare(a, b.(string))
	}
	return cmp.Compare(a.(int), b.(int))
}
