// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"skrin/pod"
	"skrin/pod/registry"
	"skrin/pod/store"
)

// A ropa is a record of processing activities (GDPR, article 30), as far as this
// server knows: who is registered, for what, and how many people each concerns. It
// names no person, and no number in it is so small that it could stand for one.
type ropa struct {
	Made       string     `json:"made"` // the day
	Server     string     `json:"server"`
	Contact    string     `json:"contact,omitempty"` // of whoever runs it
	People     crowded    `json:"people"`
	Activities []activity `json:"activities"`
	Storage    []string   `json:"storage"`  // what is kept besides, and for how long (30.1 f)
	Measures   []string   `json:"measures"` // of security (30.1 g)
}

// An activity is one purpose of one party.
type activity struct {
	Party     string   `json:"party"`
	Name      string   `json:"name"`
	Number    string   `json:"number,omitempty"`
	Contact   string   `json:"contact,omitempty"`
	Privacy   string   `json:"privacy,omitempty"`
	Authority string   `json:"authority,omitempty"`
	Role      string   `json:"role"` // "provider" or "recipient"
	Purpose   string   `json:"purpose"`
	Why       string   `json:"why,omitempty"`
	Basis     string   `json:"basis"`
	Type      string   `json:"type"` // of evidence
	Fields    []string `json:"fields"`
	Days      int      `json:"days,omitempty"`      // that a permission lasts at most
	Identity  bool     `json:"national_identifier"` // it is told the person's national number
	Until     string   `json:"registered_until"`
	People    crowded  `json:"people"`
}

// A crowded number of people is told in whole tens, rounded down; what is under
// ten, and none too, is "under 10".
type crowded int

// String implements fmt.Stringer.
func (n crowded) String() string {
	if n < 10 {
		return "under 10"
	}
	return fmt.Sprintf("%d or more", n/10*10)
}

// MarshalText implements encoding.TextMarshaler.
func (n crowded) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler: of what was told.
func (n *crowded) UnmarshalText(text []byte) error {
	*n = 0
	if string(text) == "under 10" {
		return nil
	}
	_, err := fmt.Sscanf(string(text), "%d or more", (*int)(n))
	return err
}

// record makes the record of now.
func (s *server) record(ctx context.Context, e errand) (*ropa, error) {
	all, err := s.register.All(ctx)
	if err != nil {
		return nil, err
	}
	people, deals, err := s.deals(ctx, e)
	if err != nil {
		return nil, err
	}
	r := &ropa{
		Made: s.now().UTC().Format(time.DateOnly), Server: s.Base, Contact: s.Contact, People: crowded(people), Activities: []activity{},
		Storage: []string{
			"what a person keeps here: until she deletes it, or erases her pod, which destroys its key",
			"evidence: until it expires or the person deletes it",
			"the log of a pod: as long as the pod, since it is the person's own proof of who read what",
			"identities by which people sign in: encrypted and apart, until the pod is erased",
			"backups: what was erased can't be read from them once the keys' newest copy has replaced the older ones",
		},
		Measures: []string{
			"encryption at rest with a key per pod, TLS, tokens bound to keys (RFC 9449)",
			"a pairwise name and addresses for each party, so that parties can't match people",
			"decision, log entry and notification in one transaction; the log is chained and signed",
			"limits for each party on what it reads, with a report to the operator",
		},
	}
	for _, p := range all {
		r.Activities = append(r.Activities, s.activities(p, deals)...)
	}
	return r, nil
}

// deals counts the people, and those whom each deal concerns.
func (s *server) deals(ctx context.Context, e errand) (people int, n map[pod.Deal]int, err error) {
	n = map[pod.Deal]int{}
	err = s.eachPod(ctx, e, func(id string) error {
		found, err := s.pod.Deals(ctx, id)
		if errors.Is(err, store.ErrNoPod) || errors.Is(err, store.ErrNoKey) {
			return nil // erased
		}
		if err != nil {
			return err
		}
		people++
		for d := range found {
			n[d]++
		}
		return nil
	})
	return people, n, err
}

// activities are those of one party.
func (s *server) activities(p registry.Party, deals map[pod.Deal]int) (all []activity) {
	of := activity{
		Party: p.ID, Name: p.Name.In("en"), Number: p.Number, Contact: p.Contact, Privacy: p.Privacy, Authority: p.Authority,
		Identity: p.Identity, Until: p.Until.AddDate(0, 0, -1).UTC().Format(time.DateOnly),
	}
	for _, id := range p.MayIssue {
		a := of
		a.Role, a.Purpose, a.Basis, a.Type = "provider", "deliver evidence to the person", "the person's own wish, at each connection", id
		if t, ok := s.types.Type(id); ok {
			for _, f := range t.Fields {
				a.Fields = append(a.Fields, f.Name)
			}
		}
		a.People = crowded(deals[pod.Deal{Party: p.ID, Type: id}])
		all = append(all, a)
	}
	for _, u := range p.Uses {
		a := of
		a.Role, a.Purpose, a.Why, a.Basis, a.Type, a.Fields, a.Days = "recipient", u.Purpose, u.Why.In("en"), u.Basis, u.Type, slices.Clone(u.Fields), u.Days
		a.People = crowded(deals[pod.Deal{Party: p.ID, Use: u.ID}])
		all = append(all, a)
	}
	return all
}

// write writes the record as Markdown.
func (r *ropa) write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Record of processing activities\n\n%s, as of %s. GDPR, article 30. Numbers of people are in whole tens.\n\n", r.Server, r.Made)
	fmt.Fprintf(&b, "* Contact: %s\n* People who keep data here: %s\n\n", cell(r.Contact), r.People)
	b.WriteString("| party | role | purpose | legal basis | categories of data | people | permission lasts |\n|---|---|---|---|---|---|---|\n")
	for _, a := range r.Activities {
		lasts := ""
		if a.Days > 0 {
			lasts = fmt.Sprintf("at most %d days, or until withdrawn", a.Days)
		}
		number := ""
		if a.Identity {
			number = "; national identifier, told at connection"
		}
		why := a.Purpose
		if a.Why != "" {
			why = a.Why + " (" + a.Purpose + ")"
		}
		fmt.Fprintf(&b, "| %s, %s, %s | %s | %s | %s | %s: %s%s | %s | %s |\n", cell(a.Name), cell(a.Number), cell(a.Contact), a.Role, cell(why),
			cell(a.Basis), cell(a.Type), cell(strings.Join(a.Fields, ", ")), number, a.People, lasts)
	}
	for _, list := range []struct {
		title string
		items []string
	}{{"How long it is kept", r.Storage}, {"Measures", r.Measures}} {
		fmt.Fprintf(&b, "\n## %s\n\n", list.title)
		for _, i := range list.items {
			fmt.Fprintf(&b, "* %s\n", i)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// cell makes text fit for a cell of a table.
func cell(text string) string {
	if text == "" {
		return "not stated"
	}
	return strings.NewReplacer("|", `\|`, "\n", " ", "\r", " ", "<", "&lt;").Replace(text)
}

type ropaCommand struct{ operated }

// Run obeys kong.
func (c *ropaCommand) Run(ctx context.Context) error {
	o, err := c.outcome(ctx, errand{Do: "ropa"})
	if err != nil {
		return err
	}
	if !c.JSON {
		return o.Record.write(os.Stdout)
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	return out.Encode(o.Record)
}
