// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"skrin/acl"
	"skrin/auth"
	"skrin/auth/dpop"
	"skrin/auth/login"
	"skrin/auth/provider"
	"skrin/cmd/skrin/parties"
	"skrin/fixtures"
	"skrin/ldp"
	"skrin/pod"
	"skrin/pod/notify"
	"skrin/pod/registry"
	"skrin/pod/status"
	"skrin/pod/vocab"
	"skrin/pod/web"
)

// A server is all parts, joined. This file is the one place where they are.
type server struct {
	config
	log *slog.Logger
	now func() time.Time
	*chest
	operators operators
	acts      *acts
	jobs      *jobs
	steps     steps
	turns     *ldp.Turns        // of documents that are costly to read
	parties   *registry.Parties // registered in files
	register  *parties.Register
	types     *registry.Catalogue
	vault     *login.Vault
	sessions  *login.Sessions
	passkeys  *login.Passkeys
	provider  *provider.Provider
	pod       *pod.Pod
	foreign   *auth.Foreign
	notices   *notify.Deliverer
	hub       *notify.Hub
	answers   *ldp.Handler // how all of it says what is wrong
	handler   http.Handler

	guard   *guard
	ready   *readiness
	encrypt *tls.Config // of the people's listener; nil for none
}

// newServer opens the directory and joins the parts.
func newServer(ctx context.Context, c config, log *slog.Logger) (_ *server, err error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	s := &server{config: c, log: log, now: time.Now}
	s.guard = newGuard(c, log, s.now)
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if s.chest, err = openChest(ctx, c, log); err != nil {
		return nil, fmt.Errorf("open %s: %w", c.Dir, err)
	}
	key, err := s.derive("operators' log")
	if err != nil {
		return nil, err
	}
	s.acts = &acts{records: s.records, key: key, now: s.now}
	s.jobs = newJobs(s)
	s.ready = newReadiness(s.chest)
	s.guard.m.watchOutbox(s.store, s.now)
	s.turns = ldp.NewTurns(cmp.Or(c.Limit.Costly, 2), s.guard.m.refusals.WithLabelValues(byCostly).Inc)
	s.guard.m.watchTurns(s.turns)
	for _, join := range []func(context.Context) error{s.joinParties, s.joinLogin, s.joinProvider, s.joinPod, s.joinHandler} {
		if err := join(ctx); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// catalogue reads the types of evidence: those of the folder, or else those that come
// with the program.
func (c config) catalogue() (*registry.Catalogue, error) {
	if c.Types != "" {
		return registry.LoadCatalogue(os.DirFS(c.Types), ".")
	}
	return registry.LoadCatalogue(fixtures.Files, "types")
}

func (s *server) joinParties(context.Context) (err error) {
	if s.types, err = s.catalogue(); err != nil {
		return err
	}
	if s.operators, err = loadOperators(s.Operators, s.now()); err != nil {
		return err
	}
	s.parties = registry.NewParties(s.now)
	if s.Parties != "" {
		if err := registry.LoadParties(os.DirFS(s.Parties), ".", s.Base, s.parties, nil); err != nil {
			return err
		}
	}
	for _, p := range s.parties.Every() {
		if s.operators.has(p.ID) {
			return fmt.Errorf("%q is both a party and an operator", p.ID)
		}
	}
	s.register, err = parties.New(parties.Options{
		Records: s.records, Fixed: s.parties, Types: s.types, Base: s.Base, Reserved: s.operators.has,
		Fetch: auth.Guarded(s.Demo), Now: s.now,
	})
	return err
}

func (s *server) joinLogin(context.Context) error {
	key, err := s.derive("identity vault")
	if err != nil {
		return err
	}
	s.vault, err = login.NewVault(login.VaultOptions{Records: s.records, Key: key, Now: s.now, Rand: rand.Reader})
	if err != nil {
		return err
	}
	levels, err := s.ladders()
	if err != nil {
		return err
	}
	if s.steps, err = loadSteps(s.Steps, levels, s.types); err != nil {
		return err
	}
	s.sessions, err = login.NewSessions(login.SessionOptions{Records: s.records, Base: s.Base, Now: s.now, Fail: s.failed})
	return err
}

func (s *server) joinProvider(ctx context.Context) error {
	key, err := s.derive("OpenID provider")
	if err != nil {
		return err
	}
	s.provider, err = provider.New(ctx, provider.Options{
		Base: s.Base, Records: s.records, Clients: clients{s.register, s.operators, s.Base, s.now}, Key: key, Scopes: []string{adminScope},
		CheckDetails: s.checkDetails,
		ACRs:         slices.Concat(s.steps.levels...), Reach: s.steps.levels.Reach,
		InteractionURL: func(id string) string { return s.Base + "/me/answer/" + id },
		Page:           s.oauthTrouble,
		Spent:          s.refuse,
		Log:            s.log, Now: s.now,
		SignedIn: s.signedIn, SignOut: s.sessions.SignOut, Fetch: auth.Guarded(s.Demo), Admit: s.admit(),
		TokenLife: s.Token, CodeLife: time.Minute, InteractionLife: time.Hour,
	})
	return err
}

func (s *server) joinPod(ctx context.Context) error {
	places, err := s.derive("status list places")
	if err != nil {
		return err
	}
	lists := auth.Guarded(s.Demo)
	s.foreign = auth.NewForeign(auth.Guarded(s.Demo), s.now)
	// Groups have a client of their own: documents that never come, which anybody
	// with a pod can name in an ACL, must not hold up who signs in from elsewhere.
	groups := auth.NewForeign(auth.Guarded(s.Demo), s.now)
	s.pod = &pod.Pod{
		Store: meteredStore{s.store, s.guard.m, s.guard.traces}, Blobs: s.blobs, Registry: s.register, Types: s.types, Sign: s.provider,
		Base: s.Base, Issuer: s.Base, Now: s.now, Rand: rand.Reader, Groups: groups, Channels: notify.ChannelTypes(),
		Dismissed: func(ctx context.Context, who acl.Agent) (bool, error) {
			return s.provider.Revoked(ctx, auth.Token{Agent: who})
		},
		MaxBytes: int64(s.Limit.Body), MaxRDF: int64(s.Limit.RDF), MaxJSONLD: int64(s.Limit.JSONLD), Turns: s.turns, Quota: int64(s.Limit.Quota),
		Statuses: &status.Lists{Key: places, Kept: keptLists{s.records}, Fetch: func(ctx context.Context, url, accept string) ([]byte, error) {
			doc, err := auth.Fetch(ctx, lists, url, accept)
			return doc.Body, err
		}},
	}
	if err := s.pod.RecallStatuses(ctx); err != nil {
		s.log.Warn("status lists of before the start", "error", err)
	}
	s.notices = notify.New(s.pod, auth.Guarded(s.Demo), s.log)
	return s.joinChannels()
}

// joinChannels joins what tells subscribers of changes.
func (s *server) joinChannels() error {
	key, err := dpop.NewKey()
	if err != nil {
		return err
	}
	s.notices.Calls = &notify.Caller{
		Pod: s.pod, Client: auth.Guarded(s.Demo), Proofs: key, Log: s.log, Parked: s.guard.m.parked.Inc,
		Token: func(ctx context.Context) (string, error) {
			return s.provider.AgentToken(ctx, acl.WebID(s.Base+notify.Sender), key.Thumbprint())
		},
	}
	s.hub = &notify.Hub{Pod: s.pod, Feed: s.engine, Log: s.log, Told: func(...string) { s.notices.Wake() }}
	s.guard.m.watchChannels(s.hub.Streams, s.notices.Calls.Busy)
	return nil
}

func (s *server) joinHandler(context.Context) error {
	pages, err := s.pages()
	if err != nil {
		return err
	}
	limits := ldp.Limits{Body: int64(s.Limit.Body), Patch: int64(s.Limit.Patch), Convert: int64(s.Limit.RDF)}
	resources := &ldp.Handler{Backend: s.pod, Identifier: identifier{s.verifier(), s.guard}, Base: s.Base, Apart: s.Apart, Context: vocab.Core(s.Base).LoadContext, Log: s.log, Now: s.now, Limits: limits, Turns: s.turns}
	shown := &ldp.Handler{Backend: s.pod, Identifier: resources.Identifier, Base: s.Base, Isolated: true, Context: vocab.Core(s.Base).LoadContext, Log: s.log, Now: s.now, Limits: limits, Turns: s.turns}
	s.answers = resources
	s.handler = s.guard.wrap(s.routes(pages, resources, shown), resources.Fail)
	return nil
}

// proofAge is how long a DPoP proof is good.
const proofAge = time.Minute

func (s *server) verifier() *auth.Verifier {
	return &auth.Verifier{
		Base: s.Base, Issuers: s.issuer, Cache: auth.NewCache(16 << 10), Now: s.now,
		Revoked: s.provider.Revoked, Proofs: s.proofs(), Before: s.guard.exhausted,
	}
}

// proofs checks what comes with a request for a resource.
func (s *server) proofs() *dpop.Checker {
	cluster := s.Postgres != ""
	used := &auth.Replay{Memory: dpop.NewMemory(1<<20, s.now), Records: s.records, Shared: cluster, MaxAge: proofAge, Now: s.now}
	c := &dpop.Checker{Now: s.now, MaxAge: proofAge, MaxSkew: auth.Skew, Seen: used, Known: new(dpop.Known)}
	if !cluster {
		c.NotBefore = s.now().Truncate(time.Second)
	}
	return c
}

// issuer believes our own provider about everybody, and others about those whose
// WebID names them.
func (s *server) issuer(ctx context.Context, name string, webID acl.WebID) (auth.Issuer, error) {
	if name == s.Base {
		return s.provider, nil
	}
	return s.foreign.Issuer(ctx, name, webID)
}

func (s *server) pages() (http.Handler, error) {
	site := web.Site{
		Pod: s.pod, Registry: s.register, Types: s.pod.Types, Sessions: s.sessions, Asks: asks{s}, Apps: apps{s.provider, s.pod, s.hub}, Accounts: accounts{s},
		Base: s.Base, Name: "Skrin", Contact: s.Contact, Privacy: s.Privacy, Accessibility: s.Accessibility, Idle: login.Idle, Zone: zone(), Now: s.now, Log: s.log,
	}
	var err error
	if site.Methods, err = s.methods(); err != nil {
		return nil, err
	}
	h, err := site.Handler()
	if err != nil {
		return nil, err
	}
	return s.sessions.Wrap(s.stepUp(h)), nil
}

// zone is that of the people here; UTC where the machine doesn't know it.
func zone() *time.Location {
	if z, err := time.LoadLocation("Europe/Stockholm"); err == nil {
		return z
	}
	return time.UTC
}

// Serve answers on l, and delivers notifications, until ctx is done. Then it
// answers what is under way, and last stores what that has counted.
func (s *server) Serve(ctx context.Context, l net.Listener) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	after, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	var wg sync.WaitGroup
	wg.Go(debug.FreeOSMemory) // the start leaves garbage, which nothing would sweep on an idle server
	wg.Go(func() { s.notices.Run(ctx) })
	wg.Go(func() { s.hub.Run(ctx) })
	wg.Go(func() { s.farewell(ctx) })
	wg.Go(func() { s.rotateSigning(ctx) })
	wg.Go(func() { s.follow(ctx) })
	wg.Go(func() { s.settle(after) })
	wg.Go(func() { s.relax(ctx) })
	wg.Go(func() { s.operate(after) })
	wg.Go(func() { s.jobs.run(ctx) })
	err := front{
		Limit: s.Limit, TLS: s.encrypt, Drain: s.Drain, Grace: s.Grace, Ending: func() { s.ready.draining.Store(true) },
		Conns: s.guard.memory.connState, Gave: s.guard.m.stalled.Inc, Full: s.guard.memory.crowded,
	}.serve(ctx, l, s.handler, s.log)
	stop()
	end()
	wg.Wait()
	return err
}

// signingAge is how old the keys become with which the server signs.
const signingAge = 90 * 24 * time.Hour

// rotateSigning makes new ones when they are old, on one node of all.
func (s *server) rotateSigning(ctx context.Context) {
	every := time.NewTicker(time.Hour)
	defer every.Stop()
	for {
		if err := s.provider.RotateOld(ctx, signingAge); err != nil && ctx.Err() == nil {
			s.log.Error("the signing keys were not rotated", "error", err)
		}
		select {
		case <-every.C:
		case <-ctx.Done():
			return
		}
	}
}

// settle stores what was counted, every minute and at the end.
func (s *server) settle(ctx context.Context) {
	every := time.NewTicker(time.Minute)
	defer every.Stop()
	for {
		select {
		case <-every.C:
		case <-ctx.Done():
		}
		if err := s.pod.Settle(context.WithoutCancel(ctx)); err != nil {
			s.log.Error("counts of reads were not stored", "error", err)
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// A breather tells when a busy time is over, by how many requests there have been.
type breather struct {
	last  uint64
	quiet bool // since the last time
}

// fewAMinute is of how many requests a minute is quiet: proxies ask every second or
// two whether all is well.
const fewAMinute = 600

// over reports whether, of requests that were so many until now and came within the
// last minute, it is the first time that there are few.
func (b *breather) over(asked uint64) bool {
	few := asked-b.last < fewAMinute
	begins := few && !b.quiet
	b.last, b.quiet = asked, few
	return begins
}

// relax gives back the memory that a busy time, or the start, has taken: the heap may
// grow far (see tune), and would stay so large.
func (s *server) relax(ctx context.Context) {
	every := time.NewTicker(time.Minute)
	defer every.Stop()
	for b := (breather{}); ; {
		select {
		case <-every.C:
		case <-ctx.Done():
			return
		}
		if b.over(s.guard.asked.Load()) {
			debug.FreeOSMemory()
		}
	}
}

// follow fetches the status lists that are due, at the start and every minute.
func (s *server) follow(ctx context.Context) {
	every := time.NewTicker(time.Minute)
	defer every.Stop()
	for {
		if err := s.pod.RefreshStatuses(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("status lists", "error", err)
		}
		select {
		case <-every.C:
		case <-ctx.Done():
			return
		}
	}
}

// Close closes what was opened, after Serve has returned.
func (s *server) Close() error {
	if s.chest == nil {
		return nil
	}
	return errors.Join(s.guard.traces.Close(), s.chest.Close())
}
