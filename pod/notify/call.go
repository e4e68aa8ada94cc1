// SPDX-License-Identifier: EUPL-1.2

package notify

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"skrin/pod"
	"skrin/pod/channel"
)

// Limits of calls on one node.
const (
	callWorkers = 64              // webhooks that are called at once
	callLane    = 4               // of these, on one host
	callWithin  = 5 * time.Second // one notification
)

// A Prover makes DPoP proofs (RFC 9449).
type Prover interface {
	Proof(method, url, accessToken, nonce string, now time.Time) (string, error)
}

// A Caller calls webhooks: it posts each notification with an access token of
// [Sender] and a proof, so that the receiver can tell who sends. Its fields are
// set before its first use and not changed after.
type Caller struct {
	Pod    *pod.Pod
	Client *http.Client                              // the guarded one: strangers name the URLs
	Token  func(ctx context.Context) (string, error) // of Sender, good for a minute or more
	Proofs Prover
	Log    *slog.Logger
	Parked func() // is told of each webhook that is called no more; may be nil

	work sync.WaitGroup

	lanes lanes // by host
	mu    sync.Mutex
	busy  int
}

// start makes a call, and doesn't wait for it. Where too many go on, it is put
// off, so that who is slow holds up nobody else.
func (c *Caller) start(ctx context.Context, id string, call channel.Call) error {
	host := ""
	if u, err := url.Parse(call.Hook); err == nil {
		host = u.Host
	}
	began := c.Pod.Now()
	if turn, ok := c.enter(host, began); !ok {
		return c.Pod.PutOffCall(ctx, id, call, turn)
	}
	c.work.Go(func() {
		defer func() { c.leave(host, began, c.Pod.Now()) }()
		if err := c.call(ctx, id, call); err != nil && ctx.Err() == nil {
			c.Log.Error("a webhook", "error", err) // its lease ends
		}
	})
	return nil
}

// enter takes one of all places, and one at a host; without, it returns when to come
// again.
func (c *Caller) enter(host string, now time.Time) (turn time.Time, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy == callWorkers {
		return now.Add(soonest), false
	}
	if turn, ok = c.lanes.enter(host, callLane, now); ok {
		c.busy++
	}
	return turn, ok
}

func (c *Caller) leave(host string, began, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy--
	c.lanes.leave(host, began, now)
}

// Busy returns how many webhooks are being called.
func (c *Caller) Busy() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.busy
}

// call sends what waits, in order, as long as it is received.
func (c *Caller) call(ctx context.Context, id string, call channel.Call) error {
	may, err := c.Pod.MayHear(ctx, call.Who, call.Topic, call.Tell...)
	if err != nil {
		return err
	}
	if !may {
		return c.Pod.EndCall(ctx, id, call)
	}
	upto := uint64(0)
	for _, a := range call.Tell {
		if a.At.Before(call.Start) {
			upto = a.Seq
			continue
		}
		trouble, final := c.post(ctx, call.Hook, message(a, c.Pod.Base))
		if ctx.Err() != nil {
			return nil
		}
		if trouble != "" {
			if final {
				c.Log.Warn("a webhook is gone, and is called no more")
			}
			parked, err := c.Pod.CallLater(ctx, id, call, upto, trouble, final)
			if parked && c.Parked != nil {
				c.Parked()
			}
			return err
		}
		upto = a.Seq
	}
	return c.Pod.Called(ctx, id, call)
}

// post sends one notification; trouble is "" if it was received.
func (c *Caller) post(ctx context.Context, hook string, body []byte) (trouble string, final bool) {
	ctx, cancel := context.WithTimeout(ctx, callWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, hook, bytes.NewReader(body))
	if err != nil {
		return "unreachable", true
	}
	token, err := c.Token(ctx)
	if err != nil {
		c.Log.Error("sign a notification", "error", err)
		return "unreachable", false
	}
	proof, err := c.Proofs.Proof(http.MethodPost, hook, token, "", c.Pod.Now())
	if err != nil {
		c.Log.Error("sign a notification", "error", err)
		return "unreachable", false
	}
	req.Header.Set("Content-Type", mediaType)
	req.Header.Set("Authorization", "DPoP "+token)
	req.Header.Set("DPoP", proof)
	resp, err := send(c.Client, req) // the proof is for one URL
	if err != nil {
		return "unreachable", false
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer)
	switch {
	case resp.StatusCode/100 == 2:
		return "", false
	case resp.StatusCode == http.StatusGone:
		return "refused", true
	}
	return "refused", false
}
