// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"skrin/cmd/skrin/parties"
	"skrin/ldp"
	"skrin/ldp/client"
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

// A registrar is where the commands of the register are sent: to a server, as an
// operator; or to the directory, where whoever may open it may do it.
type registrar struct {
	serveOptions `embed:""`
	Server       string `help:"Issuer of a server that is to be asked over HTTP, like https://pod.example.se; then --operator and --key are needed, and nothing else."`
	Operator     string `help:"The id with which the operator is registered."`
	Key          string `help:"File with the operator's private key (JWK, or PKCS #8 in PEM)." type:"existingfile"`
	JSON         bool   `help:"Answer in JSON."`
}

// do does an errand about a party, and tells how it stands.
func (c *registrar) do(ctx context.Context, e errand) error {
	o, err := c.outcome(ctx, e)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(o.Parties)
	}
	for _, l := range o.Parties {
		until := ""
		if l.File != nil {
			until = "until " + l.File.Until
		}
		fmt.Printf("%-32s %-8s %s\n", l.ID, l.State, until)
	}
	return nil
}

func (c *registrar) outcome(ctx context.Context, e errand) (outcome, error) {
	if c.Server != "" {
		return c.remote(ctx, e)
	}
	conf, err := c.config()
	if err != nil {
		return outcome{}, fmt.Errorf("without --server, the directory's options are needed: %w", err)
	}
	return send(ctx, conf, e)
}

// remote sends an errand to the admin API.
func (c *registrar) remote(ctx context.Context, e errand) (o outcome, err error) {
	as, err := c.client()
	if err != nil {
		return o, err
	}
	at := c.Server + adminPath + "parties/" + url.PathEscape(e.Party)
	method, body := "GET", e.Text
	switch {
	case e.Do == "approvals" && e.Approve == "":
		at = c.Server + adminPath + "approvals/"
	case e.Do == "approvals":
		method, at = "POST", c.Server+adminPath+"approvals/"+url.PathEscape(e.Approve)
	}
	header := http.Header{}
	switch e.Do {
	case "party add":
		var f struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(e.Text, &f); err != nil {
			return o, fmt.Errorf("the registration: %w", err)
		}
		method, at = "PUT", at+url.PathEscape(f.ID)
		if e.Only {
			header.Set("If-None-Match", "*")
		}
	case "party renew":
		method, at = "POST", at+"/renew"
		body, err = json.Marshal(map[string]string{"until": e.Until})
	case "party revoke":
		method = "DELETE"
	}
	if err != nil {
		return o, err
	}
	req, err := http.NewRequestWithContext(ctx, method, at, bytes.NewReader(body))
	if err != nil {
		return o, err
	}
	req.Header = header
	req.Header.Set("Content-Type", "application/json")
	return adminOutcome(as.Do(req))
}

func (c *registrar) client() (*client.Client, error) {
	if c.Operator == "" || c.Key == "" {
		return nil, errors.New("--server needs --operator and --key")
	}
	k := partyKey{c.Key}
	key, err := k.signing()
	if err != nil {
		return nil, err
	}
	proofs, err := k.dpop()
	if err != nil {
		return nil, err
	}
	return &client.Client{
		HTTP: &http.Client{Timeout: 20 * time.Second}, Issuer: c.Server, ID: c.Operator, Key: key, DPoP: proofs, Scope: adminScope, Now: time.Now,
	}, nil
}

// adminOutcome reads an answer of the admin API: one registration, or all.
func adminOutcome(resp *http.Response, err error) (o outcome, _ error) {
	if err != nil {
		return o, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	if err != nil {
		return o, err
	}
	if resp.StatusCode >= 300 {
		var p struct {
			Detail string   `json:"detail"`
			Errors []string `json:"errors"`
		}
		_ = json.Unmarshal(text, &p) // what else it may be is said by the status
		return o, fmt.Errorf("the server answers %d. %w", resp.StatusCode, said(&ldp.Fault{Detail: p.Detail, Errors: p.Errors}))
	}
	var l parties.Listing
	var p approval
	err = errors.Join(json.Unmarshal(text, &o), json.Unmarshal(text, &l), json.Unmarshal(text, &p))
	switch {
	case p.Did != "":
		o.Approvals = []approval{p}
	case o.Parties == nil && l.ID != "":
		o.Parties = []parties.Listing{l}
	}
	return o, err
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
	registrar
	File string `arg:"" help:"The registration (.json), as in the folder of serve --parties." type:"existingfile"`
	New  bool   `help:"Refuse to replace a registration."`
}

// Run obeys kong.
func (c *partyAdd) Run(ctx context.Context) error {
	text, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	return c.do(ctx, errand{Do: "party add", Text: text, Only: c.New})
}

type partyList struct{ registrar }

// Run obeys kong.
func (c *partyList) Run(ctx context.Context) error { return c.do(ctx, errand{Do: "party list"}) }

type partyShow struct {
	registrar
	ID string `arg:"" help:"The party's id."`
}

// Run obeys kong.
func (c *partyShow) Run(ctx context.Context) error {
	o, err := c.outcome(ctx, errand{Do: "party show", Party: c.ID})
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	if c.JSON {
		return out.Encode(o.Parties)
	}
	return out.Encode(o.Parties[0].File)
}

type partyRenew struct {
	registrar
	ID    string `arg:"" help:"The party's id."`
	Until string `required:"" help:"The last day, like 2028-12-31."`
}

// Run obeys kong.
func (c *partyRenew) Run(ctx context.Context) error {
	return c.do(ctx, errand{Do: "party renew", Party: c.ID, Until: c.Until})
}

type partyRevoke struct {
	registrar
	dangerous
	ID string `arg:"" help:"The party's id."`
}

// Run obeys kong.
func (c *partyRevoke) Run(ctx context.Context) error {
	if err := c.sure("The party " + c.ID + " is refused from now on, whatever people have let it do."); err != nil {
		return err
	}
	return c.do(ctx, errand{Do: "party revoke", Party: c.ID})
}

// approveCommand approves, as an operator with a key of her own, what another asked
// for; without an id it lists what waits.
type approveCommand struct {
	registrar
	ID string `arg:"" optional:"" help:"What waits, by the id that it was given."`
}

// Run obeys kong.
func (c *approveCommand) Run(ctx context.Context) error {
	if c.ID != "" && c.Server == "" {
		return errors.New("who approves must show who she is: --server, --operator and --key are needed")
	}
	o, err := c.outcome(ctx, errand{Do: "approvals", Approve: c.ID})
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(o.Approvals)
	}
	for _, p := range o.Approvals {
		state := "waits until " + p.Until.Format(time.RFC3339)
		if p.Other != "" {
			state = "approved by " + p.Other
		}
		fmt.Printf("%s  %s %s, asked by %s, %s\n", p.ID, p.Did, p.On, p.By, state)
	}
	return nil
}
