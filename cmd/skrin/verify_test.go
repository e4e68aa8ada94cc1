// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"skrin/pod/credential"
)

// TestVerifyCommand: with files alone "skrin verify" believes what was presented to
// a consumer in answer to its nonce, and nothing that was said to another, is old
// news, or was revoked.
func TestVerifyCommand(t *testing.T) {
	s := newStreet(t)
	places := s.deliver(3)
	res, err := s.consumer.GetBound(t.Context(), s.share(nil), "a-nonce-of-ours")
	noError(t, err)
	unbound := string(res.Body[:strings.LastIndexByte(string(res.Body), '~')+1])
	file := func(name string, content []byte) string {
		name = filepath.Join(t.TempDir(), name)
		noError(t, os.WriteFile(name, content, 0o600))
		return name
	}
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{s.key.Public()}})
	noError(t, err)
	c, err := credential.Parse(unbound)
	noError(t, err)
	at, err := c.Verify(func(string, string) (jose.JSONWebKey, error) { return s.key.Public(), nil }, s.time(), credential.Want{Type: "https://af.example.se/vct/arbetsloshetsintyg/1", Issuer: s.issuer.Issuer})
	noError(t, err)
	fetched := func(uri string) string {
		resp, err := http.Get(uri)
		noError(t, err)
		defer resp.Body.Close()
		token, err := io.ReadAll(resp.Body)
		noError(t, err)
		return file("list.jwt", token)
	}
	good := fetched(at.Status.URI)
	other := s.place((s.listOf(*at.Status) + 1) % crowdLists)
	noError(t, s.revoke(places...))
	command := func(edit func(*verifyCommand)) *verifyCommand {
		v := &verifyCommand{Keys: file("keys.json", keys), Issuer: s.issuer.Issuer, Type: "https://af.example.se/vct/arbetsloshetsintyg/1",
			Audience: s.consumer.ID, Nonce: "a-nonce-of-ours", StatusList: good}
		edit(v)
		return v
	}
	for _, row := range []struct {
		is   string
		form string
		edit func(*verifyCommand)
		says string // "" if it is believed
	}{
		{"bound to us, and valid", string(res.Body), func(*verifyCommand) {}, ""},
		{"with a line's end, as files have", string(res.Body) + "\n", func(*verifyCommand) {}, ""},
		{"without asking for proof", unbound, func(v *verifyCommand) { v.Audience, v.Nonce = "", "" }, ""},
		{"without the list", string(res.Body), func(v *verifyCommand) { v.StatusList = "" }, ""},
		{"another nonce", string(res.Body), func(v *verifyCommand) { v.Nonce = "another-nonce" }, "nonce"},
		{"another audience", string(res.Body), func(v *verifyCommand) { v.Audience = "mallory" }, "aud"},
		{"a nonce without an audience", string(res.Body), func(v *verifyCommand) { v.Audience = "" }, "--audience"},
		{"an audience without a nonce", string(res.Body), func(v *verifyCommand) { v.Nonce = "" }, "--audience"},
		{"no proof", unbound, func(*verifyCommand) {}, "no proof"},
		{"revoked", string(res.Body), func(v *verifyCommand) { v.StatusList = fetched(at.Status.URI) }, "revoked"},
		{"in another list", string(res.Body), func(v *verifyCommand) { v.StatusList = fetched(other.URI) }, "sub"},
		{"a list that is none", string(res.Body), func(v *verifyCommand) { v.StatusList = file("x", []byte("x")) }, ""},
	} {
		err := command(row.edit).verify(strings.NewReader(row.form))
		if believed := err == nil; row.is != "a list that is none" && believed != (row.says == "") {
			t.Errorf("%s: %v", row.is, err)
		} else if row.is == "a list that is none" && believed {
			t.Errorf("%s: it is believed", row.is)
		} else if err != nil && !strings.Contains(strings.ToLower(err.Error()), row.says) {
			t.Errorf("%s: %v", row.is, err)
		}
	}
}
