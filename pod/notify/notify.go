// SPDX-License-Identifier: EUPL-1.2

// Package notify tells parties what concerns them: it takes notifications off
// the pods' outboxes and delivers each as a signed Security Event Token (RFC
// 8417) by HTTP push (RFC 8935).
//
// A notification is queued in the transaction of what it tells, so none is
// lost; it may arrive twice, always with the same jti. The receiver answers 2xx
// once it has it. 404 or 410 says that it has nothing to answer with; any other
// answer, or none, is tried again, ever more slowly.
package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"sync"
	"time"

	"skrin/pod"
	"skrin/pod/outbox"
	"skrin/pod/space"
)

// MediaType is that of a Security Event Token.
const MediaType = "application/secevent+jwt"

// Limits of delivery.
const (
	workers    = 16               // pods that are delivered for at once
	inLane     = 4                // attempts at one party at once, so that a dead one holds up nobody else
	timeout    = 10 * time.Second // of one attempt
	batch      = 16               // notifications of one pod at a time
	pods       = 128              // pods of one round
	maxIdle    = 8192             // pods that are remembered as idle
	idleFor    = time.Minute
	maxAnswer  = 4 << 10 // bytes of an answer that are read
	sweepEvery = 2 * time.Second
	wakeEvery  = 10 * time.Millisecond // those who come together are one sweep's
)

// A Deliverer delivers notifications. Its fields are set before Run and not
// changed after.
type Deliverer struct {
	Pod    *pod.Pod
	Client *http.Client // the guarded one: it must not reach private addresses
	Log    *slog.Logger
	Calls  *Caller // calls the webhooks of subscribers; nil for nobody

	wake  chan struct{}
	slots chan struct{}
	busy  sync.WaitGroup

	lanes lanes // by party

	mu      sync.Mutex
	looking map[string]bool      // pods that are looked at now; true for once more, at once
	idle    map[string]time.Time // pods of which nothing could be done, and until when that is remembered
}

// New returns a Deliverer for p, and lets p wake it.
func New(p *pod.Pod, client *http.Client, log *slog.Logger) *Deliverer {
	d := &Deliverer{Pod: p, Client: client, Log: log, wake: make(chan struct{}, 1), slots: make(chan struct{}, workers),
		looking: map[string]bool{}, idle: map[string]time.Time{}}
	p.Wake = d.Wake
	return d
}

// Wake has it look at once.
func (d *Deliverer) Wake() {
	select {
	case d.wake <- struct{}{}:
	default: // somebody has woken it already
	}
}

// Run delivers until ctx is done: at once what is queued by this process, as long as
// there is more without a pause, and within seconds what another node queued and did not deliver, or what waits for a
// later try. It sweeps at the start, and returns when nothing of it runs any more.
// All nodes of a cluster run one. The node that queues delivers; the others only
// ask every two seconds what is due, and are not told by the Feed, since all would
// then hurry to take the same lease.
func (d *Deliverer) Run(ctx context.Context) {
	defer func() {
		d.busy.Wait()
		if d.Calls != nil {
			d.Calls.work.Wait()
		}
	}()
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		more, err := d.sweep(ctx)
		if err != nil && ctx.Err() == nil {
			d.Log.Error("notifications wait", "error", err)
		}
		if more && ctx.Err() == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
			pause(ctx, wakeEvery)
		case <-tick.C:
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// sweep starts the delivery of what is due now, and says whether there may be more. It
// doesn't wait for it: what was taken is leased, so the next sweep leaves it alone.
// Where more is due than one sweep takes, it passes over those pods of which nothing
// could be done a while ago, so that they hold up nobody.
func (d *Deliverer) sweep(ctx context.Context) (more bool, err error) {
	idle := d.idlers()
	due, err := d.Pod.Waiting(ctx, pods+len(idle))
	if err != nil {
		return false, err
	}
	more = len(due) == pods+len(idle)
	for _, id := range due {
		if _, ok := idle[id]; ok && more || !d.look(id) {
			continue
		}
		select {
		case d.slots <- struct{}{}:
		case <-ctx.Done():
			return false, nil
		}
		d.busy.Go(func() {
			defer func() { <-d.slots }()
			if err := d.drain(ctx, id); err != nil && ctx.Err() == nil {
				d.Log.Error("outbox of a pod", "error", err)
			}
		})
	}
	return more, nil
}

// look notes that a pod is looked at, unless it is already: then it is looked at again.
func (d *Deliverer) look(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, already := d.looking[id]
	d.looking[id] = already
	return !already
}

// looked notes that a pod was looked at, and whether something could be done.
func (d *Deliverer) looked(id string, some bool) {
	d.mu.Lock()
	again := d.looking[id]
	delete(d.looking, id)
	if !some {
		if len(d.idle) >= maxIdle {
			clear(d.idle)
		}
		d.idle[id] = d.Pod.Now().Add(idleFor)
	}
	d.mu.Unlock()
	if again {
		d.Wake()
	}
}

// idlers returns the pods of which nothing could be done a while ago.
func (d *Deliverer) idlers() map[string]time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.Pod.Now()
	maps.DeleteFunc(d.idle, func(_ string, until time.Time) bool { return !now.Before(until) })
	return maps.Clone(d.idle)
}

func (d *Deliverer) drain(ctx context.Context, id string) error {
	notices, some, err := d.take(ctx, id)
	d.looked(id, some && err == nil)
	if err != nil {
		return err
	}
	for _, n := range notices {
		if !n.Next.After(d.Pod.Now().Add(timeout)) { // its lease could end before the attempt does
			if err := d.Pod.Postponed(ctx, id, n, d.Pod.Now().Add(soonest)); err != nil {
				return err
			}
			continue
		}
		if err := d.try(ctx, id, n); err != nil || ctx.Err() != nil {
			return err // what isn't settled comes back when its lease ends
		}
	}
	if len(notices) == batch { // there may be more
		d.Wake()
	}
	return nil
}

// take sweeps a pod, has its webhooks called, and takes what is to be told of it. It
// says whether any of that was something.
func (d *Deliverer) take(ctx context.Context, id string) (notices []outbox.Notification, some bool, err error) {
	swept := d.Pod.Sweep(ctx, id)
	if swept != nil && ctx.Err() == nil {
		d.Log.Error("blobs of a pod", "error", swept) // and nobody waits for it
	}
	calls, err := d.call(ctx, id)
	if err != nil {
		return nil, false, err
	}
	notices, err = d.Pod.Take(ctx, id, batch)
	return notices, calls+len(notices) > 0, err
}

// call has the webhooks of a pod called that are due, and says how many are.
func (d *Deliverer) call(ctx context.Context, id string) (int, error) {
	if d.Calls == nil {
		return 0, nil
	}
	calls, err := d.Pod.TakeCalls(ctx, id)
	for _, call := range calls {
		if err := d.Calls.start(ctx, id, call); err != nil {
			return 0, err
		}
	}
	return len(calls), err
}

// try makes one attempt, if the party's lane has room, and settles what came of
// it.
func (d *Deliverer) try(ctx context.Context, id string, n outbox.Notification) error {
	began := d.Pod.Now()
	if turn, ok := d.lanes.enter(n.Party, inLane, began); !ok {
		return d.Pod.Postponed(ctx, id, n, turn)
	}
	trouble, final := d.deliver(ctx, n)
	d.lanes.leave(n.Party, began, d.Pod.Now())
	switch {
	case ctx.Err() != nil:
		return nil
	case trouble == "":
		return d.Pod.Delivered(ctx, id, n)
	}
	return d.Pod.Failed(ctx, id, n, trouble, final)
}

// deliver makes one attempt; trouble is "" if the party has received it.
func (d *Deliverer) deliver(ctx context.Context, n outbox.Notification) (trouble string, final bool) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	party, err := d.Pod.Registry.Party(ctx, n.Party)
	if err != nil || party.Notify == "" {
		return "unreachable", err == nil
	}
	token, err := d.token(ctx, &n)
	if err != nil {
		d.Log.Error("sign a notification", "error", err)
		return "unreachable", false
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, party.Notify, bytes.NewReader([]byte(token)))
	if err != nil {
		return "unreachable", true
	}
	req.Header.Set("Content-Type", MediaType)
	req.Header.Set("Accept", "application/json")
	resp, err := send(d.Client, req)
	if err != nil {
		return "unreachable", false
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
	switch {
	case resp.StatusCode/100 == 2:
		return "", false
	case resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusGone:
		return "none", true
	}
	return "refused", false
}

// send sends a request, and follows no redirect: where that leads to isn't the
// address that was registered, and what is answered there is no receipt.
func send(client *http.Client, req *http.Request) (*http.Response, error) {
	still := *client
	still.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return still.Do(req)
}

// A Token is the payload of a notification (RFC 8417, section 2.2).
type Token struct {
	Issuer   string              `json:"iss"`
	Audience string              `json:"aud"` // the party's id
	IssuedAt int64               `json:"iat"`
	ID       string              `json:"jti"`
	Subject  Subject             `json:"sub_id"`
	Events   map[string]EventSet `json:"events"`
}

// A Subject identifier (RFC 9493) names the person as the party knows it.
type Subject struct {
	Format string `json:"format"` // "uri"
	URI    string `json:"uri"`    // the pairwise WebID
}

// An EventSet is what one event says.
type EventSet struct {
	Location  string   `json:"location,omitempty"`       // where to deposit, or what may no longer be read
	Types     []string `json:"evidence_types,omitempty"` // what is wanted
	Issued    string   `json:"issued,omitempty"`         // of FormsWanted: iat and exp of the forms that are wanted, as days
	Expires   string   `json:"expires,omitempty"`
	Consent   string   `json:"consent,omitempty"`
	Reference string   `json:"reference,omitempty"` // the party's own
	Request   string   `json:"request,omitempty"`   // URL of the request that was posted, of RequestAnswered
	Result    string   `json:"result,omitempty"`    // of RequestAnswered: "agreed" or "declined"
	Right     string   `json:"right,omitempty"`     // of ConsentWithdrawn: the right that the person exercises, an IRI of the DPV
	EraseBy   string   `json:"erase_by,omitempty"`  // the day by which to erase (GDPR, article 12(3): a month)
}

func (d *Deliverer) token(ctx context.Context, n *outbox.Notification) (string, error) {
	says := EventSet{Location: n.Location, Types: n.Types, Consent: n.Consent, Reference: n.Reference, Request: n.Asked, Result: n.Result}
	if n.Event == outbox.ConsentWithdrawn {
		says.Right = "https://w3id.org/dpv/legal/eu/gdpr#A17"
		says.EraseBy = n.Queued.AddDate(0, 1, 0).Format(time.DateOnly)
	}
	if n.Event == outbox.FormsWanted {
		says.Issued, says.Expires = n.Issued.Format(time.DateOnly), n.Expires.Format(time.DateOnly)
	}
	b, err := json.Marshal(Token{
		Issuer: d.Pod.Issuer, Audience: n.Party, IssuedAt: d.Pod.Now().Unix(), ID: n.ID,
		Subject: Subject{"uri", string(space.WebID(d.Pod.Base, n.Space))},
		Events:  map[string]EventSet{d.Pod.Base + "/ns/core#" + string(n.Event): says},
	})
	if err != nil {
		return "", err
	}
	return d.Pod.Sign.Sign(ctx, "secevent+jwt", b)
}
