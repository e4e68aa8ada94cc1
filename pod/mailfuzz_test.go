// SPDX-License-Identifier: EUPL-1.2

package pod_test

import (
	"context"
	"encoding/json"
	"testing"

	"skrin/ldp"
	"skrin/pod"
	"skrin/pod/consent"
	"skrin/pod/vouch"
)

// fault fails the test if an answer to foreign bytes is the server's fault.
func fault(t *testing.T, err error) {
	t.Helper()
	if kind := ldp.KindOf(err); err != nil && (kind < 400 || kind >= 500) {
		t.Errorf("%d: %v", kind, err)
	}
}

// FuzzMail: whatever a party signs and posts to its inbox/, as a request or as a
// receipt, it is taken or refused, and the person's requests can still be read.
func FuzzMail(f *testing.F) {
	w := newTown(f)
	w.pod.Store = newMemory(f)
	var err error
	w.alva, err = w.pod.Make(f.Context(), "person-fuzz")
	must(f, err)
	w.deposit(w.connect(), w.issue(1, nil))
	there := w.location(w.answer("ask", insurer, asks(), agree))
	space := there.Parent().Parent()
	id := w.shares()[0].Consent.ID
	must(f, w.pod.Withdraw(f.Context(), w.alva, id))
	mail := consent.MailedRequest{Issuer: insurer, Audience: base, Subject: base + string(space) + "card#me", ID: "1",
		IssuedAt: w.now.Unix(), Expires: w.now.Unix() + 600, Details: []json.RawMessage{asks()}}
	receipt := consent.ErasureReceipt{Issuer: insurer, Audience: base, Consent: id, Erased: "2026-11-22", Method: "deleted", Retained: []string{"x"}}
	for _, v := range []any{mail, receipt, nil, []int{1}} {
		b, err := json.Marshal(v)
		must(f, err)
		f.Add(b, true)
		f.Add(b, false)
	}
	f.Fuzz(func(t *testing.T, payload []byte, request bool) {
		typ := map[bool]string{true: "evidence-request+jwt", false: "erasure-receipt+jwt"}[request]
		jws, err := sign{w.keys[insurer]}.Sign(context.Background(), typ, payload)
		must(t, err)
		_, err = w.pod.Post(context.Background(), w.agent(insurer), post(space+"inbox/", vouch.MediaType, jws))
		fault(t, err)
		_, err = w.pod.Post(context.Background(), w.agent(insurer), post(space+"inbox/", vouch.MediaType, string(payload)))
		fault(t, err)
		if _, err := w.pod.Requests(context.Background(), w.alva); err != nil {
			t.Errorf("her requests: %v", err)
		}
		if _, err := w.pod.Shares(context.Background(), w.alva); err != nil {
			t.Errorf("her shares: %v", err)
		}
	})
}

// FuzzKeyRequest: whatever a provider posts to keys/, it is given as many keys as it
// asked for, of which there may be so many, or none.
func FuzzKeyRequest(f *testing.F) {
	w := newTown(f)
	w.pod.Store = newMemory(f)
	var err error
	w.alva, err = w.pod.Make(f.Context(), "person-fuzz")
	must(f, err)
	to := w.connect()
	for _, s := range []string{`{"count":1}`, `{"count":0}`, `{"count":33}`, `{"count":1e9}`, `[]`, `{"count":"1"}`, ``} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		done, err := w.pod.Post(context.Background(), w.agent(authority), post(to.Parent()+"keys/", "application/json", body))
		if fault(t, err); err != nil {
			return
		}
		var ask pod.KeyRequest
		var set struct{ Keys []struct{ D, X string } }
		must(t, json.Unmarshal([]byte(body), &ask))
		must(t, json.Unmarshal(done.Receipt, &set))
		if len(set.Keys) != ask.Count || ask.Count < 1 || ask.Count > 32 {
			t.Errorf("%q is given %d keys", body, len(set.Keys))
		}
		for _, k := range set.Keys {
			if k.D != "" || k.X == "" {
				t.Error("it is given a private key, or none")
			}
		}
	})
}
