// SPDX-License-Identifier: EUPL-1.2

package pod_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/loan"
)

// TestLend: what is lent can be used by whom it was lent to and nobody else, what
// others had stays theirs, and what is ended has ended.
func TestLend(t *testing.T) {
	w := newTown(t)
	ctx := t.Context()
	root := ldp.ID(strings.TrimSuffix(strings.TrimPrefix(string(w.alva.ID), base), "profile/card#me"))
	write := func(path string) error {
		_, err := w.pod.Put(ctx, w.alva, ldp.Put{ID: root + ldp.ID(path), Type: "text/plain", Body: strings.NewReader("x"), Size: 1})
		return err
	}
	must(t, write("notes/a"))
	must(t, write("notes/deep/b"))
	must(t, write("other"))
	bob, eve := acl.Agent{ID: "https://bob.example/#me"}, acl.Agent{ID: "https://eve.example/#me"}
	may := func(who acl.Agent, path string) string {
		s := ""
		if _, err := w.pod.Get(ctx, who, read(root+ldp.ID(path), "text/plain")); err == nil {
			s = "r"
		}
		if _, err := w.pod.Put(ctx, who, ldp.Put{ID: root + ldp.ID(path), Type: "text/plain", Body: strings.NewReader("x"), Size: 1}); err == nil {
			s += "w"
		}
		return s
	}
	lend := func(path string, to acl.WebID, m acl.Mode) func() error {
		return func() error { return w.pod.Lend(ctx, w.alva, loan.Loan{On: root + ldp.ID(path), To: to, Modes: m}) }
	}
	unlend := func(path string, to acl.WebID) func() error {
		return func() error { return w.pod.Unlend(ctx, w.alva, loan.Loan{On: root + ldp.ID(path), To: to}) }
	}
	for _, row := range []struct {
		is             string
		do             func() error
		bob, deep, eve string // what Bob may do to notes/a and notes/deep/b, and Eve to notes/a
		kind           error
	}{
		{is: "nothing is lent"},
		{is: "a folder to Bob", do: lend("notes/", bob.ID, acl.Read), bob: "r", deep: "r"},
		{is: "one file in it to everybody", do: lend("notes/a", acl.Public, acl.Read), bob: "r", deep: "r", eve: "r"},
		{is: "the folder to Bob to change: the file keeps its own", do: lend("notes/", bob.ID, acl.Read|acl.Write), bob: "r", deep: "rw", eve: "r"},
		{is: "the file no more to everybody", do: unlend("notes/a", acl.Public), bob: "r", deep: "rw"},
		{is: "the folder no more to Bob: the file is still lent", do: unlend("notes/", bob.ID), bob: "r"},
		{is: "the file no more to Bob", do: unlend("notes/a", bob.ID)},
		{is: "twice", do: unlend("notes/a", bob.ID)},
		{is: "to change, to everybody", do: lend("notes/a", acl.Public, acl.Write), kind: ldp.Invalid},
		{is: "control", do: lend("notes/a", bob.ID, acl.Control), kind: ldp.Invalid},
		{is: "to nobody", do: lend("notes/a", "", acl.Read), kind: ldp.Invalid},
		{is: "to what is no address", do: lend("notes/a", "bob", acl.Read), kind: ldp.Invalid},
		{is: "to oneself", do: lend("notes/a", w.alva.ID, acl.Read), kind: ldp.Invalid},
		{is: "what isn't there", do: lend("nothing", bob.ID, acl.Read), kind: ldp.NotFound},
		{is: "an ACL document", do: lend("notes/.acl", bob.ID, acl.Read), kind: ldp.NotFound},
		{is: "what authorities delivered", do: lend("evidence/", bob.ID, acl.Read), kind: ldp.NotAllowed},
		{is: "what is another's", do: func() error {
			return w.pod.Lend(ctx, w.alva, loan.Loan{On: "/another/a", To: bob.ID, Modes: acl.Read})
		}, kind: ldp.NotFound},
		{is: "what isn't one's own", do: func() error {
			return w.pod.Lend(ctx, bob, loan.Loan{On: root + "notes/a", To: eve.ID, Modes: acl.Read})
		}, kind: ldp.Forbidden},
	} {
		if row.do != nil {
			if err := row.do(); (err != nil || row.kind != nil) && ldp.KindOf(err) != row.kind {
				t.Errorf("%s: %v", row.is, err)
			}
		}
		if b, d, e := may(bob, "notes/a"), may(bob, "notes/deep/b"), may(eve, "notes/a"); b != row.bob || d != row.deep || e != row.eve {
			t.Errorf("%s: Bob may %q, and %q below; Eve %q", row.is, b, d, e)
		}
		told := ""
		if on, err := w.pod.LoansOn(ctx, w.alva, root+"notes/a"); err != nil {
			t.Error(err)
		} else if i := slices.IndexFunc(on, func(l loan.Loan) bool { return l.To == bob.ID }); i >= 0 {
			told = map[bool]string{true: "rw", false: "r"}[on[i].Modes.Has(acl.Write)]
		}
		if told != row.bob {
			t.Errorf("%s: she is told that Bob may %q", row.is, told)
		}
		if s := may(bob, "other"); s != "" {
			t.Errorf("%s: Bob may %s what isn't lent", row.is, s)
		}
	}
	if n := strings.Count(w.actions(), "lend"); n != 7 { // lend and unlend
		t.Errorf("the log says %d times that something is lent or no more: %s", n, w.actions())
	}
}

// TestLoans: the list tells all that others may do, and marks what is so in every
// pod.
func TestLoans(t *testing.T) {
	w := newTown(t)
	root := ldp.ID(strings.TrimSuffix(strings.TrimPrefix(string(w.alva.ID), base), "profile/card#me"))
	must(t, w.pod.Lend(t.Context(), w.alva, loan.Loan{On: root + "settings/", Group: "https://friends.example/#us", Modes: acl.Read | acl.Append}))
	all, err := w.pod.Loans(t.Context(), w.alva)
	must(t, err)
	var got []string
	for _, l := range all {
		got = append(got, fmt.Sprintf("%s: %s%s may %s, below %v, made %v", strings.TrimPrefix(string(l.On), string(root)), l.To, l.Group, l.Modes, l.Below, l.Made))
	}
	want := []string{
		"inbox/: " + string(acl.Authenticated) + " may append, below false, made true",
		"profile/card: " + string(acl.Public) + " may read, below false, made true",
		"settings/: https://friends.example/#us may read append, below true, made false",
		"settings/publicTypeIndex.ttl: " + string(acl.Public) + " may read, below false, made true",
	}
	if !slices.Equal(got, want) {
		t.Errorf("lent is\n%s", strings.Join(got, "\n"))
	}
	if on, err := w.pod.LoansOn(t.Context(), w.alva, root+"inbox/x"); err != nil || len(on) != 0 {
		t.Errorf("what is granted on a folder alone is said of what is in it: %v, %v", on, err)
	}
	if _, err := w.pod.Loans(t.Context(), w.agent(insurer)); ldp.KindOf(err) != ldp.Forbidden {
		t.Errorf("a party: %v", err)
	}
}
