// SPDX-License-Identifier: EUPL-1.2

package pod_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"skrin/ldp"
	"skrin/pod/consent"
	"skrin/pod/credential"
	"skrin/pod/evidence"
)

// TestSharesAreFound: each consent is on one page, whatever has happened to it, those
// that hold first; and what ends soon, and what is read of a piece of evidence.
func TestSharesAreFound(t *testing.T) {
	w := newTown(t)
	w.deposit(w.connect(), w.issue(9, func(s *credential.Statement) { s.Expires = w.now.AddDate(1, 0, 0) }))
	named := map[string]string{} // by consent
	give := func(name string, days int) {
		out := w.answer(name, insurer, asks(), func(o consent.Offer) consent.Answer {
			a := agree(o)
			a.Until = time.Date(2026, 11, 22+days, 0, 0, 0, 0, time.UTC)
			return a
		})
		var d consent.Detail
		must(t, json.Unmarshal(out.Details[0], &d))
		named[d.Consent] = name
	}
	for name, days := range map[string]int{"a day": 1, "a week": 7, "ten days": 10, "a month": 30, "half a year": 180, "two months": 60} {
		give(name, days)
	}
	idOf := func(name string) string {
		for id, n := range named {
			if n == name {
				return id
			}
		}
		t.Fatal(name)
		return ""
	}
	names := func(all []consent.Share) string {
		var s []string
		for _, one := range all {
			s = append(s, named[one.Consent.ID])
		}
		return strings.Join(s, ", ")
	}
	pages := func(n int) (all []consent.Share) {
		for after, page := "", 0; page == 0 || after != ""; page++ {
			some, more, err := w.pod.SharesAfter(t.Context(), w.alva, after, n)
			must(t, err)
			if len(some) > n || page > 10 {
				t.Fatalf("page %d has %d", page, len(some))
			}
			all, after = append(all, some...), more
		}
		return all
	}
	piece := func() evidence.Evidence {
		some, _, err := w.pod.Pieces(t.Context(), w.alva, 0, 1)
		must(t, err)
		return some[0]
	}()
	for _, row := range []struct {
		what  string
		do    func()
		want  string
		holds int
		soon  string
	}{
		{"all hold", func() {}, "half a year, two months, a month, ten days, a week, a day", 6, "ten days, a week, a day"},
		{"one is withdrawn", func() { must(t, w.pod.Withdraw(t.Context(), w.alva, idOf("two months"))) }, "half a year, a month, ten days, a week, a day, two months", 5, "ten days, a week, a day"},
		{"it is withdrawn again", func() { must(t, w.pod.Withdraw(t.Context(), w.alva, idOf("two months"))) }, "half a year, a month, ten days, a week, a day, two months", 5, "ten days, a week, a day"},
		{"a week goes by", func() { w.now = w.now.AddDate(0, 0, 8) }, "half a year, a month, ten days, a week, a day, two months", 3, "ten days"},
		{"one is withdrawn after another has ended", func() { must(t, w.pod.Withdraw(t.Context(), w.alva, idOf("half a year"))) }, "a month, ten days, half a year, a week, a day, two months", 2, "ten days"},
	} {
		row.do()
		for _, n := range []int{1, 2, 3, 100} {
			all := pages(n)
			if got := names(all); got != row.want {
				t.Errorf("%s: %d a page: %s, want %s", row.what, n, got, row.want)
			}
			if holds := slices.IndexFunc(append(all, consent.Share{}), func(s consent.Share) bool { return !s.Active }); holds != row.holds {
				t.Errorf("%s: the first %d hold, want %d", row.what, holds, row.holds)
			}
		}
		soon, err := w.pod.Ending(t.Context(), w.alva, w.now.AddDate(0, 0, 14), 100)
		must(t, err)
		if got := names(soon); got != row.soon {
			t.Errorf("%s: ends soon: %s, want %s", row.what, got, row.soon)
		}
		some, total, err := w.pod.SharesOf(t.Context(), w.alva, &piece, 2)
		must(t, err)
		if total != row.holds || len(some) != 2 {
			t.Errorf("%s: %d of %d are read of the evidence, want %d", row.what, len(some), total, row.holds)
		}
	}
	one, err := w.pod.Share(t.Context(), w.alva, idOf("a month"))
	must(t, err)
	if !one.Active || !one.Paused.IsZero() {
		t.Errorf("%+v", one)
	}
	must(t, w.pod.Freeze(t.Context(), w.alva, insurer))
	if one, err = w.pod.Share(t.Context(), w.alva, one.Consent.ID); err != nil || one.Paused.IsZero() {
		t.Errorf("paused: %+v, %v", one.Paused, err)
	}
	for _, bad := range []string{"x", strings.Repeat("0", 42), strings.Repeat("0", 16) + "../../" + strings.Repeat("a", 20)} {
		if _, _, err := w.pod.SharesAfter(t.Context(), w.alva, bad, 5); ldp.KindOf(err) != ldp.NotFound {
			t.Errorf("after %q: %v", bad, err)
		}
		if _, err := w.pod.Share(t.Context(), w.alva, bad); ldp.KindOf(err) != ldp.NotFound {
			t.Errorf("the consent %q: %v", bad, err)
		}
	}
}

// What was asked is found as long as it is open, and its time has not passed.
func TestOpenRequestsAreFound(t *testing.T) {
	w := newTown(t)
	w.deposit(w.connect(), w.issue(3, nil))
	open := func(want ...string) {
		t.Helper()
		all, err := w.pod.Requests(t.Context(), w.alva)
		must(t, err)
		var got []string
		for _, o := range all {
			got = append(got, o.Request.Key)
		}
		if slices.Sort(got); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("open: %v, want %v", got, want)
		}
	}
	begin := func(key string) string {
		id, err := w.pod.Begin(t.Context(), w.alva, key, insurer, []json.RawMessage{asks()})
		must(t, err)
		return id
	}
	first := begin("a")
	begin("a")
	w.now = w.now.AddDate(0, 0, 5)
	second := begin("b")
	open("a", "b")
	_, err := w.pod.Answer(t.Context(), w.alva, second, consent.Answer{})
	must(t, err)
	open("a")
	begin("c")
	w.now = w.now.AddDate(0, 0, 10)
	open("c")
	if _, err := w.pod.Answer(t.Context(), w.alva, first, consent.Answer{}); ldp.KindOf(err) != ldp.Conflict {
		t.Errorf("answered too late: %v", err)
	}
	open("c")
}
