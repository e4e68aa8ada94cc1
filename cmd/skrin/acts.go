// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"skrin/auth"
	"skrin/ldp"
)

// The operators' log: all that operators change, and who did it, in the records that
// all nodes share. An act is written down before it is done, and can't be done if
// that fails; what came of it is a line of its own. Each line has a MAC over itself
// and the line before, under a key that is derived from the master key. So who can
// write to the store, but hasn't got the key, can't change, add, move or leave out a
// line without "skrin log operator" seeing it; what he can do is cut off the newest
// lines together with the head. Against that, and against who has the key, keep the
// last line's hash elsewhere now and then: "skrin log operator --holds HASH" says
// whether the log still has it.

const (
	actKind = "operator-log" // by number, in hexadecimal: an act; "head": the last
	actHead = "head"

	askedKind = "operator-asked" // by act and what it is done to: an approval
)

// An act is one line of the operators' log.
type act struct {
	Seq     uint64    `json:"seq"` // from 1, without gaps
	Time    time.Time `json:"time"`
	By      string    `json:"by"`             // the operator's id; "local" for who works on the server's machine
	Did     string    `json:"did"`            // "erase", "party add" …
	On      string    `json:"on,omitempty"`   // the id of a pod or a party, or a folder
	Outcome string    `json:"outcome"`        // "begins", "done" or "failed"; "asked" and "approved" of what two do
	Prev    string    `json:"prev,omitempty"` // Hash of the line before
	Hash    string    `json:"hash"`           // MAC of the line as JSON with an empty Hash
}

// acts is the operators' log of a server.
type acts struct {
	records auth.Records
	key     []byte
	now     func() time.Time
}

func (a *acts) sum(l act) (string, error) {
	l.Hash = ""
	text, err := json.Marshal(l)
	if err != nil {
		return "", err
	}
	m := hmac.New(sha256.New, a.key)
	m.Write(text)
	return hex.EncodeToString(m.Sum(nil)), nil
}

func actKey(seq uint64) string { return fmt.Sprintf("%016x", seq) }

// add appends a line. Of several at once, also on other nodes, each gets a number of
// its own.
func (a *acts) add(ctx context.Context, l act) error {
	last, _, err := a.head(ctx)
	if err != nil {
		return err
	}
	for range 1000 { // each time, somebody else has added one
		l.Seq, l.Prev, l.Time = last.Seq+1, last.Hash, a.now().UTC().Truncate(time.Second)
		if l.Hash, err = a.sum(l); err != nil {
			return err
		}
		text, err := json.Marshal(l)
		if err != nil {
			return err
		}
		err = a.records.Save(ctx, actKind, actKey(l.Seq), auth.Record{Value: text})
		if err == nil {
			return a.moveHead(ctx, text, l.Seq)
		}
		if !errors.Is(err, auth.ErrChanged) {
			return fmt.Errorf("operators' log: %w", err)
		}
		if last, err = a.line(ctx, l.Seq); err != nil {
			return err
		}
	}
	return fmt.Errorf("operators' log: %w", auth.ErrChanged)
}

// moveHead notes the last line, unless a later one is noted. If that fails, the head
// is behind: who adds goes on from it to the end.
func (a *acts) moveHead(ctx context.Context, text []byte, seq uint64) error {
	for range 1000 { // each time, somebody else has moved it
		l, version, err := a.head(ctx)
		if err != nil || l.Seq >= seq {
			return err
		}
		err = a.records.Save(ctx, actKind, actHead, auth.Record{Value: text, Version: version})
		if err == nil {
			return nil
		}
		if !errors.Is(err, auth.ErrChanged) {
			return fmt.Errorf("operators' log: %w", err)
		}
	}
	return fmt.Errorf("operators' log: %w", auth.ErrChanged)
}

// head returns the last line that was noted as such; the zero act if there is none.
func (a *acts) head(ctx context.Context) (l act, version uint64, err error) {
	rec, err := a.records.Load(ctx, actKind, actHead)
	if errors.Is(err, auth.ErrNoRecord) {
		return l, 0, nil
	}
	if err == nil {
		err = json.Unmarshal(rec.Value, &l)
	}
	if err != nil {
		return l, 0, fmt.Errorf("operators' log: %w", err)
	}
	return l, rec.Version, nil
}

func (a *acts) line(ctx context.Context, seq uint64) (l act, err error) {
	rec, err := a.records.Load(ctx, actKind, actKey(seq))
	if err == nil {
		err = json.Unmarshal(rec.Value, &l)
	}
	if err != nil {
		return l, fmt.Errorf("operators' log, line %d: %w", seq, err)
	}
	return l, nil
}

// errActs is that the operators' log isn't whole.
var errActs = errors.New("the operators' log is not whole")

// read verifies the whole log, and returns its newest lines, at most that many, the
// oldest first, and how many there are. holds, if any, is the hash of a line that
// it must have. A fault is errActs.
func (a *acts) read(ctx context.Context, most int, holds string) (newest []act, n uint64, err error) {
	const page = 500
	prev, held := "", holds == ""
	for after := ""; ; {
		keys, err := a.records.List(ctx, actKind, "0", after, page)
		if err != nil {
			return nil, 0, fmt.Errorf("operators' log: %w", err)
		}
		for _, key := range keys {
			n++
			l, err := a.line(ctx, n)
			sum, err2 := a.sum(l)
			if key != actKey(n) || err != nil || err2 != nil || l.Seq != n || l.Prev != prev || !hmac.Equal([]byte(sum), []byte(l.Hash)) {
				return nil, 0, fmt.Errorf("line %d is missing, was changed, or doesn't follow the one before it: %w", n, errActs)
			}
			prev, after, held = l.Hash, key, held || l.Hash == holds
			if newest = append(newest, l); len(newest) > most {
				newest = slices.Delete(newest, 0, 1)
			}
		}
		if len(keys) < page {
			break
		}
	}
	head, _, err := a.head(ctx)
	if err != nil || head.Seq > n {
		return nil, 0, fmt.Errorf("lines are missing at its end: %w", errors.Join(err, errActs))
	}
	if !held {
		return nil, 0, fmt.Errorf("it has no line with that hash: %w", errActs)
	}
	return newest, n, nil
}

// do writes an act down, does it, and writes down what came of it.
func (a *acts) do(ctx context.Context, by, did, on string, fn func() error) error {
	l := act{By: by, Did: did, On: on, Outcome: "begins"}
	if err := a.add(ctx, l); err != nil {
		return err
	}
	err := fn()
	if l.Outcome = "done"; err != nil {
		l.Outcome = "failed"
	}
	return errors.Join(err, a.add(context.WithoutCancel(ctx), l))
}

// An approval is what two operators do together: one has asked for an act, and
// another lets him do it, once, within a time.
type approval struct {
	ID    string    `json:"id"`
	Did   string    `json:"did"`
	On    string    `json:"on,omitempty"`
	By    string    `json:"by"`              // who asked
	Until time.Time `json:"until"`           // it must be approved, and then done, before then
	Other string    `json:"other,omitempty"` // who approved
}

// errUnapproved is that an act waits for a second operator.
var errUnapproved = errors.New("a second operator must approve it")

// approved returns nil if another operator than by has let it be done, which uses
// the approval up. Otherwise it asks for one, or tells whose request for the same
// waits, which stays as it is: errUnapproved, with what to do.
func (a *acts) approved(ctx context.Context, by, did, on string, life time.Duration) error {
	id := actID(did, on)
	for range 10 { // each time, somebody else has asked, approved or done it
		old, rec, err := a.asked(ctx, id)
		switch {
		case errors.Is(err, ldp.NotFound): // nobody asks, or nobody has let it be done in time
			old = approval{ID: id, Did: did, On: on, By: by, Until: a.now().Add(life).UTC().Truncate(time.Second)}
			if err = a.askFor(ctx, old, rec); err == nil {
				return old.waits(by)
			}
		case err != nil:
			return fmt.Errorf("approval: %w", err)
		case old.By != by || old.Other == "":
			return old.waits(by)
		default:
			// Of two who do it at once, one has it: the other's Save finds it changed.
			rec.Value, rec.Until = []byte("{}"), a.now()
			if err = a.records.Save(ctx, askedKind, id, rec); errors.Is(err, auth.ErrChanged) {
				return fmt.Errorf("it was done just now: %w", errUnapproved)
			}
		}
		if !errors.Is(err, auth.ErrChanged) {
			return err
		}
	}
	return fmt.Errorf("approval: %w", auth.ErrChanged)
}

// askFor writes down that an act waits, in place of rec, which is what was read.
func (a *acts) askFor(ctx context.Context, p approval, rec auth.Record) (err error) {
	if err := a.add(ctx, act{By: p.By, Did: p.Did, On: p.On, Outcome: "asked"}); err != nil {
		return err
	}
	if rec.Value, err = json.Marshal(p); err != nil {
		return err
	}
	rec.Until = p.Until
	return a.records.Save(ctx, askedKind, p.ID, rec)
}

// waits tells an operator who wants the act what it waits for, and who does what.
func (p approval) waits(who string) error {
	until := p.Until.Format(time.RFC3339)
	switch {
	case p.By == who:
		return fmt.Errorf("%w until %s: he runs \"skrin approve %s --server … --operator … --key …\", and then you do this again", errUnapproved, until, p.ID)
	case p.Other == "":
		return fmt.Errorf("%s asked for the same, and %w until %s: if that should be you, run \"skrin approve %s --server … --operator … --key …\", and then %s does it",
			p.By, errUnapproved, until, p.ID, p.By)
	}
	return fmt.Errorf("%s asked for the same, and %s approved it: %s may do it until %s. To do it yourself %w after that", p.By, p.Other, p.By, until, errUnapproved)
}

// actID is by what an act that waits is approved: 12 digits of a hash.
func actID(did, on string) string {
	sum := sha256.Sum256([]byte(did + "\x00" + on))
	return hex.EncodeToString(sum[:6])
}

// waiting returns what waits to be approved, or to be done.
func (a *acts) waiting(ctx context.Context) ([]approval, error) {
	ids, err := a.records.List(ctx, askedKind, "", "", 100)
	if err != nil {
		return nil, fmt.Errorf("approvals: %w", err)
	}
	all := []approval{}
	for _, id := range ids {
		p, _, err := a.asked(ctx, id)
		if err == nil {
			all = append(all, p)
		}
	}
	return all, nil
}

func (a *acts) asked(ctx context.Context, id string) (p approval, rec auth.Record, err error) {
	if rec, err = a.records.Load(ctx, askedKind, id); err == nil {
		err = json.Unmarshal(rec.Value, &p)
	}
	if errors.Is(err, auth.ErrNoRecord) || err == nil && (p.ID != id || !a.now().Before(p.Until)) {
		return p, rec, ldp.Refuse(ldp.NotFound, "Nothing waits with this id: it was done, or its time has passed.")
	}
	return p, rec, err
}

// approve lets somebody else's act be done, as the operator by.
func (a *acts) approve(ctx context.Context, by, id string) (approval, error) {
	p, rec, err := a.asked(ctx, id)
	switch {
	case err != nil:
		return p, err
	case p.By == by:
		return p, ldp.Refuse(ldp.Forbidden, "You asked for it yourself: somebody else must approve it.")
	case p.Other != "":
		return p, ldp.Refuse(ldp.Conflict, "It is approved.")
	}
	if err := a.add(ctx, act{By: by, Did: p.Did, On: p.On, Outcome: "approved"}); err != nil {
		return p, err
	}
	p.Other = by
	if rec.Value, err = json.Marshal(p); err != nil {
		return p, err
	}
	if err := a.records.Save(ctx, askedKind, id, rec); errors.Is(err, auth.ErrChanged) {
		return p, ldp.Refuse(ldp.Conflict, "Somebody else has approved it, or done it.")
	} else if err != nil {
		return p, err
	}
	return p, nil
}
