// SPDX-License-Identifier: EUPL-1.2

package web

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"skrin/ldp"
	"skrin/pod"
	"skrin/pod/registry"
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

func (v *visit) shares() ([]share, error) {
	all, err := v.Pod.Shares(v.r.Context(), v.who)
	if err != nil {
		return nil, fmt.Errorf("list shares: %w", err)
	}
	var shares []share
	for _, one := range all {
		shares = append(shares, v.share(one))
	}
	return shares, nil
}

func (v *visit) share(s pod.Share) share {
	c, t := s.Consent, s.Type
	if t == nil {
		t = &registry.EvidenceType{}
	}
	out := share{
		ID: c.ID, Party: v.text(s.Party.Name), Type: v.text(t.Title), Why: v.text(s.Use.Why), Fields: v.titles(t, c.Fields),
		Given: c.Given, Until: c.Until, Withdrawn: c.Withdrawn, Standing: c.Request.Standing,
		Reads: s.Reads, Last: s.Last, State: state(s), Contact: contact(s.Party.Contact),
		EraseBy: c.EraseBy, Erased: c.Erased, Late: len(pod.Overdue([]pod.Share{s}, v.Now())) > 0,
	}
	out.URL, out.Action, out.Ends = v.to("/me/sharing/"+c.ID), v.to("/me/sharing"), v.acts == nil || v.acts.Answers()
	if c.By != "" {
		out.By = v.helper(c.By)
	}
	if r, err := pod.ReadErasure(c.Receipt); err == nil {
		out.Retained = len(r.Retained) > 0
	}
	return out
}

// order is that of the states on the page.
var order = []string{active, withdrawn, ended}

func state(s pod.Share) string {
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
	all, err := v.Pod.Shares(v.r.Context(), v.who)
	if err != nil {
		return fmt.Errorf("list shares: %w", err)
	}
	slices.SortStableFunc(all, func(a, b pod.Share) int { return slices.Index(order, state(a)) - slices.Index(order, state(b)) })
	p, err := v.part(v.to("/me/sharing"), len(all), sharingPage)
	if err != nil {
		return err
	}
	readers, err := v.readers(all[p.from:p.to])
	if err != nil {
		return err
	}
	in := map[string][]share{}
	for _, s := range all[p.from:p.to] {
		one := v.share(s)
		one.Paused = slices.ContainsFunc(readers, func(r reader) bool { return r.ID == s.Party.ID && !r.Paused.IsZero() })
		in[one.State] = append(in[one.State], one)
	}
	var loans []lent
	if v.acts != nil {
		readers = nil // to pause is the person's own
	} else if p.Newer == "" {
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

// readers returns the parties of shares that hold.
func (v *visit) readers(shares []pod.Share) ([]reader, error) {
	spaces, err := v.Pod.Counterparts(v.r.Context(), v.who)
	if err != nil {
		return nil, fmt.Errorf("list counterparts: %w", err)
	}
	var all []reader
	for _, c := range spaces {
		if slices.ContainsFunc(shares, func(s pod.Share) bool { return s.Active && s.Party.ID == c.Party.ID }) {
			all = append(all, reader{c.Party.ID, v.text(c.Party.Name), c.Space.Frozen})
		}
	}
	return all, nil
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
func (v *visit) agreed() (pod.Share, error) {
	all, err := v.Pod.Shares(v.r.Context(), v.who)
	if err != nil {
		return pod.Share{}, fmt.Errorf("list shares: %w", err)
	}
	i := slices.IndexFunc(all, func(s pod.Share) bool { return s.Consent.ID == mux.Vars(v.r)["id"] })
	if i < 0 {
		return pod.Share{}, ldp.NotFound
	}
	return all[i], nil
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
	if r, err := pod.ReadErasure(s.Consent.Receipt); err == nil {
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
	return v.download(pod.TypeReceipt, name, func(w io.Writer) error { _, err := io.WriteString(w, text); return err })
}

// A connection is a party that may deliver.
type connection struct {
	ID          string
	Party, Home string
	Number      string
	Titles      []string
	Since       time.Time
}

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
	return v.show(200, "connections", v.t("nav.connections"), "nav.connections", out)
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
