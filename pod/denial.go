// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"errors"
	"slices"

	"skrin/ldp"
	"skrin/pod/consent"
	"skrin/pod/evidence"
	"skrin/pod/log"
	"skrin/pod/store"
)

// A denial is why a party doesn't get what a grant of its own is about. It is
// told, since the party knows of the grant; and logged, unlike other errors of a
// read.
type denial struct {
	why   string // for the log
	kind  ldp.Kind
	words string
}

// Error implements error.
func (d *denial) Error() string { return d.why }

// denied logs a denial in the transaction of the read, and returns what the party
// is told; any other error it returns as it is.
func (p *Pod) denied(tx store.Tx, a access, id ldp.ID, failed error) (told, err error) {
	d, ok := errors.AsType[*denial](failed)
	if !ok {
		return nil, failed
	}
	e := log.Entry{Party: a.party.ID, Why: d.why, Path: string(id), Consent: a.rule.Because, Type: a.grant.Type, Purpose: a.rule.Purpose}
	fault := &ldp.Fault{Kind: d.kind, Detail: d.words}
	if d.kind == ldp.Unavailable {
		fault.Header = "Retry-After: 600"
	}
	return fault, p.marked(tx)(log.Refused(tx, p.Now(), e))
}

// covered returns the fields that a read may release: those of the grant for which
// the party is still registered, for the same purpose.
func covered(a access) ([]string, error) {
	use, ok := a.party.Use(a.grant.Use)
	if !ok || use.Purpose != a.rule.Purpose || use.Type != a.grant.Type {
		return nil, &denial{"purpose", ldp.Forbidden, "You are no longer registered for the purpose of this consent."}
	}
	var fields []string
	for _, f := range a.rule.Fields {
		if slices.Contains(use.Fields, f) {
			fields = append(fields, f)
		}
	}
	if fields == nil {
		return nil, &denial{"purpose", ldp.Forbidden, "You are no longer registered to ask for anything of this."}
	}
	return fields, nil
}

// readable returns why evidence can't be read now under a grant; nil if it can.
func (p *Pod) readable(g *consent.Grant, e *evidence.Evidence) error {
	known := true
	if e != nil {
		e = &evidence.Evidence{Issued: e.Issued, Expires: e.Expires, Ended: e.Ended, Places: e.Places, Listed: e.Listed}
		if e.Ended == evidence.Superseded { // that of a grant which doesn't cover later evidence
			e.Ended = evidence.Current
		}
		known = e.Ask(p.Statuses, p.Now())
	}
	switch now := p.Now(); {
	case g.Limit > 0 && g.Reads >= g.Limit:
		return &denial{"used up", ldp.Forbidden, "It has been read as often as the person agreed to. Ask again if you need it again."}
	case e == nil:
		return &denial{"removed", ldp.Gone, "The evidence is no longer there: the person has removed it."}
	case e.State(now) == evidence.Expired:
		return &denial{"expired", ldp.Gone, "The evidence has expired. If your consent covers later evidence, read again when there is some."}
	case e.State(now) == evidence.Revoked:
		return &denial{"revoked", ldp.Gone, "The issuer has revoked the evidence. Don't rely on what you have read of it."}
	case e.State(now) == evidence.Suspended:
		return &denial{"suspended", ldp.Gone, "The issuer has suspended the evidence for a while. Read again when you are told that it is valid."}
	case !known:
		return &ldp.Fault{Kind: ldp.Unavailable, Detail: "The issuer's status list can't be had right now.", Header: "Retry-After: 60"}
	case e.TooOld(g.MaxAge, now):
		return &denial{"too old", ldp.Gone, "The evidence is older than the max_age of the consent. If the consent covers later evidence, read again when there is some."}
	}
	return nil
}
