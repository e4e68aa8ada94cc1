// SPDX-License-Identifier: EUPL-1.2

package loan_test

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/loan"
	"skrin/pod/podtest"
	"skrin/pod/record"
	"skrin/pod/resource"
	"skrin/pod/store"
)

const (
	base = "https://pod.example.se"
	alva = acl.WebID(base + "/alva/profile/card#me")
	bob  = acl.WebID("https://bob.example/#me")
	us   = "https://friends.example/#us"
)

// A door takes note of nothing.
type door struct{ resource.Door }

func (door) Written(store.Tx, *resource.Right) error { return nil }

// newPod makes Alva's pod, with a folder and a file in it.
func newPod(t *testing.T) (store.Store, *resource.Tree) {
	s := podtest.NewFake(t, podtest.New(t))
	tree := &resource.Tree{Base: base, Issuer: base, Now: time.Now, Rand: rand.Reader, Door: door{}}
	err := s.Create(t.Context(), "alva", func(tx store.Tx) error {
		tx.Claim("pod/alva")
		h := record.Home{Owner: alva, Name: "alva", Person: "person-alva"}
		tx.Put(record.HomeKey, h.Encode())
		ch, err := record.NewChange(time.Now(), rand.Reader)
		if err != nil {
			return err
		}
		return tree.Furnish(t.Context(), tx, &ch, h, "/alva/")
	})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Update(t.Context(), "pod/alva", func(tx store.Tx) error {
		return tree.Plant(tx, "/alva/notes/a", "text/plain", []byte("a"))
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, tree
}

// TestOn: what is said of a resource is what its own ACL document says, or the
// nearest above it.
func TestOn(t *testing.T) {
	s, tree := newPod(t)
	to := func(on ldp.ID, who acl.WebID, group string, m acl.Mode) loan.Loan {
		return loan.Loan{On: on, To: who, Group: group, Modes: m}
	}
	for _, row := range []struct {
		is   string
		make bool // or end
		loan loan.Loan
		want []string // on /alva/notes/a
	}{
		{"the folder to Bob", true, to("/alva/notes/", bob, "", acl.Read), []string{"/alva/notes/ " + string(bob) + " read"}},
		{"the folder to Bob to change", true, to("/alva/notes/", bob, "", acl.Read|acl.Write), []string{"/alva/notes/ " + string(bob) + " read write"}},
		{"the file to a group: Bob keeps what he had", true, to("/alva/notes/a", "", us, acl.Read),
			[]string{"/alva/notes/a " + string(bob) + " read write", "/alva/notes/a " + us + " read"}},
		{"the folder no more to Bob: the file has its own rules", false, to("/alva/notes/", bob, "", 0),
			[]string{"/alva/notes/a " + string(bob) + " read write", "/alva/notes/a " + us + " read"}},
		{"the file no more to Bob", false, to("/alva/notes/a", bob, "", 0), []string{"/alva/notes/a " + us + " read"}},
		{"nor to the group", false, to("/alva/notes/a", "", us, 0), nil},
	} {
		err := s.Update(t.Context(), "pod/alva", func(tx store.Tx) error {
			ch, err := record.NewChange(time.Now(), rand.Reader)
			if err != nil {
				return err
			}
			if row.make {
				return loan.Make(t.Context(), tx, tree, &ch, row.loan)
			}
			return loan.End(t.Context(), tx, tree, &ch, row.loan)
		})
		if err != nil {
			t.Fatalf("%s: %v", row.is, err)
		}
		var got []string
		err = s.View(t.Context(), "pod/alva", func(tx store.Tx) error {
			got = nil
			all, err := loan.On(tx, "/alva/notes/a")
			for _, l := range all {
				got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s%s %s", l.On, l.To, l.Group, l.Modes)))
			}
			return err
		})
		if err != nil || !slices.Equal(got, row.want) {
			t.Errorf("%s: %q, want %q (%v)", row.is, got, row.want, err)
		}
	}
}

// TestADamagedDocument: what can't be understood is lent to nobody in the list, and
// nothing is added to it.
func TestADamagedDocument(t *testing.T) {
	s, tree := newPod(t)
	err := s.Update(t.Context(), "pod/alva", func(tx store.Tx) error {
		tx.Put(record.RulesKey("/alva/notes/"), []byte("\xff"))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = s.View(t.Context(), "pod/alva", func(tx store.Tx) error {
		all, err := loan.All(tx)
		if slices.ContainsFunc(all, func(l loan.Loan) bool { return l.On == "/alva/notes/" }) || len(all) == 0 {
			t.Errorf("lent is %v", all)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	err = s.Update(t.Context(), "pod/alva", func(tx store.Tx) error {
		ch, err := record.NewChange(time.Now(), rand.Reader)
		if err != nil {
			return err
		}
		return loan.Make(t.Context(), tx, tree, &ch, loan.Loan{On: "/alva/notes/", To: bob, Modes: acl.Read})
	})
	if ldp.KindOf(err) != ldp.Conflict {
		t.Errorf("lending by a damaged document: %v", err)
	}
}
