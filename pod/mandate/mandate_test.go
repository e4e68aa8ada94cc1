// SPDX-License-Identifier: EUPL-1.2

package mandate_test

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/mandate"
	"skrin/pod/podtest"
	"skrin/pod/record"
	"skrin/pod/store"
)

const alva = acl.WebID("https://pod.example.se/alva/profile/card#me")

var (
	now   = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	karin = acl.Agent{ID: "https://pod.example.se/karin/profile/card#me"}
	bo    = acl.Agent{ID: "https://pod.example.se/bo/profile/card#me"}
)

// A house is Alva's pod.
type house struct {
	t *testing.T
	store.Store
}

func newHouse(t *testing.T) *house {
	h := &house{t, podtest.NewFake(t, podtest.New(t))}
	err := h.Create(t.Context(), "alva", func(tx store.Tx) error {
		tx.Claim("pod/alva")
		tx.Put(record.HomeKey, record.Home{Owner: alva, Name: "alva", Person: "person-alva"}.Encode())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// at runs fn on Alva's pod, and fails the test unless it ends as wanted: 0 for well.
func (h *house) at(is string, want ldp.Kind, fn func(store.Tx) error) {
	h.t.Helper()
	err := h.Update(h.t.Context(), "pod/alva", fn)
	if (err == nil) != (want == 0) || err != nil && ldp.KindOf(err) != want {
		h.t.Errorf("%s: %v", is, err)
	}
}

// invite has Alva invite somebody for a month, and returns the code.
func (h *house) invite(modes acl.Mode) string {
	h.t.Helper()
	m, code, err := mandate.New(alva, mandate.Mandate{Name: "Karin", Whose: "Alva", Modes: modes, Until: now.AddDate(0, 1, 0)}, rand.Reader, now)
	if err != nil {
		h.t.Fatal(err)
	}
	h.at("an invitation", 0, func(tx store.Tx) error { return mandate.Invite(tx, m, now) })
	return code
}

// TestNew: what an invitation must say.
func TestNew(t *testing.T) {
	good := mandate.Mandate{Name: "Karin", Whose: "Alva", Modes: acl.Read, Until: now.AddDate(0, 1, 0)}
	for name, edit := range map[string]func(*mandate.Mandate){
		"without a name":           func(m *mandate.Mandate) { m.Name = "" },
		"without her own":          func(m *mandate.Mandate) { m.Whose = "" },
		"with a personal number":   func(m *mandate.Mandate) { m.Name = "Karin 19811228-9874" },
		"for a path":               func(m *mandate.Mandate) { m.Name = "/x y" },
		"to write alone":           func(m *mandate.Mandate) { m.Modes = acl.Write },
		"to control":               func(m *mandate.Mandate) { m.Modes = acl.Read | acl.Control },
		"that is over":             func(m *mandate.Mandate) { m.Until = now },
		"for more than two years":  func(m *mandate.Mandate) { m.Until = now.AddDate(2, 0, 2) },
		"without an end":           func(m *mandate.Mandate) { m.Until = time.Time{} },
		"with what can't be shown": func(m *mandate.Mandate) { m.Whose = "Alva\u202e" },
	} {
		m := good
		edit(&m)
		if _, code, err := mandate.New(alva, m, rand.Reader, now); ldp.KindOf(err) != ldp.Invalid || code != "" {
			t.Errorf("an invitation %s: %v", name, err)
		}
	}
	m, code, err := mandate.New(alva, good, rand.Reader, now)
	if err != nil || m.Owner != alva || m.To != "" || strings.Contains(m.Code, code) || strings.Contains(m.ID, code) {
		t.Errorf("an invitation: %+v, %v", m, err)
	}
}

// TestMay: who may do what in whose name.
func TestMay(t *testing.T) {
	owner := acl.Agent{ID: alva}
	helper := func(a acl.Agent) acl.Agent { a.For = alva; return a }
	month := now.AddDate(0, 1, 0)
	all := acl.Read | acl.Write | acl.Control
	edit := func(change func(*record.Home)) func(tx store.Tx) error {
		return func(tx store.Tx) error {
			own, err := record.HomeOf(tx)
			if err != nil {
				return err
			}
			change(&own)
			tx.Put(record.HomeKey, own.Encode())
			return nil
		}
	}
	for _, row := range []struct {
		is    string
		modes acl.Mode // that Karin was given; 0 for none
		after func(tx store.Tx) error
		who   acl.Agent
		now   time.Time
		may   acl.Mode
	}{
		{"the owner", 0, nil, owner, now, all},
		{"a stranger", acl.Read | acl.Write, nil, acl.Agent{}, now, 0},
		{"a stranger in her name", acl.Read | acl.Write, nil, helper(acl.Agent{}), now, 0},
		{"who sees", acl.Read, nil, helper(karin), now, acl.Read},
		{"who answers", acl.Read | acl.Write, nil, helper(karin), now, acl.Read | acl.Write},
		{"who answers, in her own name", acl.Read | acl.Write, nil, karin, now, 0},
		{"who answers, in another's name", acl.Read | acl.Write, nil, acl.Agent{ID: karin.ID, For: bo.ID}, now, 0},
		{"another", acl.Read | acl.Write, nil, helper(bo), now, 0},
		{"the owner in her own name, as if for another", 0, nil, helper(owner), now, 0},
		{"a moment before it ends", acl.Read, nil, helper(karin), month.Add(-time.Second), acl.Read},
		{"when it ends", acl.Read, nil, helper(karin), month, 0},
		{"while she is about to leave", acl.Read, edit(func(h *record.Home) { h.Leaves = month }), helper(karin), now, 0},
		{"the owner who is about to leave", 0, edit(func(h *record.Home) { h.Leaves = month }), owner, now, all},
		{"when the pod has moved", acl.Read, edit(func(h *record.Home) { h.Moved = "https://other.example/a/" }), helper(karin), now, 0},
		{"when it was ended", acl.Read, func(tx store.Tx) error {
			all, err := mandate.All(tx)
			if err != nil {
				return err
			}
			return mandate.Dismiss(tx, helper(karin), all[0].ID, now)
		}, helper(karin), now, 0},
	} {
		h := newHouse(t)
		if row.modes != 0 {
			code := h.invite(row.modes)
			h.at("she takes it on", 0, func(tx store.Tx) error { _, err := mandate.TakeOn(tx, karin, code, now); return err })
		}
		if row.after != nil {
			h.at(row.is, 0, row.after)
		}
		for _, mode := range []acl.Mode{acl.Read, acl.Write, acl.Control} {
			err := h.View(t.Context(), "pod/alva", func(tx store.Tx) error { return mandate.May(tx, row.who, mode, row.now) })
			if (err == nil) != row.may.Has(mode) || err != nil && ldp.KindOf(err) != ldp.Forbidden && ldp.KindOf(err) != ldp.Unauthenticated {
				t.Errorf("%s may %s: %v", row.is, mode, err)
			}
		}
	}
}

// TestTakeOn: an invitation is for one person, who has the code, in time.
func TestTakeOn(t *testing.T) {
	h := newHouse(t)
	code := h.invite(acl.Read)
	take := func(is string, who acl.Agent, code string, at time.Time, want ldp.Kind) {
		t.Helper()
		h.at(is, want, func(tx store.Tx) error { _, err := mandate.TakeOn(tx, who, code, at); return err })
	}
	take("her own", acl.Agent{ID: alva}, code, now, ldp.Conflict)
	take("another code", karin, strings.Repeat("a", 26), now, ldp.Gone)
	take("too late", karin, code, now.Add(mandate.InvitationLife), ldp.Gone)
	take("in time", karin, code, now.Add(mandate.InvitationLife-time.Second), 0)
	take("again", karin, code, now.Add(mandate.InvitationLife), 0)
	take("by somebody else", bo, code, now, ldp.Gone)
	for is, row := range map[string]struct {
		who  acl.Agent
		want ldp.Kind
	}{"who took it on looks": {karin, 0}, "somebody else looks": {bo, ldp.Gone}} {
		h.at(is, row.want, func(tx store.Tx) error { _, err := mandate.Find(tx, row.who, code, now); return err })
	}
	for range 9 {
		h.invite(acl.Read)
	}
	m, _, err := mandate.New(alva, mandate.Mandate{Name: "Bo", Whose: "Alva", Modes: acl.Read, Until: now.AddDate(0, 1, 0)}, rand.Reader, now)
	if err != nil {
		t.Fatal(err)
	}
	h.at("an eleventh", ldp.Conflict, func(tx store.Tx) error { return mandate.Invite(tx, m, now) })
	h.at("an eleventh when the others are over", 0, func(tx store.Tx) error { return mandate.Invite(tx, m, now.AddDate(0, 2, 0)) })
	h.at("all names are released", 0, mandate.Release)
	if err := h.View(t.Context(), mandate.NameOf(code), func(store.Tx) error { return nil }); err == nil {
		t.Error("an invitation is found by a name that was released")
	}
}

// TestNotes: the newest twenty are kept, each once, and none that is over.
func TestNotes(t *testing.T) {
	h := newHouse(t)
	note := func(id string, until time.Time) func(tx store.Tx) error {
		return func(tx store.Tx) error {
			return mandate.Note(tx, mandate.Mandate{ID: id, Owner: alva, Name: "Karin", Until: until}, now)
		}
	}
	h.at("one that is over", 0, note("over", now.Add(-time.Second)))
	for i := range 25 {
		h.at("one", 0, note(string(rune('a'+i)), now.AddDate(0, 1, 0)))
	}
	h.at("one again", 0, note("y", now.AddDate(0, 2, 0)))
	h.at("they are", 0, func(tx store.Tx) error {
		all, err := mandate.Notes(tx)
		if len(all) != 20 || all[0].ID != "f" || all[19].ID != "y" || all[19].Name != "" || !all[19].Until.Equal(now.AddDate(0, 2, 0)) {
			t.Errorf("the notes are %+v", all)
		}
		return err
	})
}
