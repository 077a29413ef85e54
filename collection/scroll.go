package collection

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/filter"
)

// place is a point that a listing has come to: where it was at one instant.
type place struct {
	id   uint64
	slot uint32
}

const (
	// minPage and maxPage bound how many points a listing looks for together: each
	// look goes over all of them, so a filter that few fulfil asks for more and more.
	minPage = 64
	maxPage = 1 << 16
	// pageGrowth is how many times more the next page asks for.
	pageGrowth = 8
	// minRead and maxRead bound how many payloads are read together.
	minRead = 16
	maxRead = 256
)

// errEnough ends a page when the limit is reached.
var errEnough = errors.New("enough")

// Scroll returns up to limit points with ids from from on whose payload fulfils f
// (nil: all), in the order of their ids. The next page begins at the last id plus
// one. What is there and matches throughout is on exactly one page; a point that is
// written meanwhile is shown as it was at some instant of the call.
func (c *Collection) Scroll(ctx context.Context, from uint64, limit int, f filter.Filter) ([]Point, error) {
	if err := c.gate.enter(); err != nil {
		return nil, c.wrap(err)
	}
	defer c.gate.leave()
	p, err := listing(limit, f)
	if err = errors.Join(c.wantIDs(), err); err != nil {
		return nil, c.wrap(err)
	}
	l := list{c: c, s: c.takeScratch(), limit: limit, filter: p}
	defer c.putScratch(l.s)
	err = guard(func() error { return l.byID(ctx, from) })
	return l.out, c.wrap(err)
}

// listing checks the arguments of a listing.
func listing(limit int, f filter.Filter) (*filter.Program, error) {
	if limit < 1 {
		return nil, fmt.Errorf("%w: limit is %d: it must be at least 1", ErrInvalidArgument, limit)
	}
	if f == nil {
		return nil, nil
	}
	return filter.Compile(f)
}

// list is a Scroll under way.
type list struct {
	c      *Collection
	s      *scratch
	limit  int
	filter *filter.Program
	page   []place
	out    []Point
}

// byID reads page after page until there are enough points or no more.
func (l *list) byID(ctx context.Context, from uint64) error {
	for want := firstPage(l.limit, maxPage); ; want = min(want*pageGrowth, maxPage) {
		if err := ctx.Err(); err != nil {
			return err
		}
		l.nextIDs(from, want)
		if len(l.page) == 0 {
			return nil
		}
		last := l.page[len(l.page)-1].id
		if err := l.read(ctx); err != nil || len(l.page) < want || last == math.MaxUint64 {
			return enough(err)
		}
		from = last + 1
	}
}

// enough is the error of a page, none if only its limit was reached.
func enough(err error) error {
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// firstPage is how many points a listing looks for first.
func firstPage(limit, most int) int { return min(max(limit, minPage), most) }

// nextIDs fills the page with the want smallest ids from from on, of the points that
// may match at this instant. Their slots are pinned.
func (l *list) nextIDs(from uint64, want int) {
	set := l.candidates()
	l.page = l.page[:0]
	bound := uint64(math.MaxUint64)
	for slot := range set.All() {
		id := l.c.store.ID(slot)
		if id < from || id > bound {
			continue
		}
		l.page = append(l.page, place{id, slot})
		if len(l.page) == 2*want+1 {
			l.sortPage(want)
			bound = l.page[want-1].id
		}
	}
	l.sortPage(want)
}

func (l *list) sortPage(want int) {
	slices.SortFunc(l.page, func(a, b place) int {
		if a.id < b.id {
			return -1
		}
		return 1
	})
	l.page = l.page[:min(want, len(l.page))]
}

// candidates returns the live slots that indexes do not rule out. From then on they
// are pinned.
func (l *list) candidates() bitmap.Words {
	l.s.pin.hold(&l.c.clock)
	l.c.publish.RLock()
	defer l.c.publish.RUnlock()
	if l.filter == nil {
		m := &l.s.match
		m.live = l.c.live.Words(m.live)
		return m.live
	}
	return l.candidatesNow()
}

// candidatesNow returns the live slots that indexes do not rule out, nil without a
// filter. The publication lock is held.
func (l *list) candidatesNow() bitmap.Words {
	if l.filter == nil {
		return nil
	}
	m := &l.s.match
	if l.c.bounds(m, l.filter); len(m.may) == 0 {
		return m.set
	}
	return m.may
}

// read adds the points of the page that match, until there are enough.
func (l *list) read(ctx context.Context) error {
	for page := l.page; len(page) > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(max(l.limit-len(l.out), minRead), maxRead, len(page))
		if err := l.readSome(page[:n]); err != nil {
			return err
		}
		page = page[n:]
	}
	return nil
}

func (l *list) readSome(page []place) error {
	slots := l.s.slots[:0]
	for _, p := range page {
		slots = append(slots, p.slot)
	}
	l.s.slots = slots
	l.c.hook("list: between places and points")
	data := make([][]byte, len(slots))
	if err := l.c.payloads.read(l.c.meta, slots, l.c.store.HasPayload, data); err != nil {
		return err
	}
	for i, p := range page {
		key, payload, err := l.c.splitBlob(data[i])
		if err != nil {
			return err
		}
		if l.filter != nil {
			if ok, err := l.filter.Match(payload, &l.s.match.Scratch); err != nil {
				return err
			} else if !ok {
				continue
			}
		}
		point, err := l.c.point(p, key, payload)
		if err != nil {
			return err
		}
		if l.out = append(l.out, point); len(l.out) == l.limit {
			return errEnough
		}
	}
	return nil
}

// point puts a point together; its slot is pinned.
func (c *Collection) point(at place, key, payload []byte) (Point, error) {
	v, err := c.store.Vector(at.slot, nil)
	if err != nil {
		return Point{}, err
	}
	decoded, err := decodePayload(payload)
	return Point{ID: at.id, Key: string(key), Vector: v, Payload: decoded}, err
}
