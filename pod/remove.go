// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/consent"
	"skrin/pod/evidence"
	"skrin/pod/log"
	"skrin/pod/store"
)

// endEvidence removes the evidence whose document is at path, and ends the
// consents under which it is read.
func (p *Pod) endEvidence(ctx context.Context, tx store.Tx, path ldp.ID) error {
	e, err := store.Load[evidence.Evidence](tx, evidence.Key(path.Name()))
	if err != nil || e == nil {
		return err
	}
	isCurrent, err := e.IsCurrent(tx)
	if err != nil {
		return err
	}
	consents, err := consent.Under(tx, e, isCurrent, p.Now())
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
	if err := e.Remove(tx, p.Statuses, isCurrent); err != nil {
		return err
	}
	return log.Enter(tx, p.Now(), log.Entry{Action: log.DidRemove, Party: e.Issuer, Type: e.Type})
}

// RemoveEvidence removes a piece of the owner's evidence, as a DELETE of its
// document does: its signed forms go, every consent under which it would be read
// now ends, each consumer is told and asked to erase, and the log says so. To
// remove what isn't there is NotFound.
func (p *Pod) RemoveEvidence(ctx context.Context, who acl.Agent, id string) error {
	var e *evidence.Evidence
	err := p.viewOwn(ctx, who, func(tx store.Tx) (err error) {
		e, err = store.Load[evidence.Evidence](tx, evidence.Key(id))
		return err
	})
	if err == nil && e == nil {
		err = ldp.Refuse(ldp.NotFound, "There is no such evidence.")
	}
	if err != nil {
		return err
	}
	return p.Delete(ctx, who, ldp.Delete{ID: e.Path})
}
