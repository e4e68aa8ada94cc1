// SPDX-License-Identifier: EUPL-1.2

// Package mandate lets one person act for another: what the owner of a pod has
// permitted to whom, until when, and how somebody is invited to take it on. Each
// function works in a transaction that somebody else has begun, in the pod of whom the
// mandate is of; [Note] and [Notes] in that of who helps.
//
// How (2026-11): the owner makes an invitation and
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
package mandate

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
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
	longest        = 731 * 24 * time.Hour // how long a mandate lasts at most
	maxHelpers     = 10                   // mandates and invitations of one owner that hold
	maxHelped      = 20                   // people for whom one helper acts
	maxMandates    = 100                  // all that are kept, with those that have ended
)

const (
	key = "M" // the owner's mandates, the oldest first
	// NotesKey holds the notes of those by which the owner acts for others.
	NotesKey = "O"
)

// desk is what a mandate is to: all that the owner decides on her pages. It is no
// path of any resource.
const desk = "/me/"

// NameOf returns the name of the pod that the invitation with the code is of.
func NameOf(code string) store.Name { return nameOf(digestOf(code)) }

func nameOf(digest string) store.Name { return store.Name("help/" + digest) }

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

// May decides whether who may do mode in the name of the pod's owner: the owner all,
// and who has a mandate what that says; but nobody else while the owner is about to
// leave. Control, which no mandate gives, is to change settings, take all of it out,
// erase, and appoint others.
func May(tx store.Tx, who acl.Agent, mode acl.Mode, now time.Time) error {
	own, err := record.HomeOf(tx)
	if err != nil {
		return err
	}
	grants := []acl.Grant{{To: own.Owner, On: desk, Modes: acl.Read | acl.Write | acl.Control, Because: "owner"}}
	if who.For != "" {
		grants = nil
		all, err := load(tx)
		if err != nil {
			return err
		}
		if who.For == own.Owner && own.Leaves.IsZero() && own.Moved == "" {
			for _, m := range all {
				grants = append(grants, m.grant())
			}
		}
	}
	if _, ok := acl.Decide(grants, who, mode, desk, now); !ok {
		return resource.Refusal(who)
	}
	return nil
}

// New returns an invitation of the owner's with the Name, Whose, Modes and Until of m,
// and its code, which is told nowhere else. Whoever has the code can take it on, once,
// within [InvitationLife].
func New(owner acl.WebID, m Mandate, random io.Reader, now time.Time) (invitation Mandate, code string, err error) {
	made := now.UTC().Truncate(time.Second)
	switch {
	case !goodName(m.Name) || !goodName(m.Whose):
		return m, "", ldp.Refuse(ldp.Invalid, "Both names are needed, of at most 60 characters, with no personal number in them.")
	case m.Modes != acl.Read && m.Modes != acl.Read|acl.Write:
		return m, "", ldp.Refuse(ldp.Invalid, "A mandate is to see, or to see and answer.")
	case !m.Until.After(now) || m.Until.After(made.Add(longest)):
		return m, "", ldp.Refuse(ldp.Invalid, "A mandate ends within two years.")
	}
	if code, err = store.NewID(random); err != nil {
		return m, "", err
	}
	id, err := store.NewID(random)
	if err != nil {
		return m, "", err
	}
	return Mandate{ID: id, Owner: owner, Whose: m.Whose, Name: m.Name, Modes: m.Modes, Made: made, Until: m.Until, Code: digestOf(code)}, code, nil
}

// goodName reports whether a name may be that of a helper, or of whom she helps.
func goodName(s string) bool { return s != "" && s[0] != '/' && text.IsName(s) }

// Invite keeps an invitation in the owner's pod, and logs it.
func Invite(tx store.Tx, m Mandate, now time.Time) error {
	own, err := record.HomeOf(tx)
	if err != nil {
		return err
	}
	if !own.Leaves.IsZero() {
		return ldp.Refuse(ldp.Conflict, "All of it is about to be erased. Stay first.")
	}
	all, err := load(tx)
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
	tx.Claim(nameOf(m.Code))
	if err := log.Enter(tx, now, log.Entry{Action: log.DidInvite, Path: m.Name}); err != nil {
		return err
	}
	return save(tx, append(all, m), now)
}

func load(tx store.Tx) ([]Mandate, error) {
	all, err := store.Load[[]Mandate](tx, key)
	if err != nil || all == nil {
		return nil, err
	}
	return *all, nil
}

// save keeps the newest of those that have ended, and all others.
func save(tx store.Tx, all []Mandate, now time.Time) error {
	for i := 0; len(all) > maxMandates && i < len(all); {
		if m := &all[i]; m.Holds(now) || m.Open(now) {
			i++
			continue
		}
		tx.Release(nameOf(all[i].Code))
		all = slices.Delete(all, i, i+1)
	}
	return store.Save(tx, key, all)
}

// All returns the owner's mandates and invitations, with those that have ended, the
// newest first.
func All(tx store.Tx) ([]Mandate, error) {
	all, err := load(tx)
	slices.Reverse(all)
	return all, err
}

// Dismiss ends a mandate or an invitation of the owner's, or a helper's own, and logs
// it. To end it twice is no error.
func Dismiss(tx store.Tx, who acl.Agent, id string, now time.Time) error {
	all, err := load(tx)
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
	all[i].Ended = now.UTC().Truncate(time.Second)
	tx.Release(nameOf(all[i].Code))
	if err := log.Enter(tx, now, log.Entry{Action: log.DidDismiss, Agent: all[i].To, Path: all[i].Name}); err != nil {
		return err
	}
	return save(tx, all, now)
}

// Gone is the answer to whom an invitation lets in no more, or never did.
func Gone() error { return ldp.Refuse(ldp.Gone, "This invitation does not hold, or no longer.") }

// Find returns the invitation with the code, while it is open; to who took it on, as
// long as the mandate holds.
func Find(tx store.Tx, who acl.Agent, code string, now time.Time) (Mandate, error) {
	all, i, err := find(tx, who, code, now)
	if err != nil {
		return Mandate{}, err
	}
	return all[i], nil
}

func find(tx store.Tx, who acl.Agent, code string, now time.Time) (all []Mandate, i int, err error) {
	own, err := record.HomeOf(tx)
	if err != nil {
		return nil, 0, err
	}
	if all, err = load(tx); err != nil {
		return nil, 0, err
	}
	digest := digestOf(code)
	i = slices.IndexFunc(all, func(m Mandate) bool { return m.Code == digest })
	if i < 0 || !own.Leaves.IsZero() {
		return nil, 0, Gone()
	}
	if mine := all[i].To == who.ID && all[i].Holds(now); !mine && !all[i].Open(now) {
		return nil, 0, Gone()
	}
	return all, i, nil
}

// TakeOn makes who the helper of whom the invitation with the code is of, and logs it.
// To take it on twice is no error.
func TakeOn(tx store.Tx, who acl.Agent, code string, now time.Time) (Mandate, error) {
	all, i, err := find(tx, who, code, now)
	if err != nil {
		return Mandate{}, err
	}
	m := &all[i]
	if m.Owner == who.ID {
		return *m, ldp.Refuse(ldp.Conflict, "This invitation is your own. Give it to whom you want to act for you.")
	}
	if m.To == who.ID {
		return *m, nil
	}
	m.To, m.Taken = who.ID, now.UTC().Truncate(time.Second)
	taken := *m
	if err := log.Enter(tx, now, log.Entry{Action: log.DidAppoint, Agent: m.To, Path: m.Name}); err != nil {
		return taken, err
	}
	return taken, save(tx, all, now)
}

// Held returns the mandate with the id, if it is who's and holds.
func Held(tx store.Tx, who acl.Agent, id string, now time.Time) (Mandate, error) {
	all, err := load(tx)
	if err != nil {
		return Mandate{}, err
	}
	i := slices.IndexFunc(all, func(m Mandate) bool { return m.ID == id && m.To == who.ID && m.Holds(now) })
	if i < 0 {
		return Mandate{}, resource.Refusal(who)
	}
	return all[i], nil
}

// Note notes in the pod of who helps that she acts for another; what no longer holds
// as far as the note can tell makes room.
func Note(tx store.Tx, m Mandate, now time.Time) error {
	all, err := Notes(tx)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(n Mandate) bool { return n.ID == m.ID || !now.Before(n.Until) })
	return store.Save(tx, NotesKey, append(all[max(0, len(all)+1-maxHelped):], Mandate{ID: m.ID, Owner: m.Owner, Until: m.Until}))
}

// Notes returns what was noted: of each mandate the ID, the Owner and Until.
func Notes(tx store.Tx) ([]Mandate, error) {
	all, err := store.Load[[]Mandate](tx, NotesKey)
	if err != nil || all == nil {
		return nil, err
	}
	return *all, nil
}

// Release gives up the names by which invitations are found.
func Release(tx store.Tx) error {
	all, err := load(tx)
	for _, m := range all {
		tx.Release(nameOf(m.Code))
	}
	return err
}
