// SPDX-License-Identifier: EUPL-1.2

package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/acl"
)

// Parties is a Registry in memory. It is safe for concurrent use: a party that
// is added or removed is so for the next request.
type Parties struct {
	now  func() time.Time
	mu   sync.RWMutex
	byID map[string]Party
}

// NewParties returns an empty registry.
func NewParties(now func() time.Time) *Parties {
	return &Parties{now: now, byID: map[string]Party{}}
}

var partyID = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)

// Add registers a party, or replaces its registration.
func (r *Parties) Add(p Party) error {
	if err := p.Check(); err != nil {
		return fmt.Errorf("party %q: %w", p.ID, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, other := range r.byID {
		if other.ID != p.ID && other.WebID == p.WebID {
			return fmt.Errorf("party %q: its WebID is that of %q", p.ID, other.ID)
		}
	}
	r.byID[p.ID] = p
	return nil
}

// Check returns what is wrong with a registration: an error that says what to
// mend.
func (p *Party) Check() error {
	switch {
	case !partyID.MatchString(p.ID):
		return fmt.Errorf("the id must be of a-z, 0-9 and -, at most 64")
	case p.Name.In("en") == "":
		return fmt.Errorf("it has no name")
	case p.WebID == "":
		return fmt.Errorf("it has no WebID")
	case len(p.Keys.Keys) == 0 && p.KeysAt == "":
		return fmt.Errorf("it has no keys")
	case len(p.Keys.Keys) > 0 && p.KeysAt != "":
		return fmt.Errorf("its keys are either in jwks or at jwks_uri, and not both")
	case p.Until.IsZero():
		return fmt.Errorf("its registration has no end")
	case len(p.MayIssue) > 0 && p.Issuer == "":
		return fmt.Errorf("it may issue evidence, but has no issuer")
	}
	for _, k := range p.Keys.Keys {
		if !k.Valid() || !k.IsPublic() || k.KeyID == "" {
			return fmt.Errorf("its keys must be public, valid and have a kid")
		}
	}
	for _, u := range p.Uses {
		if u.ID == "" || u.Purpose == "" || u.Why.In("en") == "" || u.Basis == "" || u.Type == "" || len(u.Fields) == 0 || u.Days < 1 {
			return fmt.Errorf("use %q: id, purpose, why, basis, type, fields and days are all needed", u.ID)
		}
		if slices.ContainsFunc(u.Needs, func(f string) bool { return !slices.Contains(u.Fields, f) }) {
			return fmt.Errorf("use %q: needs must be among its fields", u.ID)
		}
	}
	return p.checkURLs()
}

// checkURLs refuses addresses to which nothing may be sent: without TLS, but on a
// server that has none itself, which is the demo.
func (p *Party) checkURLs() error {
	plain := strings.HasPrefix(string(p.WebID), "http://")
	check := func(what, address string) error {
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.Scheme != "https" && (u.Scheme != "http" || !plain) {
			return fmt.Errorf("%s: want a URL that begins with https://, without a user or a fragment", what)
		}
		return nil
	}
	for _, address := range p.Redirects {
		if err := check("redirects", address); err != nil {
			return err
		}
	}
	for what, address := range map[string]string{"notify": p.Notify, "jwks_uri": p.KeysAt, "status_lists": p.StatusLists} {
		if address == "" {
			continue
		}
		if err := check(what, address); err != nil {
			return err
		}
	}
	return nil
}

// Remove strikes a party off: it is refused from the next request on.
func (r *Parties) Remove(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.byID, id)
}

// All returns the parties that are registered now, in the order of their ids.
func (r *Parties) All() []Party {
	return slices.DeleteFunc(r.Every(), func(p Party) bool { return !r.now().Before(p.Until) })
}

// Every is All, and those whose registration has ended.
func (r *Parties) Every() []Party {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var all []Party
	for _, p := range r.byID {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b Party) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// Party implements Registry.
func (r *Parties) Party(_ context.Context, id string) (Party, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	p, ok := r.byID[id]
	if !ok || !r.now().Before(p.Until) {
		return Party{}, ErrNoParty
	}
	return p, nil
}

// Issuers implements Registry, in the order of the ids.
func (r *Parties) Issuers(_ context.Context, evidenceType string) ([]string, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var ids []string
	for id, p := range r.byID {
		if slices.Contains(p.MayIssue, evidenceType) && r.now().Before(p.Until) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// A PartyFile is a registration as it is written in a file.
type PartyFile struct {
	ID          string             `json:"id"`
	Name        Text               `json:"name"`
	Number      string             `json:"number,omitempty"`
	Home        string             `json:"home,omitempty"`
	Initiate    string             `json:"initiate_login_uri,omitempty"`
	Privacy     string             `json:"privacy,omitempty"`
	Contact     string             `json:"contact,omitempty"`
	Authority   string             `json:"authority,omitempty"`
	Keys        jose.JSONWebKeySet `json:"jwks,omitzero"`
	KeysAt      string             `json:"jwks_uri,omitempty"` // instead of jwks
	Issuer      string             `json:"issuer,omitempty"`
	Redirects   []string           `json:"redirects,omitempty"`
	Notify      string             `json:"notify,omitempty"`
	StatusLists string             `json:"status_lists,omitempty"`
	MayIssue    []string           `json:"may_issue,omitempty"`
	Uses        []UseFile          `json:"uses,omitempty"`
	Identity    bool               `json:"identity,omitempty"`
	Renumbers   []Renumbering      `json:"renumbers,omitempty"`
	Until       string             `json:"until"` // last day, "2027-12-31"
}

// A UseFile is a Use as it is written in a file.
type UseFile struct {
	ID      string   `json:"id"`
	Purpose string   `json:"purpose"`
	Why     Text     `json:"why"`
	Basis   string   `json:"basis"`
	Type    string   `json:"type"`
	Fields  []string `json:"fields"`
	Days    int      `json:"days"`
	Needs   []string `json:"needs,omitempty"`
	Once    bool     `json:"once,omitempty"`
}

// ReadParty reads a registration. base is the server's, of which the party's own
// WebID is a part.
func ReadParty(b []byte, base string) (Party, error) {
	var f PartyFile
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return Party{}, err
	}
	until, err := time.Parse(time.DateOnly, f.Until)
	if err != nil {
		return Party{}, fmt.Errorf("until: a day like 2027-12-31 is needed")
	}
	p := Party{
		ID: f.ID, WebID: acl.WebID(base + "/.parties/" + f.ID + "#org"), Name: f.Name, Number: f.Number, Home: f.Home, Initiate: f.Initiate,
		Privacy: f.Privacy, Contact: f.Contact, Authority: f.Authority, Keys: f.Keys, KeysAt: f.KeysAt, Issuer: f.Issuer,
		Redirects: f.Redirects, Notify: f.Notify, StatusLists: f.StatusLists, MayIssue: f.MayIssue, Identity: f.Identity, Renumbers: f.Renumbers, Until: until.AddDate(0, 0, 1),
	}
	for _, u := range f.Uses {
		p.Uses = append(p.Uses, Use(u))
	}
	return p, nil
}

// File returns the registration as it is written in a file.
func (p *Party) File() PartyFile {
	f := PartyFile{
		ID: p.ID, Name: p.Name, Number: p.Number, Home: p.Home, Initiate: p.Initiate, Privacy: p.Privacy, Contact: p.Contact, Authority: p.Authority,
		Keys: p.Keys, KeysAt: p.KeysAt, Issuer: p.Issuer, Redirects: p.Redirects, Notify: p.Notify, StatusLists: p.StatusLists,
		MayIssue: p.MayIssue, Identity: p.Identity, Renumbers: p.Renumbers, Until: p.Until.AddDate(0, 0, -1).UTC().Format(time.DateOnly),
	}
	for _, u := range p.Uses {
		f.Uses = append(f.Uses, UseFile(u))
	}
	return f
}

// LoadParties reads every .json file of a folder into a registry; edit, if not
// nil, may change each before it is added.
func LoadParties(fsys fs.FS, dir, base string, into *Parties, edit func([]byte) []byte) error {
	names, err := fs.Glob(fsys, path.Join(dir, "*.json"))
	if err != nil {
		return err
	}
	for _, name := range names {
		b, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		if edit != nil {
			b = edit(b)
		}
		p, err := ReadParty(b, base)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := into.Add(p); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
