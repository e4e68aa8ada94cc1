// SPDX-License-Identifier: EUPL-1.2

// Package parties keeps who is registered with a server.
//
// Registrations come from files, read at the start, and from the records, which
// all nodes share and an operator changes while they serve. What the records say
// of an id goes before the files, so that also a party of a file can be revoked.
//
// A node answers from a copy in memory, which it compares with the records every
// half a second: one read, whatever the number of parties and requests. So what
// changed on another node holds here within a second, and here at once: a copy
// tells of no time before it was begun, is never made while another is, and a
// change of this node's waits for one that is being made before it strikes the
// copy out. While the records can't be reached, nobody is known to be registered:
// an error, and no old copy.
package parties

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"skrin/auth"
	"skrin/ldp"
	"skrin/pod/registry"
)

const (
	kindParty   = "party"   // by id: an entry
	kindVersion = "parties" // "version": a number, another after each change
	versionKey  = "version"

	fresh = 500 * time.Millisecond // how old the copy may be
	stale = 900 * time.Millisecond // how old, while somebody else compares it
	whole = time.Minute            // how old, before all of it is read whatever the version

	// MaxSize is how large a registration may be, in bytes.
	MaxSize = 60 << 10
	most    = 5000 // registrations in the records
)

// Options are what a Register needs. All are required.
type Options struct {
	Records auth.Records
	Fixed   *registry.Parties   // those of files
	Types   *registry.Catalogue // the evidence that there is
	Base    string              // "https://host" of the server
	// Reserved says that an id is somebody else's, who isn't a party.
	Reserved func(id string) bool
	Fetch    *http.Client // gets the keys that parties publish: auth.Guarded
	Now      func() time.Time
}

// A Register is the pod.Registry of a server. It is safe for concurrent use.
type Register struct {
	Options
	published *published
	copy      atomic.Pointer[snapshot] // nil for none that is good
	reading   sync.Mutex               // held by whoever stores in copy
}

// New makes a Register.
func New(o Options) (*Register, error) {
	if o.Records == nil || o.Fixed == nil || o.Types == nil || o.Base == "" || o.Reserved == nil || o.Fetch == nil || o.Now == nil {
		return nil, errors.New("register of parties: an option is missing")
	}
	return &Register{Options: o, published: newPublished(o.Fetch, o.Now)}, nil
}

// An entry is what the records hold of one id.
type entry struct {
	File    json.RawMessage `json:"file,omitempty"` // the registration; none if a file's was revoked
	Revoked time.Time       `json:"revoked,omitzero"`
	By      string          `json:"by"` // the operator who changed it last; "" for the command line
	At      time.Time       `json:"at"`

	party   registry.Party // if it could be read
	good    bool
	version uint64
}

// A snapshot is the records as they were. Nothing in it changes.
type snapshot struct {
	version uint64
	entries map[string]entry
	checked time.Time // when it was last compared
	read    time.Time // when all of it was read
}

// Party implements pod.Registry.
func (r *Register) Party(ctx context.Context, id string) (registry.Party, error) {
	s, err := r.snapshot(ctx)
	if err != nil {
		return registry.Party{}, err
	}
	return r.party(ctx, s, id)
}

func (r *Register) party(ctx context.Context, s *snapshot, id string) (registry.Party, error) {
	e, ok := s.entries[id]
	if !ok {
		p, err := r.Fixed.Party(ctx, id)
		return r.complete(p), err
	}
	if !e.good || !e.Revoked.IsZero() || !r.Now().Before(e.party.Until) {
		return registry.Party{}, registry.ErrNoParty
	}
	return r.complete(e.party), nil
}

// complete lets a party's keys be found where it publishes them.
func (r *Register) complete(p registry.Party) registry.Party {
	if p.KeysAt != "" {
		p.Published = r.published.of(p.KeysAt)
	}
	return p
}

// Issuers implements pod.Registry, in the order of the ids.
func (r *Register) Issuers(ctx context.Context, evidenceType string) ([]string, error) {
	all, err := r.All(ctx)
	var ids []string
	for _, p := range all {
		if slices.Contains(p.MayIssue, evidenceType) {
			ids = append(ids, p.ID)
		}
	}
	return ids, err
}

// All returns the parties that are registered now, in the order of their ids.
func (r *Register) All(ctx context.Context) ([]registry.Party, error) {
	s, err := r.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	all := slices.DeleteFunc(r.Fixed.All(), func(p registry.Party) bool { _, ok := s.entries[p.ID]; return ok })
	for id := range s.entries {
		if p, err := r.party(ctx, s, id); err == nil {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b registry.Party) int { return strings.Compare(a.ID, b.ID) })
	return all, nil
}

// snapshot returns the copy, compared with the records if it is older than fresh.
func (r *Register) snapshot(ctx context.Context) (*snapshot, error) {
	s := r.copy.Load()
	if s != nil && r.Now().Sub(s.checked) < fresh {
		return s, nil
	}
	if s == nil || r.Now().Sub(s.checked) >= stale {
		r.reading.Lock()
	} else if !r.reading.TryLock() {
		return s, nil
	}
	defer r.reading.Unlock()
	s = r.copy.Load()
	now := r.Now()
	if s != nil && now.Sub(s.checked) < fresh { // somebody else was faster
		return s, nil
	}
	version, err := r.version(ctx)
	if err != nil {
		return nil, err
	}
	if s != nil && s.version == version && now.Sub(s.read) < whole {
		again := *s
		again.checked = now
		r.copy.Store(&again)
		return &again, nil
	}
	// The version is that of before: what changes meanwhile is read again.
	s = &snapshot{version: version, checked: now, read: now}
	if s.entries, err = r.entries(ctx); err != nil {
		return nil, err
	}
	r.copy.Store(s)
	return s, nil
}

// version returns the number of the last change.
func (r *Register) version(ctx context.Context) (uint64, error) {
	rec, err := r.Records.Load(ctx, kindVersion, versionKey)
	if err != nil && !errors.Is(err, auth.ErrNoRecord) {
		return 0, fmt.Errorf("read the register: %w", unreachable(err))
	}
	return rec.Version, nil
}

// unreachable classes a failure of the records: 503, as a rule.
func unreachable(err error) error {
	if kind := ldp.KindOf(err); kind != ldp.Internal {
		return err
	}
	return fmt.Errorf("%w: %w", ldp.Unavailable, err)
}

func (r *Register) entries(ctx context.Context) (map[string]entry, error) {
	const page = 500
	all := map[string]entry{}
	for after := ""; ; {
		ids, err := r.Records.List(ctx, kindParty, "", after, page)
		if err != nil {
			return nil, fmt.Errorf("read the register: %w", unreachable(err))
		}
		for _, id := range ids {
			e, err := r.entry(ctx, id)
			if err != nil {
				return nil, err
			}
			all[id], after = e, id
		}
		if len(ids) < page {
			return all, nil
		}
	}
}

// entry reads what the records hold of an id. What can't be understood is kept as
// an entry of nobody: what a file says doesn't hold then either.
func (r *Register) entry(ctx context.Context, id string) (entry, error) {
	rec, err := r.Records.Load(ctx, kindParty, id)
	if errors.Is(err, auth.ErrNoRecord) {
		return entry{}, nil
	}
	if err != nil {
		return entry{}, fmt.Errorf("read a registration: %w", unreachable(err))
	}
	e := entry{version: rec.Version}
	if json.Unmarshal(rec.Value, &e) != nil || e.File == nil {
		return e, nil
	}
	e.party, err = registry.ReadParty(e.File, r.Base)
	e.good = err == nil && e.party.ID == id && e.party.Check() == nil
	return e, nil
}

// save keeps an entry, and tells all nodes. If it fails, perhaps between the two,
// the operator does it again, and all are told then.
func (r *Register) save(ctx context.Context, id string, e entry) error {
	e.At = r.Now().UTC().Truncate(time.Second)
	value, err := json.Marshal(e)
	if err != nil {
		return err
	}
	err = r.Records.Save(ctx, kindParty, id, auth.Record{Value: value, Version: e.version})
	if errors.Is(err, auth.ErrChanged) {
		return ldp.Refuse(ldp.Conflict, "Somebody else has changed this registration at the same time. Look at it again.")
	}
	if err != nil {
		return fmt.Errorf("keep a registration: %w", unreachable(err))
	}
	return r.tell(ctx)
}

// tell lets all nodes, and this one, read anew what the records hold.
func (r *Register) tell(ctx context.Context) error {
	defer r.forget()
	for range 100 { // others change other parties
		version, err := r.version(ctx)
		if err != nil {
			return err
		}
		err = r.Records.Save(ctx, kindVersion, versionKey, auth.Record{Value: []byte(strconv.FormatUint(version+1, 10)), Version: version})
		if err == nil {
			return nil
		}
		if !errors.Is(err, auth.ErrChanged) {
			return fmt.Errorf("tell of a registration: %w", unreachable(err))
		}
	}
	return fmt.Errorf("tell of a registration: %w", unreachable(auth.ErrChanged))
}

// forget strikes out the copy, and one that is being made.
func (r *Register) forget() {
	r.reading.Lock()
	defer r.reading.Unlock()
	r.copy.Store(nil)
}

// A State is how a registration stands.
type State string

// The states.
const (
	Active  State = "active"
	Ended   State = "ended"
	Revoked State = "revoked"
)

// A Listing is a registration as an operator sees it.
type Listing struct {
	ID      string              `json:"id"`
	State   State               `json:"state"`
	Fixed   bool                `json:"fixed,omitempty"` // it comes from a file
	By      string              `json:"by,omitempty"`    // the operator who changed it last
	At      time.Time           `json:"at,omitzero"`     // when
	File    *registry.PartyFile `json:"registration,omitempty"`
	version uint64
}

// List returns all registrations, also those that have ended or were revoked,
// without what they say.
func (r *Register) List(ctx context.Context) ([]Listing, error) {
	s, err := r.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	ids := slices.Collect(maps.Keys(s.entries))
	for _, p := range r.Fixed.Every() {
		if _, ok := s.entries[p.ID]; !ok {
			ids = append(ids, p.ID)
		}
	}
	slices.Sort(ids)
	all := []Listing{}
	for _, id := range ids {
		l, _ := r.listing(id, s.entries[id])
		l.File = nil
		all = append(all, l)
	}
	return all, nil
}

// Show returns one registration, whatever its state: ldp.NotFound if there is none.
func (r *Register) Show(ctx context.Context, id string) (Listing, error) {
	e, err := r.entry(ctx, id)
	if err != nil {
		return Listing{}, err
	}
	l, ok := r.listing(id, e)
	if !ok {
		return Listing{}, ldp.Refuse(ldp.NotFound, "No party is registered with this id.")
	}
	return l, nil
}

// listing tells of an entry, or of what a file says where there is none.
func (r *Register) listing(id string, e entry) (Listing, bool) {
	l := Listing{ID: id, By: e.By, At: e.At, State: Active, version: e.version}
	p, known := e.party, e.good
	if !known {
		fixed := r.Fixed.Every()
		i := slices.IndexFunc(fixed, func(p registry.Party) bool { return p.ID == id })
		if known = i >= 0; known {
			p, l.Fixed = fixed[i], true
		}
	}
	if known {
		file := p.File()
		l.File = &file
	}
	switch {
	case !e.Revoked.IsZero() || e.version != 0 && !e.good:
		l.State = Revoked
	case known && !r.Now().Before(p.Until):
		l.State = Ended
	}
	return l, known || e.version != 0
}
