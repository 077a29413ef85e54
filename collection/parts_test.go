package collection

import (
	"encoding/json"
	"errors"
	"maps"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/vfs"
)

func TestAGateThatIsShutWaitsForCallsUnderWay(t *testing.T) {
	var g gate
	g.init()
	require.NoError(t, g.enter())
	require.True(t, g.shut())
	require.False(t, g.shut())
	require.ErrorIs(t, g.enter(), ErrClosed)
	select {
	case <-g.idle:
		t.Fatal("idle with a call under way")
	case <-g.closing():
	}
	g.leave()
	<-g.idle
	require.ErrorIs(t, g.enter(), ErrClosed)
}

func TestAGateIsIdleOnceHoweverCallsLeave(t *testing.T) {
	for range 200 {
		var g gate
		g.init()
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for g.enter() == nil {
					g.leave()
				}
			})
		}
		g.shut()
		<-g.idle
		wg.Wait()
	}
}

func TestTheRingTellsMovesSinceAStartAndWhenItHasWrapped(t *testing.T) {
	var r ring
	r.init(4)
	r.push(1)
	r.settle()
	start := r.settled.Load()
	r.push(2)
	r.push(3)
	ids, ok := r.since(start, nil)
	require.True(t, ok)
	require.Equal(t, []uint64{2, 3}, ids)
	r.push(4)
	r.push(5)
	_, ok = r.since(start, nil)
	require.False(t, ok)
}

func TestI6_SlotsAreReusedOnlyWhenTheyMay(t *testing.T) {
	var a allocator
	var reserved uint32
	reserve := func(n uint32) error { reserved = n; return nil }
	slots, err := a.take(3, reserve, nil)
	require.NoError(t, err)
	require.Equal(t, []uint32{0, 1, 2}, slots)
	require.EqualValues(t, 3, reserved)
	a.die(0, 5)
	a.die(2, 6)
	require.EqualValues(t, 2, a.gone.Load())
	freed := a.reclaim(func(d deadSlot) bool { return d.died <= 5 })
	require.Equal(t, []uint32{0}, freed)
	require.Empty(t, a.free)
	a.release(freed)
	full := errors.New("full")
	_, err = a.take(2, func(uint32) error { return full }, nil)
	require.ErrorIs(t, err, full)
	slots, err = a.take(2, reserve, nil)
	require.NoError(t, err)
	require.Equal(t, []uint32{0, 3}, slots)
	require.EqualValues(t, 1, a.gone.Load())
	a.giveBack(slots)
	slots, err = a.take(2, reserve, nil)
	require.NoError(t, err)
	require.Equal(t, []uint32{0, 3}, slots)
}

func TestE19_TheLastSlotNumbersAreNeverGiven(t *testing.T) {
	a := allocator{next: noSlot - 2}
	_, err := a.take(2, func(uint32) error { return nil }, nil)
	require.ErrorIs(t, err, errFull)
	slots, err := a.take(1, func(uint32) error { return nil }, nil)
	require.NoError(t, err)
	require.Equal(t, []uint32{noSlot - 2}, slots)
}

func TestAPinProtectsWhatDiedAfterItWasTaken(t *testing.T) {
	var ps pins
	var applied atomic.Uint64
	var x, y pin
	ps.register(&x)
	ps.register(&y)
	require.EqualValues(t, uint64(math.MaxUint64), ps.oldest())
	applied.Store(7)
	x.hold(&applied)
	applied.Store(9)
	y.hold(&applied)
	require.EqualValues(t, 7, ps.oldest())
	x.release()
	require.EqualValues(t, 9, ps.oldest())
	ps.unregister(&y)
	require.EqualValues(t, uint64(math.MaxUint64), ps.oldest())
}

func TestPayloadsComeBackByTheRules(t *testing.T) {
	p := Payload{
		"int": 1, "neg": int64(-5), "max": uint64(math.MaxUint64), "float": 1.5, "whole": float64(3), "exp": 1e300,
		"s": "ä<&>", "null": nil, "b": true, "list": []any{1, "x", []int{2}}, "obj": map[string]any{"k": json.Number("12")},
	}
	data, err := encodePayload(p, 1<<20)
	require.NoError(t, err)
	got, err := decodePayload(data)
	require.NoError(t, err)
	require.Equal(t, Payload{
		"int": int64(1), "neg": int64(-5), "max": uint64(math.MaxUint64), "float": 1.5, "whole": int64(3), "exp": 1e300,
		"s": "ä<&>", "null": nil, "b": true, "list": []any{int64(1), "x", []any{int64(2)}}, "obj": map[string]any{"k": int64(12)},
	}, got)
	data, err = encodePayload(nil, 1)
	require.NoError(t, err)
	require.Nil(t, data)
	data, err = encodePayload(Payload{}, 2)
	require.NoError(t, err)
	require.Equal(t, "{}", string(data))
}

func TestE09_E10_PayloadsThatJSONCannotHoldAreRefused(t *testing.T) {
	deep := any("x")
	for range maxPayloadDepth + 1 {
		deep = []any{deep}
	}
	loop := map[string]any{}
	loop["self"] = loop
	for name, p := range map[string]Payload{
		"NaN": {"a": math.NaN()}, "channel": {"a": make(chan int)}, "not UTF-8": {"a": "\xff"}, "key": {"\xff": 1},
		"deep": {"a": deep}, "loop": loop,
	} {
		_, err := encodePayload(p, 1<<20)
		require.ErrorIs(t, err, ErrInvalidPoint, name)
	}
	_, err := encodePayload(Payload{"a": "xx"}, 9)
	require.ErrorIs(t, err, ErrTooLarge)
	_, err = encodePayload(Payload{"a": "xx"}, 10)
	require.NoError(t, err)
}

func TestTheStreamingConfigurationRoundsUpAndBack(t *testing.T) {
	c := StreamingConfig{FlushInterval: 1500 * time.Microsecond}.WithDefaults()
	require.Equal(t, StreamingConfig{10_000, 128, 2 * time.Millisecond}, c)
	data, err := json.Marshal(c)
	require.NoError(t, err)
	require.JSONEq(t, `{"buffer_size":10000,"batch_size":128,"flush_interval_ms":2}`, string(data))
	var back StreamingConfig
	require.NoError(t, json.Unmarshal(data, &back))
	require.Equal(t, c, back)
}

func TestAStoredConfigurationComesBackAndDamageIsSaid(t *testing.T) {
	s := DefaultStreamingConfig()
	c := Config{Dim: 3, Metric: Dot, WriteMode: WriteStreaming, Index: IndexConfig{Engine: EngineCoder, M: 8, EfSearch: 9}, Streaming: &s}
	data, err := encodeConfig(c)
	require.NoError(t, err)
	got, err := decodeConfig(data)
	require.NoError(t, err)
	require.Equal(t, c, got)
	for _, bad := range []string{"", "{}", `{"version":1,"dim":3,"metric":"l3","keys":"uint64","write_mode":"api","index":{"engine":"native"}}`} {
		_, err := decodeConfig([]byte(bad))
		require.Error(t, err, bad)
	}
	_, err = decodeConfig([]byte(`{"version":2}`))
	require.ErrorContains(t, err, "version")
}

func TestPositionsAreDurableWhenTheirRecordIs(t *testing.T) {
	var p positions
	p.init(map[string]uint64{"a": 3})
	p.add(position{"a", 5}, 10)
	p.add(position{"b", 1}, 11)
	at, ok := p.get("a", 9)
	require.True(t, ok)
	require.EqualValues(t, 3, at)
	_, ok = p.get("b", 10)
	require.False(t, ok)
	require.Equal(t, map[string]uint64{"a": 5}, p.at(10))
	at, ok = p.get("b", 11)
	require.True(t, ok)
	require.EqualValues(t, 1, at)
}

func TestPayloadsStayReadableThroughACheckpointThatFails(t *testing.T) {
	var p payloads
	p.putAll([]op{{slot: 1, vector: []float32{0}, payload: []byte("a")}, {slot: 2, vector: []float32{0}, payload: []byte("b")}, {slot: 3, vector: []float32{0}}})
	require.Equal(t, map[uint32][]byte{1: []byte("a"), 2: []byte("b")}, maps.Collect(p.freeze()))
	p.putAll([]op{{slot: 2, vector: []float32{0}, payload: []byte("c")}})
	for slot, want := range map[uint32]string{1: "a", 2: "c"} {
		got, ok := p.get(slot)
		require.True(t, ok)
		require.Equal(t, want, string(got))
	}
	p.thaw(false)
	require.Equal(t, map[uint32][]byte{1: []byte("a"), 2: []byte("c")}, maps.Collect(p.freeze()))
	p.thaw(true)
	_, ok := p.get(1)
	require.False(t, ok)
}

// The checkpoint goes through them while writers go on.
func TestPayloadsOfACheckpointAreThoseOfItsMoment(t *testing.T) {
	var p payloads
	p.putAll([]op{{slot: 4, vector: []float32{0}, payload: []byte("a")}, {slot: 6, vector: []float32{0}, payload: []byte("b")}, {slot: 2, vector: []float32{0}, payload: []byte("c")}})
	want := map[uint32][]byte{2: []byte("c"), 4: []byte("a"), 6: []byte("b")}
	taken := p.freeze()
	p.putAll([]op{{slot: 3, vector: []float32{0}, payload: []byte("d")}, {slot: 4, vector: []float32{0}, payload: []byte("e")}, {slot: 7, vector: []float32{0}, payload: []byte("f")}})
	p.putAll([]op{{slot: noSlot, key: "a delete has a key and no slot"}})
	p.drop(2)
	p.drop(6)
	p.drop(7)
	for range 2 { // meta.db does it twice
		require.Equal(t, want, maps.Collect(taken))
	}
	p.thaw(true)
	require.Equal(t, map[uint32][]byte{3: []byte("d"), 4: []byte("e")}, maps.Collect(p.freeze()))
}

func TestI5_NoSlotIsLiveBeforeItsPayloadIsThere(t *testing.T) {
	var c *Collection
	moves := 0
	c = openMem(t, vfs.NewMem(), Knobs{PauseIndexer: true, NoBackground: true, Hook: func(step string) {
		if step != "publish: between new and old" {
			return
		}
		moves++
		for slot := range c.live.All() {
			_, ok := c.payloads.get(slot)
			require.True(t, ok, "slot %d is live", slot)
		}
	}})
	for n := range 2 {
		require.NoError(t, c.Upsert(t.Context(),
			Point{ID: 1, Vector: []float32{1, 2, 3, 4}, Payload: Payload{"n": n}},
			Point{ID: 2, Vector: []float32{4, 3, 2, 1}, Payload: Payload{"n": n}}))
	}
	require.Equal(t, 2, moves)
	require.NoError(t, c.Close())
}
