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
	"net/http"
	"sync"
	"time"

	"skrin/pod"
)

// MediaType is that of a Security Event Token.
const MediaType = "application/secevent+jwt"

// Limits of delivery.
const (
	workers    = 8
	timeout    = 10 * time.Second // of one attempt
	batch      = 16               // notifications of one pod at a time
	pods       = 128              // pods of one round
	maxAnswer  = 4 << 10          // bytes of an answer that are read
	sweepEvery = 2 * time.Second
)

// A Deliverer delivers notifications. Its fields are set before Run and not
// changed after.
type Deliverer struct {
	Pod    *pod.Pod
	Client *http.Client // the guarded one: it must not follow redirects, nor reach private addresses
	Log    *slog.Logger

	wake chan struct{}
}

// New returns a Deliverer for p, and lets p wake it.
func New(p *pod.Pod, client *http.Client, log *slog.Logger) *Deliverer {
	d := &Deliverer{Pod: p, Client: client, Log: log, wake: make(chan struct{}, 1)}
	p.Wake = func() {
		select {
		case d.wake <- struct{}{}:
		default: // somebody has woken it already
		}
	}
	return d
}

// Run delivers until ctx is done: at once what is queued by this process, and
// within seconds what another node queued or what waits for a later try. It
// sweeps at the start.
func (d *Deliverer) Run(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := d.sweep(ctx); err != nil && ctx.Err() == nil {
			d.Log.Error("notifications wait", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
		case <-tick.C:
		}
	}
}

// sweep delivers all that is due now, some pods at a time.
func (d *Deliverer) sweep(ctx context.Context) error {
	due, err := d.Pod.Waiting(ctx, pods)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, workers)
	for _, id := range due {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := d.drain(ctx, id); err != nil && ctx.Err() == nil {
				d.Log.Error("outbox of a pod", "error", err)
			}
		})
	}
	wg.Wait()
	return nil
}

func (d *Deliverer) drain(ctx context.Context, id string) error {
	if err := d.Pod.Sweep(ctx, id); err != nil && ctx.Err() == nil {
		d.Log.Error("blobs of a pod", "error", err) // and nobody waits for it
	}
	notices, err := d.Pod.Take(ctx, id, batch)
	if err != nil {
		return err
	}
	for _, n := range notices {
		trouble, final := d.deliver(ctx, n)
		if ctx.Err() != nil {
			return nil // the lease ends by itself
		}
		if trouble == "" {
			err = d.Pod.Delivered(ctx, id, n)
		} else {
			err = d.Pod.Failed(ctx, id, n, trouble, final)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// deliver makes one attempt; trouble is "" if the party has received it.
func (d *Deliverer) deliver(ctx context.Context, n pod.Notification) (trouble string, final bool) {
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
	resp, err := d.Client.Do(req)
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
	Consent   string   `json:"consent,omitempty"`
	Reference string   `json:"reference,omitempty"` // the party's own
	EraseBy   string   `json:"erase_by,omitempty"`  // the day by which to erase (GDPR, article 12(3): a month)
}

func (d *Deliverer) token(ctx context.Context, n *pod.Notification) (string, error) {
	says := EventSet{Location: n.Location, Types: n.Types, Consent: n.Consent, Reference: n.Reference}
	if n.Event == pod.ConsentWithdrawn {
		says.EraseBy = n.Queued.AddDate(0, 1, 0).Format(time.DateOnly)
	}
	b, err := json.Marshal(Token{
		Issuer: d.Pod.Issuer, Audience: n.Party, IssuedAt: d.Pod.Now().Unix(), ID: n.ID,
		Subject: Subject{"uri", string(d.Pod.SpaceWebID(n.Space))},
		Events:  map[string]EventSet{d.Pod.Base + "/ns/core#" + string(n.Event): says},
	})
	if err != nil {
		return "", err
	}
	return d.Pod.Sign.Sign(ctx, "secevent+jwt", b)
}
