// SPDX-License-Identifier: EUPL-1.2

package pod_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"skrin/pod/consent"
	"skrin/pod/registry"
)

// TestExcess: when a request asks for too much, and when not.
func TestExcess(t *testing.T) {
	w := newTown(t)
	kind, ok := w.pod.Types.Type(certified)
	if !ok {
		t.Fatal("no such type")
	}
	const now, date, long = "registered", "registration_date", "registered_at_least_30_days"
	all := []string{now, date, long}
	made := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	asked := func(fields ...string) consent.Request {
		return consent.Request{Kind: consent.ToRead, Types: []string{certified}, Fields: fields, Created: made, Until: made.AddDate(0, 0, 30)}
	}
	with := func(r consent.Request, edit func(*consent.Request)) consent.Request { edit(&r); return r }
	last := func(days int) func(*consent.Request) {
		return func(r *consent.Request) { r.Until = made.AddDate(0, 0, days) }
	}
	standing := func(r *consent.Request) { r.Standing = true }
	for _, row := range []struct {
		what string
		ask  consent.Request
		use  registry.Use
		want string
	}{
		{"what the purpose needs", asked(long), registry.Use{Fields: all, Needs: []string{long}, Once: true}, ""},
		{"a day, where a yes or no would do", asked(date), registry.Use{Fields: all}, "yesorno [registration_date] [registered_at_least_30_days]"},
		{"a day besides the yes or no about it", asked(date, long), registry.Use{Fields: all}, "yesorno [registration_date] [registered_at_least_30_days]"},
		{"a day that the purpose needs", asked(date), registry.Use{Fields: all, Needs: []string{date}}, ""},
		{"a day, by who is not registered to ask for the yes or no", asked(date), registry.Use{Fields: []string{date, now}}, ""},
		{"a day, that one may leave out", with(asked(long), func(r *consent.Request) { r.Optional = []string{date, now} }), registry.Use{Fields: all, Needs: []string{long}}, ""},
		{"a field without which it can be done", asked(long, now), registry.Use{Fields: all, Needs: []string{long}}, "needless [registered] []"},
		{"the same, where nobody has said what is needed", asked(long, now), registry.Use{Fields: all}, ""},
		{"all of it", asked(all...), registry.Use{Fields: all, Needs: all}, "everything [] []"},
		{"more than is still allowed", asked(long, now), registry.Use{Fields: []string{long}}, "unregistered [registered] []"},
		{"of a use that is no more", asked(long), registry.Use{}, "unregistered [registered_at_least_30_days] []"},
		{"newer ones too, where once is enough", with(asked(long), standing), registry.Use{Fields: all, Once: true}, "later [] []"},
		{"newer ones too, where once may not be", with(asked(long), standing), registry.Use{Fields: all}, ""},
		{"a month, where once is enough", with(asked(long), last(31)), registry.Use{Fields: all, Once: true}, ""},
		{"longer, where once is enough", with(asked(long), last(32)), registry.Use{Fields: all, Once: true}, "long [] []"},
		{"a year", with(asked(long), last(366)), registry.Use{Fields: all}, ""},
		{"longer than a year", with(asked(long), last(367)), registry.Use{Fields: all}, "long [] []"},
		{"too much in several ways", with(with(asked(all...), standing), last(400)), registry.Use{Fields: all, Needs: []string{long}, Once: true},
			"everything [] [], yesorno [registration_date] [registered_at_least_30_days], needless [registered] [], later [] [], long [] []"},
		{"to deposit", consent.Request{Kind: consent.ToDeposit, Types: []string{certified}}, registry.Use{}, ""},
	} {
		o := consent.Offer{Request: row.ask, Use: row.use, Types: []*registry.EvidenceType{kind}}
		var got []string
		for _, e := range o.Excess() {
			got = append(got, fmt.Sprint(e.Kind, " ", e.Fields, " ", e.Instead))
		}
		if got := strings.Join(got, ", "); got != row.want {
			t.Errorf("%s: %s, want %s", row.what, got, row.want)
		}
	}
}

// What a party needs is among what it may ask for.
func TestNeedsAreAmongTheFields(t *testing.T) {
	w := newTown(t)
	party, err := w.pod.Registry.Party(t.Context(), insurer)
	must(t, err)
	party.Uses = []registry.Use{party.Uses[0]}
	party.Uses[0].Needs = []string{"registration_date"}
	if err := party.Check(); err == nil || !strings.Contains(err.Error(), "needs") {
		t.Errorf("a need that it may not ask for: %v", err)
	}
}
