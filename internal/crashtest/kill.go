package crashtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"time"
)

// kill runs a child, kills it at a moment drawn from the seed, and returns what
// it said.
func (o *oracle) kill(ctx context.Context) (heard, error) {
	if o.Step != "" {
		c := o.Config
		c.Nth = 1 + rand.New(rand.NewPCG(o.Seed, uint64(o.Cycle))).IntN(4)
		return c.kill(ctx, &moment{never: true})
	}
	return o.Config.kill(ctx, o.moment())
}

// killNested kills a child that recovers from the kill before.
func (o *oracle) killNested(ctx context.Context, depth int) (heard, error) {
	c := o.Config
	c.OpenOnly, c.Step = true, ""
	rng := rand.New(rand.NewPCG(o.Seed, uint64(o.Cycle)<<8|uint64(depth+1)))
	return c.kill(ctx, opening(rng))
}

func (c Config) kill(ctx context.Context, m *moment) (heard, error) {
	config, err := json.Marshal(c)
	if err != nil {
		return heard{}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("the child was silent for too long"))
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), variable+"="+string(config))
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		return heard{}, err
	}
	if err := cmd.Start(); err != nil {
		return heard{}, err
	}
	h, listenErr := c.listen(out, func(h heard) { m.heard(h, cmd.Process) })
	m.stop()
	err = cmd.Wait()
	switch {
	case listenErr != nil:
		return h, listenErr
	case ctx.Err() != nil:
		return h, context.Cause(ctx)
	case err == nil || cmd.ProcessState.ExitCode() >= 0: // it was not killed
		return h, fmt.Errorf("the child ended by itself: %w: %s", err, complaint.Bytes())
	}
	return h, nil
}

// moment is when to kill: so long after so many acknowledgements, or after the
// child began to open the store.
type moment struct {
	acks  int // 0: it began to open the store
	delay time.Duration
	never bool // the child does it itself
	timer *time.Timer
}

func (o *oracle) moment() *moment {
	rng := rand.New(rand.NewPCG(o.Seed, uint64(o.Cycle)))
	if o.Fresh || rng.IntN(8) == 0 {
		return opening(rng)
	}
	return &moment{acks: 1 + rng.IntN(1500), delay: time.Duration(rng.IntN(int(5 * time.Millisecond)))}
}

// opening is a moment while the child opens the store, which takes it some ten
// milliseconds, or soon after. Early ones are drawn more often.
func opening(rng *rand.Rand) *moment {
	part := rng.Float64()
	return &moment{delay: time.Duration(part * part * float64(30*time.Millisecond))}
}

func (m *moment) heard(h heard, p *os.Process) {
	if !m.never && m.timer == nil && h.begun && h.acks >= m.acks {
		m.timer = time.AfterFunc(m.delay, func() { _ = p.Kill() }) // Wait tells whether it died
	}
}

func (m *moment) stop() {
	if m.timer != nil {
		m.timer.Stop()
	}
}
