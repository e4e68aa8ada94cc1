// SPDX-License-Identifier: EUPL-1.2

package web

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"skrin/ldp"
	"skrin/pod/consent"
	"skrin/pod/registry"
	"skrin/pod/vouch"
)

// A share is what was agreed to.
type share struct {
	ID, Party, Type, Why string
	Fields               []string
	Given, Until         time.Time
	Withdrawn            time.Time
	Standing             bool
	Reads                int
	Last                 time.Time
	State                string
	Paused               bool
	Contact              string    // where to ask the party to erase
	EraseBy, Erased      time.Time // what came of that
	Late                 bool
	Retained             bool // it says that it must keep something
	URL, Action          string
	By                   string // who agreed in the person's name; "" for herself
	Ends                 bool   // who looks may end it
}

// The states of a share.
const (
	active    = "active"
	ended     = "ended"
	withdrawn = "withdrawn"
)

func (v *visit) share(s consent.Share) share {
	c, t := s.Consent, s.Type
	if t == nil {
		t = &registry.EvidenceType{}
	}
	out := share{
		ID: c.ID, Party: v.text(s.Party.Name), Type: v.text(t.Title), Why: v.text(s.Use.Why), Fields: v.titles(t, c.Fields),
		Given: c.Given, Until: c.Until, Withdrawn: c.Withdrawn, Standing: c.Request.Standing,
		Reads: s.Reads, Last: s.Last, State: state(s), Contact: contact(s.Party.Contact),
		EraseBy: c.EraseBy, Erased: c.Erased, Paused: !s.Paused.IsZero(), Late: len(consent.Overdue([]consent.Share{s}, v.Now())) > 0,
	}
	out.URL, out.Action, out.Ends = v.to("/me/sharing/"+c.ID), v.to("/me/sharing"), v.acts == nil || v.acts.Answers()
	if c.By != "" {
		out.By = v.helper(c.By)
	}
	if r, err := consent.ReadErasure(c.Receipt); err == nil {
		out.Retained = len(r.Retained) > 0
	}
	return out
}

func state(s consent.Share) string {
	switch {
	case !s.Consent.Withdrawn.IsZero():
		return withdrawn
	case s.Active:
		return active
	}
	return ended
}

// contact returns s if it is a web address or an address of e-mail, else "".
func contact(s string) string {
	if rest, ok := strings.CutPrefix(s, "mailto:"); ok && strings.Count(rest, "@") == 1 && !strings.ContainsAny(rest, " ?&%<>\"'\\") {
		return s
	}
	return webAddress(s)
}

// contactName is how a contact is written.
func contactName(s string) string {
	if rest, ok := strings.CutPrefix(s, "mailto:"); ok {
		return rest
	}
	return host(s)
}

// A reader is a party that can be paused.
type reader struct {
	ID, Name string
	Paused   time.Time
}

// sharingPage is how many shares are on a page.
const sharingPage = 12

func (v *visit) sharing() error {
	after := v.r.URL.Query().Get("after")
	all, more, err := v.Pod.SharesAfter(v.r.Context(), v.who, after, sharingPage)
	if err != nil {
		return fmt.Errorf("list shares: %w", err)
	}
	p := part{}
	if after != "" {
		p.Newer = v.to("/me/sharing")
	}
	if more != "" {
		p.Older = v.to("/me/sharing?" + url.Values{"after": {more}}.Encode())
	}
	readers := v.readers(all)
	in := map[string][]share{}
	for _, s := range all {
		one := v.share(s)
		in[one.State] = append(in[one.State], one)
	}
	var loans []lent
	if v.acts != nil {
		readers = nil // to pause is the person's own
	} else if after == "" {
		if loans, err = v.loans(); err != nil {
			return err
		}
	}
	made := func(l lent) bool { return l.Made }
	running := func(r reader) bool { return r.Paused.IsZero() }
	return v.show(200, "sharing", v.t("nav.sharing"), "nav.sharing", struct {
		Active, Ended, Withdrawn []share
		Readers                  []reader
		All                      bool // there are several to pause at once
		Lent, Made               []lent
		part
	}{
		in[active], in[ended], in[withdrawn], readers, len(readers) > 1 && slices.ContainsFunc(readers, running),
		slices.DeleteFunc(slices.Clone(loans), made), slices.DeleteFunc(loans, func(l lent) bool { return !l.Made }), p,
	})
}

// readers returns the parties of shares that hold, by name.
func (v *visit) readers(shares []consent.Share) (all []reader) {
	for _, s := range shares {
		if s.Active && !slices.ContainsFunc(all, func(r reader) bool { return r.ID == s.Party.ID }) {
			all = append(all, reader{s.Party.ID, v.text(s.Party.Name), s.Paused})
		}
	}
	order := alphabetical(v.lang)
	slices.SortFunc(all, func(a, b reader) int { return order(a.Name, b.Name) })
	return all
}

// changeSharing withdraws, pauses, or ends a pause.
func (v *visit) changeSharing() error {
	form, ctx := v.r.PostForm, v.r.Context()
	var err error
	var done string
	switch {
	case form.Has("withdraw"):
		done, err = "withdrawn", v.Pod.Withdraw(ctx, v.who, form.Get("withdraw"))
	case form.Has("pause"): // "" for all
		done, err = "paused", v.Pod.Freeze(ctx, v.who, form.Get("pause"))
	case form.Get("resume") != "":
		done, err = "resumed", v.Pod.Thaw(ctx, v.who, form.Get("resume"))
	default:
		err = ldp.Invalid
	}
	if err != nil {
		return fmt.Errorf("change what is shared: %w", err)
	}
	return v.seeOther(v.to("/me/sharing?done=" + done))
}

// agreed finds the consent that the address names.
func (v *visit) agreed() (consent.Share, error) {
	s, err := v.Pod.Share(v.r.Context(), v.who, mux.Vars(v.r)["id"])
	if err != nil {
		return s, fmt.Errorf("find a consent: %w", err)
	}
	return s, nil
}

// receipt shows what was agreed, to be kept or printed.
func (v *visit) receipt() error {
	s, err := v.agreed()
	if err != nil {
		return err
	}
	page := struct {
		share
		Party           registry.Party
		Name, From      string
		Basis           string
		Method, Under   string // of the erasure, in the party's words
		Kept            []string
		Erasure, Signed bool
	}{share: v.share(s), Party: s.Party, Name: v.text(s.Party.Name), From: v.party(s.Consent.Issuer), Basis: v.basis(s.Use.Basis), Signed: s.Consent.Record != ""}
	if r, err := consent.ReadErasure(s.Consent.Receipt); err == nil {
		page.Erasure, page.Method, page.Under = true, plain(r.Method), plain(r.Under)
		for _, concept := range r.Retained {
			page.Kept = append(page.Kept, v.concept(s.Type, concept))
		}
	}
	return v.show(http.StatusOK, "receipt", v.t("receipt.title"), "nav.sharing", page)
}

// concept returns what a concept is called among the fields of a type.
func (v *visit) concept(t *registry.EvidenceType, iri string) string {
	if t != nil {
		for _, f := range t.Fields {
			if f.Concept == iri {
				return v.text(f.Title)
			}
		}
	}
	return plain(iri)
}

// saveReceipt sends the signed record of a consent, or what the party signed when
// it had erased.
func (v *visit) saveReceipt() error {
	s, err := v.agreed()
	if err != nil {
		return err
	}
	text, name := s.Consent.Record, "skrin-receipt.jwt"
	if v.r.URL.Query().Has("erased") {
		text, name = s.Consent.Receipt, "skrin-erasure.jwt"
	}
	if text == "" {
		return ldp.NotFound
	}
	return v.download(vouch.MediaType, name, func(w io.Writer) error { _, err := io.WriteString(w, text); return err })
}

// A connection is a party that may deliver.
type connection struct {
	ID          string
	Party, Home string
	Number      string
	Titles      []string
	Since       time.Time
}

// connectionsPage is how many connections are on a page.
const connectionsPage = 20

func (v *visit) connections() error {
	all, err := v.Pod.Connections(v.r.Context(), v.who)
	if err != nil {
		return fmt.Errorf("list connections: %w", err)
	}
	var out []connection
	for _, c := range all {
		if !c.Space.Ended.IsZero() || len(c.Space.Types) == 0 {
			continue
		}
		one := connection{ID: c.Party.ID, Party: v.text(c.Party.Name), Home: webAddress(c.Party.Home), Number: c.Party.Number, Since: c.Space.Created}
		for _, id := range c.Space.Types {
			if t, ok := v.Types.Type(id); ok {
				one.Titles = append(one.Titles, v.text(t.Title))
			}
		}
		out = append(out, one)
	}
	order := alphabetical(v.lang)
	slices.SortFunc(out, func(a, b connection) int { return order(a.Party, b.Party) })
	p, err := v.part(v.to("/me/connections"), len(out), connectionsPage)
	if err != nil {
		return err
	}
	return v.show(200, "connections", v.t("nav.connections"), "nav.connections", struct {
		All []connection
		part
	}{out[p.from:p.to], p})
}

// disconnect lets a party deliver no more.
func (v *visit) disconnect() error {
	party := v.r.PostForm.Get("party")
	if party == "" {
		return ldp.Invalid // which would be all of them
	}
	if err := v.Pod.Disconnect(v.r.Context(), v.who, party); err != nil {
		return fmt.Errorf("disconnect: %w", err)
	}
	return v.seeOther("/me/connections?done=disconnected")
}
