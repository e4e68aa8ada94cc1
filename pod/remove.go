// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	"strings"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/credential"
	"skrin/pod/record"
	"skrin/pod/store"
)

// What authorities delivered is in the person's own pod under evidence/, as RDF
// (2026-11):
//
//   - It is to be read there and not written: it is what was signed.
//   - It is shared by consents alone, never by an ACL document. One can't say
//     which fields, what for and until when; and an app that was given a folder
//     above it would have been given it too. So evidence/ has an ACL document of
//     its own, which names the owner and can't be changed.
//   - The owner removes a piece by DELETE. That ends, in one transaction, the
//     evidence with all its signed forms, and every consent under which it would
//     be read now, standing ones too; each is logged, and each consumer told, as
//     where the person withdraws it. What is delivered later, nobody reads before
//     the person is asked again.
//
// We gave up that a person can file evidence elsewhere, or annotate it, without
// making a copy; a copy is a document of the person's and no evidence.
const evidences = "evidence/"

// isEvidence reports whether a path is evidence/, or in it.
func isEvidence(id ldp.ID) bool {
	path, ok := strings.CutPrefix(string(id), string(record.RootOf(id)))
	return ok && strings.HasPrefix(path, evidences)
}

// fixed refuses what can't be done under evidence/.
func fixed() error {
	return ldp.Refuse(ldp.NotAllowed, "What authorities delivered is kept as they signed it, and is shared on the pages of this server alone. It can be read and deleted here.")
}

// endEvidence removes the evidence whose document is at path, and ends the
// consents under which it is read.
func (p *Pod) endEvidence(ctx context.Context, tx store.Tx, path ldp.ID) error {
	e, err := store.Load[Evidence](tx, evidenceKey(path.Name()))
	if err != nil || e == nil {
		return err
	}
	current, err := store.Load[string](tx, currentKey(e.Type, e.Issuer))
	if err != nil {
		return err
	}
	isCurrent := current != nil && *current == e.ID
	consents, err := p.readUnder(tx, e, isCurrent)
	if err != nil {
		return err
	}
	for _, c := range consents {
		tell, err := p.apart(consents)
		if err != nil {
			return err
		}
		if err := p.withdraw(ctx, tx, &c, tell); err != nil {
			return err
		}
	}
	if isCurrent {
		tx.Delete(currentKey(e.Type, e.Issuer))
	}
	tx.Delete(evidenceKey(e.ID))
	tx.Delete(newestKey(e))
	p.vacate(tx, e)
	err = eachForm(tx, e.ID, func(key string, form []byte) error {
		tx.Delete(key)
		c, err := credential.Parse(string(form))
		if err != nil {
			return err
		}
		thumb, err := holderOf(c)
		if err == nil && thumb != "" {
			tx.Delete(boundKey(thumb))
		}
		return err
	})
	if err != nil {
		return err
	}
	return p.enter(tx, Entry{Action: DidRemove, Party: e.Issuer, Type: e.Type})
}

// readUnder returns the consents that hold now under which evidence is read.
func (p *Pod) readUnder(tx store.Tx, e *Evidence, isCurrent bool) ([]Consent, error) {
	var consents, all []Consent
	if err := store.Each(tx, consentKey(""), func(c *Consent) bool { all = append(all, *c); return true }); err != nil {
		return nil, err
	}
	for _, c := range all {
		g, err := store.Load[Grant](tx, grantKey(c.Space, c.Grant))
		if err != nil {
			return nil, err
		}
		covers := g.Evidence == e.ID || g.Standing && isCurrent && g.Type == e.Type && g.Issuer == e.Issuer
		if covers && c.Active(p.Now()) {
			consents = append(consents, c)
		}
	}
	return consents, nil
}

// RemoveEvidence removes a piece of the owner's evidence, as a DELETE of its
// document does: its signed forms go, every consent under which it would be read
// now ends, each consumer is told and asked to erase, and the log says so. To
// remove what isn't there is NotFound.
func (p *Pod) RemoveEvidence(ctx context.Context, who acl.Agent, id string) error {
	var e *Evidence
	err := p.viewOwn(ctx, who, func(tx store.Tx) (err error) { e, err = store.Load[Evidence](tx, evidenceKey(id)); return err })
	if err == nil && e == nil {
		err = ldp.Refuse(ldp.NotFound, "There is no such evidence.")
	}
	if err != nil {
		return err
	}
	return p.Delete(ctx, who, ldp.Delete{ID: e.Path})
}
