// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	"errors"
	"fmt"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/due"
	"skrin/pod/log"
	"skrin/pod/mandate"
	"skrin/pod/resource"
	"skrin/pod/store"
)

// The parts of a pod at which a helper looks; they are logged apart.
const (
	requestsPart = "requests"
	evidencePart = "evidence"
	sharingPart  = "sharing"
	logPart      = "log"
	partiesPart  = "connections"
)

// noteLook logs, once a day for each part, that a helper looked at it: in the
// transaction before the one in which she does.
func (p *Pod) noteLook(ctx context.Context, who acl.Agent, part string) error {
	if who.For == "" {
		return nil
	}
	key := fmt.Sprintf("%s\x00\x00look\x00%s\x00%s", log.Today(p.Now()), who.ID, part)
	look := func(writes bool) func(store.Tx) error {
		return p.asOne(who, acl.Read, func(tx store.Tx) error {
			seen, err := store.Load[int](tx, key)
			switch {
			case err != nil || seen != nil:
				return err
			case !writes:
				return errFirst
			}
			if err := store.Save(tx, key, 1); err != nil {
				return err
			}
			if err := log.Enter(tx, p.Now(), log.Entry{Action: log.DidLook, Why: part}); err != nil {
				return err
			}
			return due.ForgetBy(tx, p.Now().Add(due.MarkKept))
		})
	}
	err := p.Store.View(ctx, p.deskOf(who), look(false))
	if errors.Is(err, errFirst) {
		err = p.Store.Update(ctx, p.deskOf(who), look(true))
	}
	return owned(err)
}

// Invite makes an invitation to act for the owner, with the Name, Whose, Modes and
// Until of m, and returns its code, which is told nowhere else. Whoever has the
// code can take it on, once, within [mandate.InvitationLife].
func (p *Pod) Invite(ctx context.Context, who acl.Agent, m mandate.Mandate) (code string, err error) {
	if m, code, err = mandate.New(who.ID, m, p.Rand, p.Now()); err != nil {
		return "", err
	}
	return code, p.updateOwn(ctx, who, func(tx store.Tx) error { return mandate.Invite(tx, m, p.Now()) })
}

// Mandates returns the owner's mandates and invitations, with those that have
// ended, the newest first. They name who is in the log, so helpers see them too.
func (p *Pod) Mandates(ctx context.Context, who acl.Agent) (all []mandate.Mandate, err error) {
	err = p.viewFor(ctx, who, func(tx store.Tx) (err error) { all, err = mandate.All(tx); return err })
	return all, err
}

// Dismiss ends a mandate or an invitation of the owner's; a helper ends her own. To
// end it twice is no error.
func (p *Pod) Dismiss(ctx context.Context, who acl.Agent, id string) error {
	end := func(tx store.Tx) error { return mandate.Dismiss(tx, who, id, p.Now()) }
	if who.For != "" {
		return owned(p.Store.Update(ctx, p.deskOf(who), p.asOne(who, acl.Read, end)))
	}
	return p.updateOwn(ctx, who, end)
}

// Invitation returns the invitation with the code, to whoever has signed in and
// has it.
func (p *Pod) Invitation(ctx context.Context, who acl.Agent, code string) (m mandate.Mandate, err error) {
	err = invited(ctx, who, code, p.Store.View, func(tx store.Tx) (err error) {
		m, err = mandate.Find(tx, who, code, p.Now())
		return err
	})
	return m, err
}

// invited runs fn on the pod that an invitation is of.
func invited(ctx context.Context, who acl.Agent, code string, run func(context.Context, store.Name, func(store.Tx) error) error, fn func(store.Tx) error) error {
	if !who.Known() || !store.IsID(code) {
		return mandate.Gone()
	}
	err := run(ctx, mandate.NameOf(code), fn)
	if errors.Is(err, store.ErrNoPod) {
		return mandate.Gone()
	}
	return err
}

// TakeOn makes who, the owner of a pod of her own, the helper of whom the
// invitation with the code is of. To take it on twice is no error.
func (p *Pod) TakeOn(ctx context.Context, who acl.Agent, code string) (m mandate.Mandate, err error) {
	if who.For != "" {
		return m, resource.Refusal(who)
	}
	err = invited(ctx, who, code, p.Store.Update, func(tx store.Tx) (err error) {
		m, err = mandate.TakeOn(tx, who, code, p.Now())
		return err
	})
	if err != nil {
		return m, err
	}
	return m, p.updateOwn(ctx, who, func(tx store.Tx) error { return mandate.Note(tx, m, p.Now()) })
}

// Helped returns the mandates by which who acts for others, as they hold now.
func (p *Pod) Helped(ctx context.Context, who acl.Agent) ([]mandate.Mandate, error) {
	return p.helped(ctx, who, func(mandate.Mandate) bool { return true })
}

func (p *Pod) helped(ctx context.Context, who acl.Agent, wanted func(note mandate.Mandate) bool) ([]mandate.Mandate, error) {
	var notes, all []mandate.Mandate
	err := p.viewOwn(ctx, who, func(tx store.Tx) (err error) { notes, err = mandate.Notes(tx); return err })
	if err != nil {
		return nil, err
	}
	for _, n := range notes {
		if !wanted(n) {
			continue
		}
		as, m := who, mandate.Mandate{}
		as.For = n.Owner
		err := p.viewFor(ctx, as, func(tx store.Tx) (err error) { m, err = mandate.Held(tx, who, n.ID, p.Now()); return err })
		switch {
		case ldp.KindOf(err) == ldp.Forbidden: // it has ended
		case err != nil:
			return nil, err
		default:
			all = append(all, m)
		}
	}
	return all, nil
}

// ActFor returns who as the agent that acts by the mandate with the id, and the
// mandate. Whether she still may is decided again whenever she does anything.
func (p *Pod) ActFor(ctx context.Context, who acl.Agent, id string) (acl.Agent, mandate.Mandate, error) {
	all, err := p.helped(ctx, who, func(note mandate.Mandate) bool { return note.ID == id })
	if err != nil {
		return acl.Agent{}, mandate.Mandate{}, err
	}
	if len(all) == 0 {
		return acl.Agent{}, mandate.Mandate{}, ldp.Refuse(ldp.Gone, "You don't act for this person, or no longer.")
	}
	who.For = all[0].Owner
	return who, all[0], nil
}
