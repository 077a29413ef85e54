package collection

import "github.com/tarndb/tarn/internal/meta"

const (
	// leastStored is from how many bytes on payloads are committed beside the rows, if
	// no commit is under way, and mostStored from how many on one is waited for.
	leastStored = 256 << 10
	mostStored  = 32 << 20
	// storedCost is what a payload or a key takes beside its bytes, about.
	storedCost = 64
)

// stored is what rows have beside their vectors, on its way to meta.db:
//
//	rows ──> coming ──┬── a commit is under way: more comes ──┐
//	                  └── none is: commit ──> meta.db         └── mostStored: wait for it
//
// So a commit takes what has come during the one before.
type stored struct {
	payloads slotBlobs
	keys     map[string]uint64
	bytes    int
	space    space // for payloads to come
}

func newStored() stored {
	return stored{keys: map[string]uint64{}}
}

// addPayload adds a copy of data.
func (s *stored) addPayload(slot uint32, data []byte) {
	s.payloads.put(slot, s.space.clone(data, leastStored/4))
	s.bytes += len(data) + storedCost
}

func (s *stored) addKey(key string, id uint64) {
	s.keys[key] = id
	s.bytes += len(key) + storedCost
}

// commitAhead commits what has come if it is worth it, beside the reading.
func (r *restore) commitAhead() error {
	busy := r.committing != nil && len(r.committing) == 0 // it has room for one result
	if r.coming.bytes < leastStored || busy && r.coming.bytes < mostStored {
		return nil
	}
	if err := r.committed(); err != nil {
		return err
	}
	s := r.coming
	r.coming = newStored()
	committing := make(chan error, 1)
	r.committing = committing
	go func() { committing <- r.commit(&s) }()
	return nil
}

// committed waits until no commit is under way.
func (r *restore) committed() (err error) {
	if r.committing != nil {
		err = <-r.committing
		r.committing = nil
	}
	return err
}

// commitRest commits all that is left.
func (r *restore) commitRest() error {
	if err := r.committed(); err != nil {
		return err
	}
	return r.commit(&r.coming)
}

func (r *restore) commit(s *stored) error {
	if s.payloads.empty() {
		return nil
	}
	u := meta.Update{Payloads: s.payloads.all()}
	if len(s.keys) > 0 {
		u.Keys = meta.KeyChanges{Next: r.moment.nextKey, Put: s.keys}
	}
	return r.meta.Commit(u)
}
