// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"skrin/ldp/client"
	"skrin/pod/credential"
)

// providerCommand is the integrator's kit of an authority.
type providerCommand struct {
	Connect askCommand    `cmd:"" help:"Ask a person for a place where evidence may be deposited."`
	Finish  finishCommand `cmd:"" help:"Take the answer that her browser brought."`
	Push    pushCommand   `cmd:"" help:"Sign and deposit evidence: a row of a table each."`
}

// pushCommand deposits what a table holds.
type pushCommand struct {
	backEnd  `embed:""`
	Issuer   string `required:"" help:"The iss with which the party is registered."`
	Receipts string `required:"" help:"Folder for the delivery receipts. A row that has one there isn't sent again." type:"path"`
	Check    bool   `help:"Only check the rows, and send nothing."`
	JSON     bool   `name:"json" help:"Report as JSON."`
	Mapping  string `arg:"" help:"File that says how a row becomes evidence (JSON)." type:"existingfile"`
	Rows     string `arg:"" help:"The rows: CSV with a line of headings, or JSON lines (.jsonl)." type:"existingfile"`

	patience time.Duration // after which what failed is tried again the first time; 0 for a second
}

// Limits of one push.
const (
	maxPushed = 2_000_000 // rows
	maxFaulty = 10_000    // rows that are told of in JSON; beyond it they are counted
	maxAway   = 3         // rows one after the other for which the server doesn't answer
)

// A pushed is what became of the rows.
type pushed struct {
	Sent    int       `json:"sent"`
	Before  int       `json:"sent_before"`
	Checked int       `json:"checked,omitempty"`
	Faulty  int       `json:"faulty"`
	Failed  []*rowErr `json:"failed"`          // the first 10,000 of those
	Ended   string    `json:"ended,omitempty"` // why not all rows were looked at

	asJSON bool
	shown  *bar
	keys   map[[16]byte]keyed // of the rows until now
	away   int
}

// A keyed is where a key was, and with what.
type keyed struct {
	row uint32
	sum [8]byte
}

// Run obeys kong.
func (c *pushCommand) Run(ctx context.Context) error {
	party, err := c.client()
	if err != nil {
		return err
	}
	return c.run(ctx, party)
}

// run goes on after a row that fails, and fails at the end.
func (c *pushCommand) run(ctx context.Context, party *client.Client) error {
	m, err := readMapping(c.Mapping)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.Receipts, 0o700); err != nil {
		return err
	}
	rows, err := os.Open(c.Rows)
	if err != nil {
		return err
	}
	defer rows.Close()
	done := &pushed{Failed: []*rowErr{}, asJSON: c.JSON, shown: newBar(c.JSON), keys: map[[16]byte]keyed{}}
	err = eachRow(rows, strings.HasSuffix(c.Rows, ".jsonl"), m, func(r tableRow, fault error) error {
		if fault == nil {
			fault = c.push(ctx, party, m, r, done)
		}
		if err := done.ends(ctx, r, fault); err != nil {
			return err
		}
		done.shown.show(pace{int64(r.number), 0, "rows"})
		return nil
	})
	done.shown.end()
	if err != nil {
		done.Ended = fmt.Sprintf("%s: %v", c.Rows, err)
	}
	return done.report()
}

// ends notes what became of a row. An error is that no other will fare better.
func (p *pushed) ends(ctx context.Context, r tableRow, fault error) error {
	refused := new(client.OAuthError)
	switch {
	case fault == nil:
		p.away = 0
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("it was interrupted in row %d (line %d); run it again for what is left", r.number, r.line)
	case errors.As(fault, &refused):
		return fmt.Errorf("in row %d (line %d): %w", r.number, r.line, fault)
	case !isAway(fault):
		p.away = 0
	default:
		if p.away++; p.away == maxAway {
			return fmt.Errorf("in row %d (line %d): the server is away; run it again for what is left: %w", r.number, r.line, fault)
		}
	}
	f := r.fault(fault)
	if p.Faulty++; len(p.Failed) < maxFaulty && p.asJSON {
		p.Failed = append(p.Failed, f)
	}
	if !p.asJSON {
		p.shown.end()
		fmt.Println(f)
	}
	return nil
}

// An awayErr is that a server gave no answer, or none that says something of a row.
type awayErr struct{ error }

func isAway(err error) bool { _, ok := errors.AsType[awayErr](err); return ok }

func (p *pushed) report() error {
	if p.asJSON {
		if err := json.NewEncoder(os.Stdout).Encode(p); err != nil {
			return err
		}
	} else {
		fmt.Printf("%d sent, %d sent before, %d checked, %d failed\n", p.Sent, p.Before, p.Checked, p.Faulty)
	}
	switch {
	case p.Ended != "":
		return errors.New(p.Ended)
	case p.Faulty > 0:
		return fmt.Errorf("%d rows failed: mend them and run it again", p.Faulty)
	}
	return nil
}

// push deposits one row, unless there is a receipt for it.
func (c *pushCommand) push(ctx context.Context, party *client.Client, m mapping, r tableRow, done *pushed) error {
	claims, err := m.claims(r.cells)
	if err != nil {
		return err
	}
	to, id := strings.TrimSpace(r.cells[m.Deposit]), strings.TrimSpace(r.cells[m.Key])
	if id == "" {
		return inColumn(m.Key, "it is empty")
	}
	if !sameOrigin(to, c.Server) {
		return inColumn(m.Deposit, "it is not an address of "+c.Server)
	}
	sum := sha256.Sum256([]byte(m.Type + "\x00" + id))
	key := [16]byte(sum[:16])
	if err := done.first(r, m, key, to, claims); err != nil {
		return err
	}
	receipt := filepath.Join(c.Receipts, hex.EncodeToString(key[:])+".jwt")
	if _, err := os.Stat(receipt); err == nil {
		done.Before++
		return nil
	}
	if c.Check {
		done.Checked++
		return nil
	}
	got, err := c.handOver(ctx, party, m, to, hex.EncodeToString(key[:]), claims)
	if err != nil {
		return err
	}
	if err := save(receipt, bytes.NewReader(got)); err != nil {
		return err
	}
	done.Sent++
	return os.Remove(c.unsure(hex.EncodeToString(key[:])))
}

// first refuses a row whose key another one had, with something else.
func (p *pushed) first(r tableRow, m mapping, key [16]byte, to string, claims []credential.Claim) error {
	text, err := json.Marshal(claims)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(append([]byte(to+"\x00"), text...))
	this := keyed{uint32(r.number), [8]byte(sum[:8])}
	if before, ok := p.keys[key]; ok && before.sum != this.sum {
		return inColumn(m.Key, fmt.Sprintf("row %d has the same, and says something else: each piece of evidence needs its own", before.row))
	} else if ok {
		return nil
	}
	if len(p.keys) == maxPushed {
		return fmt.Errorf("a table may have %d rows: split it", maxPushed)
	}
	p.keys[key] = this
	return nil
}

// unsure is the file with what was signed for a row, from before it is sent until its
// receipt is there. If that never comes, the same is sent again: of what is signed anew
// the server couldn't tell that it has it.
func (c *pushCommand) unsure(key string) string { return filepath.Join(c.Receipts, key+".sd-jwt") }

// handOver sends what was signed for a row, and returns the receipt.
func (c *pushCommand) handOver(ctx context.Context, party *client.Client, m mapping, to, key string, claims []credential.Claim) ([]byte, error) {
	text, err := os.ReadFile(c.unsure(key))
	if errors.Is(err, os.ErrNotExist) {
		if text, err = m.sign(party.Key, c.Issuer, claims, time.Now()); err == nil {
			err = save(c.unsure(key), bytes.NewReader(text))
		}
	}
	if err != nil {
		return nil, err
	}
	w, err := patiently(ctx, cmp.Or(c.patience, time.Second), func() (*client.Written, error) {
		return party.Post(ctx, to, client.Content{Type: "application/dc+sd-jwt", Body: text, Key: key})
	})
	if final(err) {
		return nil, errors.Join(err, os.Remove(c.unsure(key))) // it hasn't got it, and won't take it
	}
	if err != nil {
		return nil, err
	}
	return w.Body, nil
}

// sameOrigin says whether an address is one of a server's.
func sameOrigin(address, server string) bool {
	a, err := url.Parse(address)
	s, err2 := url.Parse(server)
	return err == nil && err2 == nil && a.Scheme == s.Scheme && strings.EqualFold(a.Host, s.Host) && a.Host != "" && a.User == nil
}

// final says whether a server has refused for a reason that doesn't pass.
func final(err error) bool {
	p, refused := new(client.Problem), new(client.OAuthError)
	return errors.As(err, &p) && p.Status < 500 && p.Status != http.StatusTooManyRequests || errors.As(err, &refused)
}

// patiently tries again what failed for a reason that passes, when the server says
// that it may. The idempotency key makes sure that nothing is deposited twice.
func patiently[T any](ctx context.Context, first time.Duration, try func() (T, error)) (T, error) {
	for n := range 4 {
		result, err := try()
		p, addressed := new(client.Problem), new(url.Error)
		pause := first << n
		switch {
		case err == nil || final(err):
			return result, err
		case errors.As(err, &p):
			seconds, _ := strconv.Atoi(p.Header.Get("Retry-After")) // or none is said
			pause = max(pause, min(time.Duration(seconds)*time.Second, time.Minute))
		case errors.As(err, &addressed):
			err = addressed.Err // without the address, which is of the row
		}
		if n == 3 {
			return result, awayErr{err}
		}
		select {
		case <-ctx.Done():
			return result, ctx.Err()
		case <-time.After(pause):
		}
	}
	panic("not reached")
}

// consumerCommand is the integrator's kit of a third party.
type consumerCommand struct {
	Ask    askCommand    `cmd:"" help:"Ask a person for evidence, in her browser or in her inbox."`
	Finish finishCommand `cmd:"" help:"Take the answer that her browser brought."`
	Read   readCommand   `cmd:"" help:"Read evidence that was granted, and verify it."`
	Verify verifyCommand `cmd:"" help:"Verify evidence from standard input, offline."`
}

// readCommand reads and verifies.
type readCommand struct {
	backEnd       `embed:""`
	verifyCommand `embed:""`
	URL           string `arg:"" help:"The address that was granted."`
}

// Run obeys kong. It prints the claims.
func (c *readCommand) Run(ctx context.Context) error {
	party, err := c.client()
	if err != nil {
		return err
	}
	got, err := party.Get(ctx, c.URL, "application/dc+sd-jwt")
	if err != nil {
		return err
	}
	return c.verify(bytes.NewReader(got.Body))
}
