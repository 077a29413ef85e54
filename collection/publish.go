package collection

// publishRecord makes a logged and applied batch visible, all at once for Get and
// point by point for searches (I5). The writer lock is held.
func (c *Collection) publishRecord(r *record, lsn uint64) {
	c.publish.Lock()
	defer c.publish.Unlock()
	c.pubs.Add(1)
	defer c.pubs.Add(1)
	v, now := c.view.Load(), c.clock.Load()+1
	c.payloads.putAll(r.ops)
	for i := range r.ops {
		if o := &r.ops[i]; o.isDelete() {
			c.ids.set(o.id, noSlot)
			if o.key != "" {
				c.keys.set(o.key, 0)
			}
			c.endSlot(v, o.old, now)
		} else {
			c.publishUpsert(v, o, now)
		}
	}
	if r.pos != nil {
		c.logged[r.pos.source] = r.pos.offset
		c.places.add(*r.pos, lsn)
	}
	c.applied.Store(lsn)
	c.clock.Store(now)
}

func (c *Collection) publishUpsert(v *view, o *op, now uint64) {
	if o.key != "" && o.old == noSlot {
		c.keys.set(o.key, o.id)
	}
	c.fields.add(o.slot, o.payload)
	c.digest.Add(c.store.Hash(o.slot))
	c.live.Add(o.slot)
	v.delta.Add(o.slot)
	c.ids.set(o.id, o.slot)
	if o.old == noSlot {
		return
	}
	c.moves.push(o.id)
	c.hook("publish: between new and old")
	c.endSlot(v, o.old, now)
	c.moves.settle()
}

// endSlot makes a slot dead. It leaves the delta too: nothing returns it any more.
func (c *Collection) endSlot(v *view, slot uint32, now uint64) {
	c.digest.Add(-c.store.Hash(slot))
	c.live.Remove(slot)
	c.leaveDelta(v, slot)
	c.slots.die(slot, now)
	if v.graph != nil && v.graph.Contains(slot) {
		c.maintain.died(v.graph.Len(), c.opts.Knobs.FewDeaths)
	}
}
