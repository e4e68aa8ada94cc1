// SPDX-License-Identifier: EUPL-1.2

package demo

import (
	"bytes"
	"testing"
	"time"
)

// TestOfficePages: every page of every office, as it can look, is for everybody,
// and has its words in both languages.
func TestOfficePages(t *testing.T) {
	p, s := newPlace(t), newSkrin(t)
	for _, plan := range Plans() {
		of, err := NewOffice(options(t, s, p, plan.ID, t.TempDir(), new(bytes.Buffer)), plan, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(of.Close)
		pages := map[string][]any{"home": {[]string{}, []string{"1001", `<b>"`}}}
		for _, state := range []matterState{matterAsked, matterDeclined, matterDone, matterRefused, matterDoubtful, matterUnknown, matterEnded} {
			m := matter{ID: "1001", State: state, Person: -1}
			if state == matterDone {
				m.Given, m.Numbered, m.Type = "no:udi:oppholdstillatelse:1", true, "no:arbeidsgiver:ansettelsestilbud:1"
				m.Fields, m.Facts = []string{"permanent", "start_date"}, map[string]any{"permanent": true, "start_date": "2027-01-01"}
			}
			pages["case"] = append(pages["case"], of.shown(m, "sv"))
		}
		each(t, of.site, pages, checkPage)
		for _, lang := range []string{"sv", "en"} {
			for _, key := range []string{"site.name", "home.title", "home.lead", "home.button"} {
				if of.words[lang][key] == "" {
					t.Errorf("%s: no words for %s in %s", plan.ID, key, lang)
				}
			}
		}
	}
}

// TestFacts: the days in a plan are counted from today.
func TestFacts(t *testing.T) {
	of := &Office{site: &site{Options: Options{Now: func() time.Time { return time.Date(2026, 12, 31, 23, 59, 0, 0, time.UTC) }}}}
	m := matter{Type: "no:arbeidsgiver:ansettelsestilbud:1", Fields: []string{"occupation", "start_date"}, Facts: map[string]any{"occupation": "http://data.europa.eu/esco/occupation/f2b15a0e-e65a-438a-affb-29b9d50b77d1", "start_date": "2027-01-21"}}
	of.words = map[string]map[string]string{"en": {"months": "January"}}
	if got := of.shown(m, "en").Rows; len(got) != 2 || got[0].Value != "software developer" || got[1].Value != "21\u00a0January 2027" {
		t.Errorf("what was read, in words: %v", got)
	}
	for in, want := range map[any]any{
		"{today}": "2026-12-31", "{today+1}": "2027-01-01", "{year}": 2026, "7100": "7100", true: true, 25.0: 25.0, "{": "{",
	} {
		if got := of.fact(in); got != want {
			t.Errorf("%v: %v, want %v", in, got, want)
		}
	}
}
