// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"skrin/cmd/skrin/parties"
	"skrin/ldp"
)

// partyErrand changes the register, or tells of it, for the command line.
func (s *server) partyErrand(ctx context.Context, e errand) (o outcome, err error) {
	switch e.Do {
	case "party add":
		e.Party, _, err = s.register.Add(ctx, e.Text, "", e.Only)
	case "party renew":
		err = s.register.Renew(ctx, e.Party, e.Until, "")
	case "party revoke":
		err = s.register.Revoke(ctx, e.Party, "")
	case "party show":
	case "party list":
		o.Parties, err = s.register.List(ctx)
		return o, said(err)
	default:
		return o, errors.New("no such errand")
	}
	if err != nil {
		return o, said(err)
	}
	l, err := s.register.Show(ctx, e.Party)
	o.Parties = []parties.Listing{l}
	return o, said(err)
}

// said puts all that a refusal says into its text.
func said(err error) error {
	f := new(ldp.Fault)
	if !errors.As(err, &f) {
		return err
	}
	text := f.Detail
	for _, fault := range f.Errors {
		text += " " + fault
	}
	return errors.New(text)
}

// standing writes registrations, and how they stand, a line each.
func standing(o outcome) string {
	var b strings.Builder
	for _, l := range o.Parties {
		until := ""
		if l.File != nil {
			until = "until " + l.File.Until
		}
		fmt.Fprintf(&b, "%-32s %-8s %s\n", l.ID, l.State, until)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// partyCommand is "skrin party …".
type partyCommand struct {
	Add    partyAdd    `cmd:"" help:"Register a party as a file says, or replace its registration."`
	List   partyList   `cmd:"" help:"List all registrations, and how they stand."`
	Show   partyShow   `cmd:"" help:"Show a registration, as JSON that add takes."`
	Renew  partyRenew  `cmd:"" help:"Let a registration last longer."`
	Revoke partyRevoke `cmd:"" help:"Strike a party off: it is refused within a second on every node."`
}

type partyAdd struct {
	anywhere
	File string `arg:"" help:"The registration (.json), as in the folder of serve --parties." type:"existingfile"`
	New  bool   `help:"Refuse to replace a registration."`
}

// Run obeys kong.
func (c *partyAdd) Run(ctx context.Context) error {
	text, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	return c.do(ctx, errand{Do: "party add", Text: text, Only: c.New}, standing)
}

type partyList struct{ anywhere }

// Run obeys kong.
func (c *partyList) Run(ctx context.Context) error {
	return c.do(ctx, errand{Do: "party list"}, standing)
}

type partyShow struct {
	anywhere
	ID string `arg:"" help:"The party's id."`
}

// Run obeys kong.
func (c *partyShow) Run(ctx context.Context) error {
	o, err := c.outcome(ctx, errand{Do: "party show", Party: c.ID})
	if err != nil {
		return err
	}
	if c.JSON {
		return c.tell(o, nil)
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	return out.Encode(o.Parties[0].File)
}

type partyRenew struct {
	anywhere
	ID    string `arg:"" help:"The party's id."`
	Until string `required:"" help:"The last day, like 2028-12-31."`
}

// Run obeys kong.
func (c *partyRenew) Run(ctx context.Context) error {
	return c.do(ctx, errand{Do: "party renew", Party: c.ID, Until: c.Until}, standing)
}

type partyRevoke struct {
	anywhere
	dangerous
	ID string `arg:"" help:"The party's id."`
}

// Run obeys kong.
func (c *partyRevoke) Run(ctx context.Context) error {
	if err := c.sure(ctx, "The party "+c.ID+" is refused from now on, whatever people have let it do."); err != nil {
		return err
	}
	return c.do(ctx, errand{Do: "party revoke", Party: c.ID}, standing)
}

// approveCommand approves, as an operator with a key of her own, what another asked
// for; without an id it lists what waits.
type approveCommand struct {
	anywhere
	ID string `arg:"" optional:"" help:"What waits, by the id that it was given."`
}

// Run obeys kong.
func (c *approveCommand) Run(ctx context.Context) error {
	if c.ID != "" && c.Server == "" {
		return errors.New("who approves must show who she is: --server, --operator and --key are needed")
	}
	return c.do(ctx, errand{Do: "approvals", Approve: c.ID}, func(o outcome) string {
		var b strings.Builder
		for _, p := range o.Approvals {
			state := "waits until " + p.Until.Format(time.RFC3339)
			if p.Other != "" {
				state = "approved by " + p.Other
			}
			fmt.Fprintf(&b, "%s  %s %s, asked by %s, %s\n", p.ID, p.Did, p.On, p.By, state)
		}
		return strings.TrimSuffix(b.String(), "\n")
	})
}
