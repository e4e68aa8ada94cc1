// SPDX-License-Identifier: EUPL-1.2

package pod_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"skrin/ldp"
	"skrin/pod/consent"
	"skrin/pod/credential"
	"skrin/pod/deposit"
)

const programme = "se:af:praktikprogram:1"

// rows is a batch, a row of forms each.
func rows(t *testing.T, all ...[]string) string {
	var b strings.Builder
	for i, forms := range all {
		line, err := json.Marshal(deposit.Row{Forms: forms, Reference: fmt.Sprint("post-", i+1)})
		must(t, err)
		fmt.Fprintf(&b, "%s\n", line)
	}
	return b.String()
}

// programmeForms are signed forms of evidence of another type.
func (w *town) programmeForms(n int) []string {
	w.t.Helper()
	typ, ok := w.pod.Types.Type(programme)
	if !ok {
		w.t.Fatal("no such type")
	}
	return w.issue(n, func(s *credential.Statement) {
		s.Type, s.Claims = typ.VCT, nil
		for _, f := range typ.Fields {
			if strings.HasSuffix(f.Datatype, "#boolean") {
				s.Claims = append(s.Claims, credential.Claim{Name: f.Name, Value: true})
			}
		}
	})
}

// connectFor connects for several types.
func (w *town) connectFor(types ...string) ldp.ID {
	d, err := json.Marshal(consent.Detail{Type: consent.ToDeposit, EvidenceTypes: types})
	must(w.t, err)
	return w.location(w.answer("connect", authority, d, func(consent.Offer) consent.Answer { return consent.Answer{Agree: true} }))
}

// TestABatch: evidence of several types in one request, whole or not at all.
func TestABatch(t *testing.T) {
	w := newTown(t)
	to := w.connectFor(certified, programme)
	send := func(body string) (ldp.Written, error) {
		return w.pod.Post(t.Context(), w.agent(authority), post(to, deposit.TypeRows, body))
	}
	done, err := send(rows(t, w.issue(2, nil), w.programmeForms(3)))
	must(t, err)
	signed, err := jose.ParseSignedCompact(string(done.Receipt), []jose.SignatureAlgorithm{jose.ES256})
	must(t, err)
	var r deposit.Receipt
	must(t, json.Unmarshal(signed.UnsafePayloadWithoutVerification(), &r))
	if len(r.Rows) != 2 || r.Rows[1].Type != programme || len(r.Rows[1].Digests) != 3 || r.Rows[1].Reference != "post-2" || r.Audience != authority {
		t.Errorf("the receipt says %+v", r)
	}
	held, err := w.pod.Holdings(t.Context(), w.alva)
	must(t, err)
	if len(held) != 2 || strings.Count(w.actions(), "deliver "+authority) != 2 {
		t.Errorf("%d pieces are held, logged %s", len(held), w.actions())
	}
	first := w.issue(1, nil)
	before := len(w.log())
	stranger := newKey(t, "x")
	for _, row := range []struct {
		is, body string
		says     []string
	}{
		{"a bad row between good ones", rows(t, first, w.issue(1, func(s *credential.Statement) { s.Type = "urn:x" }), w.programmeForms(1)), []string{"row 2: signed form 1: vct"}},
		{"two bad rows", rows(t, nil, w.programmeForms(1), []string{"x~"}), []string{"row 1: forms", "row 3: signed form 1"}},
		{"one form in two rows", rows(t, first, first), []string{"row 2: it shares"}},
		{"a holder key that is nobody's", rows(t, w.programmeForms(1), w.bound([]jose.JSONWebKey{stranger.Public()})), []string{"row 2: signed form 1: cnf"}},
		{"a line that is no row", rows(t, first) + "{}x\n", []string{"row 2: want"}},
		{"a row with something else", rows(t, first) + `{"forms":[],"person":"x"}`, []string{"row 2: want"}},
		{"a personal number", `{"forms":["x"],"reference":"19770523-2382"}`, []string{"row 1: reference"}},
		{"nothing", "\n\n", []string{"no row"}},
		{"sixty-five rows", strings.Repeat("{}\n", 65), []string{"more than 64"}},
	} {
		_, err := send(row.body)
		f, _ := errors.AsType[*ldp.Fault](err)
		if f == nil || f.Kind != ldp.Unprocessable {
			t.Errorf("%s: %v", row.is, err)
			continue
		}
		for _, s := range row.says {
			if !strings.Contains(strings.Join(f.Errors, "\n"), s) {
				t.Errorf("%s: %q, want %q among them", row.is, f.Errors, s)
			}
		}
	}
	if held, err := w.pod.Holdings(t.Context(), w.alva); err != nil || len(held) != 2 || len(w.log()) != before {
		t.Errorf("after refusals %d pieces are held, %v; logged %s", len(held), err, w.actions())
	}
}
