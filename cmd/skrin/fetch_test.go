// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"skrin/pod/parcel"
)

// TestFetchedRules: in whatever form another server says where a document's rules
// are, they come along; without them those of its container would be for it, which
// may let anybody read it.
func TestFetchedRules(t *testing.T) {
	for link, fails := range map[string]bool{
		`<secret.ttl.acl>; rel="acl"`:                       false,
		`<secret.ttl.acl>; rel=acl`:                         false,
		`<secret.ttl.acl>;REL="describedby ACL"`:            false,
		`<secret.ttl.acl>; title="rules, and so"; rel=acl`:  false,
		`<a>; title="<b>; rel=x", <secret.ttl.acl>;rel=acl`: false,
		`<https://elsewhere.example/s.acl>; rel="acl"`:      true,
	} {
		t.Run(link, func(t *testing.T) {
			file, err := fetchFrom(t, link)
			if fails != (err != nil) {
				t.Fatalf("fetch: %v", err)
			}
			if names := namesIn(t, file); !fails && !slices.Contains(names, "pod/secret.ttl.acl") {
				t.Errorf("taken along: %q", names)
			}
		})
	}
}

// fetchFrom fetches a pod with one document, whose answer has the Link header.
func fetchFrom(t *testing.T, link string) (file string, err error) {
	t.Helper()
	mux := http.NewServeMux()
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	answer := func(path, body, link string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/turtle")
			w.Header().Set("Link", link)
			fmt.Fprint(w, body)
		})
	}
	answer("/.well-known/openid-configuration", `{"token_endpoint": "`+s.URL+`/token"}`, "")
	answer("/token", `{"access_token": "one"}`, "")
	answer("/bob/{$}", `<> <http://www.w3.org/ns/ldp#contains> <secret.ttl> .`, `<.acl>; rel="acl"`)
	answer("/bob/.acl", `<#all> <http://www.w3.org/ns/auth/acl#default> <./> .`, "")
	answer("/bob/secret.ttl", `<> <urn:p> 1 .`, link)
	answer("/bob/secret.ttl.acl", `<#bob> <http://www.w3.org/ns/auth/acl#accessTo> <secret.ttl> .`, "")
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	var told bytes.Buffer
	c := fetchCommand{Root: s.URL + "/bob/", File: filepath.Join(dir, "bob.tar.gz"), ID: "bob", Secret: secret, Most: 1 << 20, told: &told}
	c.JSON = true
	err = c.Run(t.Context())
	lines := strings.Split(strings.TrimSpace(told.String()), "\n")
	var sum fetched
	if err == nil && (json.Unmarshal([]byte(lines[len(lines)-1]), &sum) != nil || sum.Documents < 1 || sum.Bytes == 0 || len(sum.LeftOut) != len(lines)-1) {
		t.Errorf("fetched: %+v, %s", sum, told.String())
	}
	return c.File, err
}

// namesIn are the names of a parcel's members; none if there is no file.
func namesIn(t *testing.T, file string) (names []string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		return nil
	}
	defer f.Close()
	r, err := parcel.NewReader(f, parcel.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for {
		m, err := r.Next()
		if errors.Is(err, io.EOF) {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, m.Name)
	}
}
