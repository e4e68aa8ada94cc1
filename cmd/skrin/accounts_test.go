// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"skrin/pod"
	"skrin/pod/store"
)

// TestFarewell: who has left is erased when the time to think again has passed,
// and not before; nothing of her is found after, and who comes with the same eID
// is somebody new. Nobody else is touched.
func TestFarewell(t *testing.T) {
	ctx := t.Context()
	town, err := newTown(ctx, t.TempDir(), 0, keep{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer town.Close()
	now := time.Now()
	town.server.pod.Now = func() time.Time { return now }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	person := func(number string) string {
		id, err := town.vault.Person(ctx, "se:personnummer", number)
		must(err)
		return id
	}
	alva, nils := person("197705232382"), person("198611062384")
	who, err := town.pod.Make(ctx, alva)
	must(err)
	_, err = town.pod.Make(ctx, nils)
	must(err)
	_, err = town.passkeys.RecoveryCodes(ctx, alva)
	must(err)
	_, _, err = town.provider.NewScript(ctx, alva, who.ID, "Backup")
	must(err)
	_, err = town.pod.Leave(ctx, who)
	must(err)

	must(town.eraseLeavers(ctx))
	if _, err := town.pod.Owner(ctx, alva); err != nil || person("197705232382") != alva {
		t.Fatalf("she was erased at once: %v", err)
	}
	now = now.Add(pod.Regret)
	must(town.eraseLeavers(ctx))
	must(town.eraseLeavers(ctx))
	if _, err := town.pod.Owner(ctx, alva); !errors.Is(err, store.ErrNoPod) {
		t.Errorf("her pod is there: %v", err)
	}
	if ids, err := town.vault.Known(ctx, alva); err != nil || len(ids) != 0 {
		t.Errorf("the vault knows her: %v, %v", ids, err)
	}
	if scripts, err := (apps{town.provider, town.server.pod, town.server.hub}).Scripts(ctx, alva); err != nil || len(scripts) != 0 {
		t.Errorf("her scripts: %v, %v", scripts, err)
	}
	for _, kind := range []string{"passkeys", "passkey-handle", "recovery"} {
		if keys, err := town.records.List(ctx, kind, "", "", 100); err != nil || len(keys) != 0 {
			t.Errorf("%s: %d are left, %v", kind, len(keys), err)
		}
	}
	if person("197705232382") == alva {
		t.Error("who comes again is the same")
	}
	if person("198611062384") != nils {
		t.Error("somebody else was forgotten")
	}
	if _, err := town.pod.Owner(ctx, nils); err != nil {
		t.Errorf("somebody else was erased: %v", err)
	}
}

// TestProtectedIdentity: an onlooker without a session can't tell by any page,
// address or answer whether a person is here: who is looks as who isn't.
func TestProtectedIdentity(t *testing.T) {
	r := startDemo(t, t.TempDir())
	britt, err := r.vault.Person(t.Context(), "se:personnummer", "197705232382")
	if err != nil {
		t.Fatal(err)
	}
	who, err := r.pod.Make(t.Context(), britt)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.Split(strings.TrimPrefix(string(who.ID), r.origins[0]), "/")[1]
	nobody := strings.Map(func(c rune) rune { // a name of the same form, that nobody has
		if c >= 'b' && c <= 'z' {
			return c - 1
		}
		return c
	}, name)
	look := func(path string) (status int, text string) {
		req, err := http.NewRequestWithContext(t.Context(), "GET", r.origins[0]+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		h := resp.Header.Clone()
		for _, own := range []string{"Date", "X-Request-Id", "Content-Length"} {
			h.Del(own)
		}
		all := new(strings.Builder)
		if err := h.Write(all); err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if id := resp.Header.Get("X-Request-Id"); id != "" {
			body = bytes.ReplaceAll(body, []byte(id), nil)
		}
		return resp.StatusCode, all.String() + string(body)
	}
	for _, path := range []string{"/{}/", "/{}/inbox/", "/{}/evidence/", "/{}/settings/prefs.ttl", "/{}/nothing", "/{}", "/me/files/{}/", "/me/sharing/{}", "/me/evidence/{}"} {
		hers, others := strings.ReplaceAll(path, "{}", name), strings.ReplaceAll(path, "{}", nobody)
		status, header := look(hers)
		status2, header2 := look(others)
		if status != status2 || strings.ReplaceAll(header, name, nobody) != header2 {
			t.Errorf("%s: %d, and for nobody %d\n%s\n%s", path, status, status2, header, header2)
		}
	}
	if err := r.server.pod.CallMe(t.Context(), who, "Britt"); err != nil {
		t.Fatal(err)
	}
	b := newBrowser(t)
	for _, path := range []string{"/me/sign-in", "/me/", "/me/settings/", "/.parties/", "/" + name + "/profile/card"} {
		b.open(r.origins[0] + path)
		for _, s := range b.seen {
			if strings.Contains(s, "Britt") || strings.Contains(s, "197705232382") || strings.Contains(s, britt) {
				t.Errorf("%s tells who is here", path)
			}
		}
	}
	for _, tells := range []string{"Britt", "197705232382", britt} {
		if strings.Contains(r.log.String(), tells) {
			t.Errorf("the server's log says %q", tells)
		}
	}
}
