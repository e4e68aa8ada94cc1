// SPDX-License-Identifier: EUPL-1.2

package provider

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/luikyv/go-oidc/pkg/goidc"

	"skrin/acl"
	"skrin/auth"
)

const (
	revocationsKind = "oidc-revocations" // "version": a number, another after each revocation
	versionKey      = "version"

	verdictsFresh = 500 * time.Millisecond // how old what is known of the version may be
	verdictsStale = 900 * time.Millisecond // how old, while somebody else reads it
	verdictsWhole = time.Minute            // how old verdicts become, whatever the version
	maxVerdicts   = 32 << 10
)

// The revocations remember which tokens were found good, so that a request costs no
// look-up in the records. Whoever revokes anything changes a number there, which
// each node reads every half a second at most, however many tokens and requests
// there are; with it all that was found good is looked up again. So what is revoked
// is refused on this node at once, and on the others within a second. If a
// revocation fails between the two, it is made again, or seen within a minute.
// While the records can't be reached no token is good.
type revocations struct {
	records auth.Records
	now     func() time.Time
	turn    atomic.Uint64 // changes with each revocation on this node
	known   atomic.Pointer[verdicts]
	reading sync.Mutex
}

// Verdicts are the tokens that were found good since a version. All but good never
// changes.
type verdicts struct {
	version, turn uint64
	checked       time.Time // when the version was last read
	made          time.Time
	good          *goodTokens
}

type goodTokens struct {
	mu  sync.RWMutex
	all map[auth.Token]struct{}
}

func (g *goodTokens) has(t auth.Token) bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	_, ok := g.all[t]
	return ok
}

func (g *goodTokens) add(t auth.Token) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.all) >= maxVerdicts {
		clear(g.all)
	}
	g.all[t] = struct{}{}
}

// current returns what is known, compared with the records if it is older than
// verdictsFresh. What is looked up after it was returned may be added to it.
func (r *revocations) current(ctx context.Context) (*verdicts, error) {
	holds := func(v *verdicts, age time.Duration) bool {
		return v != nil && v.turn == r.turn.Load() && r.now().Sub(v.checked) < age
	}
	v := r.known.Load()
	if holds(v, verdictsFresh) {
		return v, nil
	}
	if !holds(v, verdictsStale) {
		r.reading.Lock()
	} else if !r.reading.TryLock() {
		return v, nil
	}
	defer r.reading.Unlock()
	if v = r.known.Load(); holds(v, verdictsFresh) { // somebody else was faster
		return v, nil
	}
	next := verdicts{turn: r.turn.Load(), checked: r.now()}
	next.made = next.checked
	rec, err := r.records.Load(ctx, revocationsKind, versionKey)
	if err != nil && !errors.Is(err, auth.ErrNoRecord) {
		return nil, failed{fmt.Errorf("read the revocations: %w", err)}
	}
	next.version = rec.Version
	if v != nil && v.version == next.version && v.turn == next.turn && next.checked.Sub(v.made) < verdictsWhole {
		next.good, next.made = v.good, v.made
	} else {
		next.good = &goodTokens{all: map[auth.Token]struct{}{}}
	}
	r.known.Store(&next)
	return &next, nil
}

// tell is called when something was revoked, and before it is said to be.
func (r *revocations) tell(ctx context.Context) error {
	defer r.turn.Add(1)
	rec, err := r.records.Load(ctx, revocationsKind, versionKey)
	if err != nil && !errors.Is(err, auth.ErrNoRecord) {
		return failed{fmt.Errorf("tell of a revocation: %w", err)}
	}
	rec.Value = strconv.AppendUint(nil, rec.Version+1, 10)
	err = r.records.Save(ctx, revocationsKind, versionKey, rec)
	if err != nil && !errors.Is(err, auth.ErrChanged) { // then somebody else has told, after what was revoked here
		return failed{fmt.Errorf("tell of a revocation: %w", err)}
	}
	return nil
}

// revokeGrant ends the access tokens that came of a grant.
func (p *Provider) revokeGrant(ctx context.Context, id string) error {
	err := p.Records.Save(ctx, revokedKind, digest(id), auth.Record{Value: []byte{1}, Until: p.Now().Add(p.TokenLife + 2*skew)})
	if err != nil && !errors.Is(err, auth.ErrChanged) { // it was revoked before
		return failed{fmt.Errorf("revoke: %w", err)}
	}
	return p.revocations.tell(ctx)
}

func (p *Provider) grantRevoked(ctx context.Context, id string) (bool, error) {
	_, err := p.Records.Load(ctx, revokedKind, digest(id))
	if errors.Is(err, auth.ErrNoRecord) {
		return false, nil
	}
	return err == nil, err
}

// Revoked is for auth.Verifier: it says of a token of ours, that is otherwise
// good, whether it was revoked, its client struck off, or its app disapproved. What
// was found good is remembered as revocations say; whether a party is registered is
// asked each time, as its register knows that by itself.
func (p *Provider) Revoked(ctx context.Context, t auth.Token) (bool, error) {
	if t.Agent.Issuer != p.Base {
		return false, nil
	}
	known, err := p.revocations.current(ctx)
	if err != nil {
		return false, err
	}
	if isParty := !isApp(t.Agent.Client); isParty || !known.good.has(t) {
		if gone, err := p.clientGone(ctx, t.Agent); gone || err != nil {
			return gone, err
		}
	}
	if known.good.has(t) {
		return false, nil
	}
	revoked, err := p.grantRevoked(ctx, t.Grant)
	if err == nil && !revoked {
		known.good.add(t)
	}
	return revoked, err
}

func (p *Provider) clientGone(ctx context.Context, agent acl.Agent) (bool, error) {
	switch id := agent.Client; {
	case strings.HasPrefix(id, scriptPrefix):
		a, _, err := p.loadApp(ctx, id)
		if errors.Is(err, goidc.ErrNotFound) {
			return true, nil
		}
		return err == nil && a.WebID != agent.ID, err
	case isApp(id):
		ok, err := p.approved(ctx, agent.ID, id)
		return !ok, err
	default:
		c, err := p.Clients.Client(ctx, id)
		if errors.Is(err, ErrNoClient) {
			return true, nil
		}
		return err == nil && c.WebID != agent.ID, err
	}
}
