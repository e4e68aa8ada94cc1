// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/log"
	"skrin/pod/record"
	"skrin/pod/resource"
	"skrin/pod/store"
	"skrin/pod/text"
)

// How one person acts for another (2026-11): the owner makes an invitation and
// hands its code over herself; whoever takes it on is an [acl.Agent] with the owner
// as For. Nobody is found by a name or a number, so that nobody learns who is here.
// The mandate is in the owner's pod, and is looked at in each transaction, by
// acl.Decide like all else; the helper's pod has a note of it, by which she finds
// it again. We gave up that a mandate comes from a register (a guardian's, a
// company's). Evidence of guardianship, which a pod can hold, is a reason for one and
// can't be one: evidence names nobody, so it says that its holder is a guardian, and in
// what, and not of whom; and to match the two by a name or a number is what nobody
// here can do. It takes a provider that knows both, and appoints in the spaces that it
// has with each: an adapter to the register, which is still to be made. We also gave up
// that a mandate goes along when the pod moves, where people have other WebIDs.

// A Mandate lets somebody act for the owner of a pod.
type Mandate struct {
	ID    string
	Owner acl.WebID // for whom
	Whose string    // how the helper is told who that is, in the owner's words
	To    acl.WebID // the helper; "" until somebody has taken it on
	Name  string    // what the owner calls the helper
	Modes acl.Mode  // Read: to see what is kept, shared and logged; with Write: to answer requests and withdraw too
	Made  time.Time
	Taken time.Time // zero until somebody has
	Until time.Time // when it ends, at the latest
	Ended time.Time // by either of the two; zero for not
	Code  string    // digest of the invitation's code
}

// Holds reports whether the helper may act at the time now.
func (m Mandate) Holds(now time.Time) bool {
	return m.To != "" && m.Ended.IsZero() && now.Before(m.Until)
}

// Answers reports whether it is to answer too, and not to see alone.
func (m Mandate) Answers() bool { return m.Modes.Has(acl.Write) }

// Over returns when it ended, or ends.
func (m Mandate) Over() time.Time {
	if m.Ended.IsZero() {
		return m.Until
	}
	return m.Ended
}

// Open reports whether the invitation can be taken on at the time now.
func (m Mandate) Open(now time.Time) bool {
	return m.To == "" && m.Ended.IsZero() && now.Before(m.Until) && now.Before(m.Made.Add(InvitationLife))
}

// Limits of mandates.
const (
	InvitationLife = 7 * 24 * time.Hour   // how long an invitation can be taken on
	MaxMandate     = 731 * 24 * time.Hour // how long a mandate lasts at most
	maxHelpers     = 10                   // mandates and invitations of one owner that hold
	maxHelped      = 20                   // people for whom one helper acts
	maxMandates    = 100                  // all that are kept, with those that have ended
)

const (
	mandatesKey = "M" // the owner's mandates, the oldest first
	helpedKey   = "O" // the notes of those by which the owner acts for others
)

// desk is what a mandate is to: all that the owner decides on her pages. It is no
// path of any resource.
const desk = "/me/"

func invitationName(code string) store.Name { return store.Name("help/" + code) }

func digestOf(code string) string {
	sum := sha256.Sum256([]byte("invitation\x00" + code))
	return hex.EncodeToString(sum[:])
}

// grant returns what the mandate permits.
func (m *Mandate) grant() acl.Grant {
	if !m.Ended.IsZero() {
		return acl.Grant{}
	}
	return acl.Grant{To: m.To, On: desk, Modes: m.Modes & (acl.Read | acl.Write), Until: m.Until, Because: m.ID}
}

// mayActFor decides, in the transaction, whether who may do mode in the name of the
// pod's owner: the owner all, and who has a mandate what that says; but nobody
// else while the owner is about to leave. Control, which no mandate gives, is to
// change settings, take all of it out, erase, and appoint others.
func (p *Pod) mayActFor(tx store.Tx, who acl.Agent, mode acl.Mode) error {
	own, err := record.HomeOf(tx)
	if err != nil {
		return err
	}
	grants := []acl.Grant{{To: own.Owner, On: desk, Modes: acl.Read | acl.Write | acl.Control, Because: "owner"}}
	if who.For != "" {
		grants = nil
		all, err := store.Load[[]Mandate](tx, mandatesKey)
		if err != nil {
			return err
		}
		if all != nil && who.For == own.Owner && own.Leaves.IsZero() && own.Moved == "" {
			for _, m := range *all {
				grants = append(grants, m.grant())
			}
		}
	}
	if _, ok := acl.Decide(grants, who, mode, desk, p.Now()); !ok {
		return resource.Refusal(who)
	}
	return nil
}

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
	key := fmt.Sprintf("x%s\x00\x00look\x00%s\x00%s", p.Now().UTC().Format(time.DateOnly), who.ID, part)
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
			return log.Enter(tx, p.Now(), log.Entry{Action: log.DidLook, Why: part})
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
// code can take it on, once, within [InvitationLife].
func (p *Pod) Invite(ctx context.Context, who acl.Agent, m Mandate) (code string, err error) {
	now := p.Now().UTC().Truncate(time.Second)
	switch {
	case !goodName(m.Name) || !goodName(m.Whose):
		return "", ldp.Refuse(ldp.Invalid, "Both names are needed, of at most 60 characters, with no personal number in them.")
	case m.Modes != acl.Read && m.Modes != acl.Read|acl.Write:
		return "", ldp.Refuse(ldp.Invalid, "A mandate is to see, or to see and answer.")
	case !m.Until.After(p.Now()) || m.Until.After(now.Add(MaxMandate)):
		return "", ldp.Refuse(ldp.Invalid, "A mandate ends within two years.")
	}
	if code, err = store.NewID(p.Rand); err != nil {
		return "", err
	}
	id, err := store.NewID(p.Rand)
	if err != nil {
		return "", err
	}
	m = Mandate{ID: id, Owner: who.ID, Whose: m.Whose, Name: m.Name, Modes: m.Modes, Made: now, Until: m.Until, Code: digestOf(code)}
	return code, p.updateOwn(ctx, who, func(tx store.Tx) error {
		own, err := record.HomeOf(tx)
		if err != nil {
			return err
		}
		if !own.Leaves.IsZero() {
			return ldp.Refuse(ldp.Conflict, "All of it is about to be erased. Stay first.")
		}
		all, err := mandates(tx)
		if err != nil {
			return err
		}
		hold := 0
		for _, old := range all {
			if old.Holds(now) || old.Open(now) {
				hold++
			}
		}
		if hold >= maxHelpers {
			return ldp.Refuse(ldp.Conflict, "There are as many helpers as there can be. End one first.")
		}
		tx.Claim(invitationName(m.Code))
		if err := log.Enter(tx, p.Now(), log.Entry{Action: log.DidInvite, Path: m.Name}); err != nil {
			return err
		}
		return saveMandates(tx, append(all, m), now)
	})
}

// goodName reports whether a name may be that of a helper, or of whom she helps.
func goodName(s string) bool { return s != "" && s[0] != '/' && text.IsName(s) }

func mandates(tx store.Tx) ([]Mandate, error) {
	all, err := store.Load[[]Mandate](tx, mandatesKey)
	if err != nil || all == nil {
		return nil, err
	}
	return *all, nil
}

// saveMandates keeps the newest of those that have ended, and all others.
func saveMandates(tx store.Tx, all []Mandate, now time.Time) error {
	for i := 0; len(all) > maxMandates && i < len(all); {
		if m := &all[i]; m.Holds(now) || m.Open(now) {
			i++
			continue
		}
		tx.Release(invitationName(all[i].Code))
		all = slices.Delete(all, i, i+1)
	}
	return store.Save(tx, mandatesKey, all)
}

// Mandates returns the owner's mandates and invitations, with those that have
// ended, the newest first. They name who is in the log, so helpers see them too.
func (p *Pod) Mandates(ctx context.Context, who acl.Agent) (all []Mandate, err error) {
	err = p.viewFor(ctx, who, func(tx store.Tx) error {
		all, err = mandates(tx)
		slices.Reverse(all)
		return err
	})
	return all, err
}

// Dismiss ends a mandate or an invitation of the owner's; a helper ends her own. To
// end it twice is no error.
func (p *Pod) Dismiss(ctx context.Context, who acl.Agent, id string) error {
	end := func(tx store.Tx) error {
		all, err := mandates(tx)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(all, func(m Mandate) bool { return m.ID == id && (who.For == "" || m.To == who.ID) })
		if i < 0 {
			return ldp.Refuse(ldp.NotFound, "There is no such mandate.")
		}
		if !all[i].Ended.IsZero() {
			return nil
		}
		all[i].Ended = p.Now().UTC().Truncate(time.Second)
		tx.Release(invitationName(all[i].Code))
		if err := log.Enter(tx, p.Now(), log.Entry{Action: log.DidDismiss, Agent: all[i].To, Path: all[i].Name}); err != nil {
			return err
		}
		return saveMandates(tx, all, p.Now())
	}
	if who.For != "" {
		return owned(p.Store.Update(ctx, p.deskOf(who), p.asOne(who, acl.Read, end)))
	}
	return p.updateOwn(ctx, who, end)
}

// Invitation returns the invitation with the code, to whoever has signed in and
// has it.
func (p *Pod) Invitation(ctx context.Context, who acl.Agent, code string) (m Mandate, err error) {
	err = p.invited(ctx, who, code, p.Store.View, func(_ store.Tx, all []Mandate, i int) error { m = all[i]; return nil })
	return m, err
}

// invited runs fn on the pod that an invitation is of.
func (p *Pod) invited(ctx context.Context, who acl.Agent, code string, run func(context.Context, store.Name, func(store.Tx) error) error, fn func(tx store.Tx, all []Mandate, i int) error) error {
	gone := ldp.Refuse(ldp.Gone, "This invitation does not hold, or no longer.")
	if !who.Known() || !store.IsID(code) {
		return gone
	}
	digest := digestOf(code)
	err := run(ctx, invitationName(digest), func(tx store.Tx) error {
		own, err := record.HomeOf(tx)
		if err != nil {
			return err
		}
		all, err := mandates(tx)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(all, func(m Mandate) bool { return m.Code == digest })
		if i < 0 || !own.Leaves.IsZero() {
			return gone
		}
		if mine := all[i].To == who.ID && all[i].Holds(p.Now()); !mine && !all[i].Open(p.Now()) {
			return gone
		}
		return fn(tx, all, i)
	})
	if errors.Is(err, store.ErrNoPod) {
		return gone
	}
	return err
}

// TakeOn makes who, the owner of a pod of her own, the helper of whom the
// invitation with the code is of. To take it on twice is no error.
func (p *Pod) TakeOn(ctx context.Context, who acl.Agent, code string) (m Mandate, err error) {
	if who.For != "" {
		return m, resource.Refusal(who)
	}
	err = p.invited(ctx, who, code, p.Store.Update, func(tx store.Tx, all []Mandate, i int) error {
		if m = all[i]; m.Owner == who.ID {
			return ldp.Refuse(ldp.Conflict, "This invitation is your own. Give it to whom you want to act for you.")
		}
		if m.To == who.ID {
			return nil
		}
		m.To, m.Taken = who.ID, p.Now().UTC().Truncate(time.Second)
		all[i] = m
		if err := log.Enter(tx, p.Now(), log.Entry{Action: log.DidAppoint, Agent: m.To, Path: m.Name}); err != nil {
			return err
		}
		return saveMandates(tx, all, p.Now())
	})
	if err != nil {
		return m, err
	}
	return m, p.noteMandate(ctx, who, m)
}

// noteMandate notes in who's own pod that she acts for another; what no longer
// holds as far as the note can tell makes room.
func (p *Pod) noteMandate(ctx context.Context, who acl.Agent, m Mandate) error {
	note := Mandate{ID: m.ID, Owner: m.Owner, Until: m.Until}
	return p.updateOwn(ctx, who, func(tx store.Tx) error {
		notes, err := store.Load[[]Mandate](tx, helpedKey)
		if err != nil {
			return err
		}
		if notes == nil {
			notes = new([]Mandate)
		}
		all := slices.DeleteFunc(*notes, func(n Mandate) bool { return n.ID == m.ID || !p.Now().Before(n.Until) })
		return store.Save(tx, helpedKey, append(all[max(0, len(all)+1-maxHelped):], note))
	})
}

// Helped returns the mandates by which who acts for others, as they hold now.
func (p *Pod) Helped(ctx context.Context, who acl.Agent) ([]Mandate, error) {
	return p.helped(ctx, who, func(Mandate) bool { return true })
}

func (p *Pod) helped(ctx context.Context, who acl.Agent, wanted func(note Mandate) bool) ([]Mandate, error) {
	var notes, all []Mandate
	err := p.viewOwn(ctx, who, func(tx store.Tx) error {
		kept, err := store.Load[[]Mandate](tx, helpedKey)
		if kept != nil {
			notes = *kept
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, n := range notes {
		if !wanted(n) {
			continue
		}
		switch m, err := p.mandate(ctx, who, n); ldp.KindOf(err) {
		case ldp.Forbidden: // it has ended
		default:
			if err != nil {
				return nil, err
			}
			all = append(all, m)
		}
	}
	return all, nil
}

// mandate returns what a note is of, if it holds.
func (p *Pod) mandate(ctx context.Context, who acl.Agent, note Mandate) (m Mandate, err error) {
	as := who
	as.For = note.Owner
	err = p.viewFor(ctx, as, func(tx store.Tx) error {
		all, err := mandates(tx)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(all, func(m Mandate) bool { return m.ID == note.ID && m.To == who.ID && m.Holds(p.Now()) })
		if i < 0 {
			return resource.Refusal(who)
		}
		m = all[i]
		return nil
	})
	return m, err
}

// ActFor returns who as the agent that acts by the mandate with the id, and the
// mandate. Whether she still may is decided again whenever she does anything.
func (p *Pod) ActFor(ctx context.Context, who acl.Agent, id string) (acl.Agent, Mandate, error) {
	all, err := p.helped(ctx, who, func(note Mandate) bool { return note.ID == id })
	if err != nil {
		return acl.Agent{}, Mandate{}, err
	}
	if len(all) == 0 {
		return acl.Agent{}, Mandate{}, ldp.Refuse(ldp.Gone, "You don't act for this person, or no longer.")
	}
	who.For = all[0].Owner
	return who, all[0], nil
}

// releaseInvitations gives up the names by which invitations are found.
func releaseInvitations(tx store.Tx) error {
	all, err := mandates(tx)
	for _, m := range all {
		tx.Release(invitationName(m.Code))
	}
	return err
}
