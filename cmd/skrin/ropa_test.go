// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// TestROPA: the record has what is registered, with numbers that stand for nobody;
// and nothing of anybody.
func TestROPA(t *testing.T) {
	r := startDemo(t, t.TempDir())
	b := newBrowser(t)
	r.connect(b, "Alva Lindqvist")
	r.ask(b)
	r.fetch(b)
	b.press("Ja, dela")
	evidence, deposit := r.granted("Alva Lindqvist")
	people, deals, err := r.deals(t.Context(), errand{})
	must(t, err)
	if people != 1 || len(deals) != 2 { // a type that the authority may deposit, a use that the insurer reads for
		t.Errorf("%d people, %v", people, deals)
	}
	o := done(t, config{Dir: r.dir}, errand{Do: "ropa"})
	record := o.Record
	var text strings.Builder
	must(t, record.write(&text))
	whole, err := json.Marshal(record)
	must(t, err)
	for _, want := range []string{"Exempel Försäkring", "SE.5560000001", "dpv#CustomerClaimsManagement", "gdpr#A6-1-a", "registered_at_least_30_days", "at most 200 days", "national identifier"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the record lacks %q:\n%s", want, text.String())
		}
	}
	space := strings.Split(strings.TrimPrefix(deposit, r.Base+"/w/"), "/")[0]
	for _, secret := range []string{"Alva", evidence, space, string(r.owner("Alva Lindqvist").ID), `"people":"1`, "| 1 |"} {
		if strings.Contains(text.String(), secret) || strings.Contains(string(whole), secret) {
			t.Errorf("the record says %q", secret)
		}
	}
	var back ropa
	if err := json.Unmarshal(whole, &back); err != nil || len(back.Activities) < 3 {
		t.Errorf("%v: %d activities", err, len(back.Activities))
	}
}

// TestCrowded: no number tells of one person among few.
func TestCrowded(t *testing.T) {
	for n, want := range map[crowded]string{0: "under 10", 1: "under 10", 9: "under 10", 10: "10 or more", 19: "10 or more", 127: "120 or more"} {
		if got := fmt.Sprint(n); got != want {
			t.Errorf("%d is told as %q", int(n), got)
		}
	}
}

// TestROPACell: what a registration says doesn't break the table.
func TestROPACell(t *testing.T) {
	if got := cell("a|b\n<c>"); got != `a\|b &lt;c>` {
		t.Error(got)
	}
}
