// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"skrin/ldp"
	"skrin/pod/store"
)

// A vault speaks as much of the Transit API as is needed. It checks what it is asked.
type vault struct {
	t        *testing.T
	versions []cipher.AEAD
	loose    bool // it takes no associated data
	away     bool
	server   *httptest.Server
}

func newVault(t *testing.T) *vault {
	v := &vault{t: t}
	v.rotate()
	v.server = httptest.NewServer(v)
	t.Cleanup(v.server.Close)
	return v
}

// rotate makes a new version of its key.
func (v *vault) rotate() {
	key := make([]byte, 32)
	rand.Read(key)
	block, err := aes.NewCipher(key)
	must(v.t, err)
	aead, err := cipher.NewGCMWithRandomNonce(block)
	must(v.t, err)
	v.versions = append(v.versions, aead)
}

// ServeHTTP implements http.Handler.
func (v *vault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in transit
	bad := func(status int) { w.WriteHeader(status); fmt.Fprint(w, `{"errors":["no"]}`) }
	if v.away || r.Header.Get("X-Vault-Token") != "a token" {
		bad(http.StatusForbidden)
		return
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || len(in.Bound) == 0 {
		v.t.Errorf("it is sent %+v, %v", in, err)
	}
	if v.loose {
		in.Bound = nil
	}
	var out transit
	switch r.URL.Path {
	case "/v1/transit/encrypt/skrin":
		n := len(v.versions)
		out.Ciphertext = fmt.Sprintf("vault:v%d:%s", n, base64.StdEncoding.EncodeToString(v.versions[n-1].Seal(nil, nil, in.Plaintext, in.Bound)))
	case "/v1/transit/decrypt/skrin":
		var n int
		var text string
		if _, err := fmt.Sscanf(strings.ReplaceAll(in.Ciphertext, ":", " "), "vault v%d %s", &n, &text); err != nil {
			bad(http.StatusBadRequest)
			return
		}
		sealed, _ := base64.StdEncoding.DecodeString(text)
		var err error
		if out.Plaintext, err = v.versions[n-1].Open(nil, nil, sealed, in.Bound); err != nil {
			bad(http.StatusBadRequest)
			return
		}
	default:
		bad(http.StatusNotFound)
		return
	}
	_ = json.NewEncoder(w).Encode(struct {
		Data transit `json:"data"`
	}{out})
}

// TestKMS: pods whose keys the server's own key has wrapped are read when a key
// management service has taken over, and moved to it by a rotation, as from one
// version of its key to the next; then nothing but the service unwraps them, and
// without it they are unavailable, not open.
func TestKMS(t *testing.T) {
	v, dir := newVault(t), t.TempDir()
	served := func(k keep, do func(s *chest)) {
		t.Helper()
		c := config{Base: "https://pod.example.se", Dir: dir, Key: make([]byte, keySize), keep: k}
		s, err := openChest(t.Context(), c, slog.New(slog.DiscardHandler))
		must(t, err)
		defer func() { must(t, s.Close()) }()
		do(s)
	}
	makes := func(id string) func(s *chest) {
		return func(s *chest) {
			must(t, s.store.Create(t.Context(), id, func(tx store.Tx) error { tx.Put("k", []byte(id+"'s")); return nil }))
		}
	}
	reads := func(s *chest, id string) error {
		return s.store.View(t.Context(), store.Name("id/"+id), func(tx store.Tx) error {
			values, err := tx.Get("k")
			if err == nil && string(values[0]) != id+"'s" {
				err = fmt.Errorf("it is %q", values[0])
			}
			return err
		})
	}
	own := keep{}
	service := keep{KMS: v.server.URL + "/v1/transit/", KMSKey: "skrin", KMSToken: "a token"}
	rotates := func(want int) func(s *chest) {
		return func(s *chest) {
			if n, err := s.keys.Rotate(t.Context(), func(int, int) {}); n != want || err != nil {
				t.Errorf("%d keys were wrapped anew, want %d: %v", n, want, err)
			}
		}
	}
	served(own, makes("a"))
	served(service, makes("b"))
	served(service, func(s *chest) { must(t, errors.Join(reads(s, "a"), reads(s, "b"))) })
	served(service, rotates(1))
	served(service, rotates(0))
	v.rotate()
	served(service, func(s *chest) { must(t, errors.Join(reads(s, "a"), reads(s, "b"))) })
	served(service, rotates(2))
	served(service, func(s *chest) {
		v.away = true
		for _, id := range []string{"a", "b"} {
			if err := reads(s, id); !errors.Is(err, ldp.Unavailable) {
				t.Errorf("without the service %s is %v", id, err)
			}
		}
		v.away = false
		must(t, errors.Join(reads(s, "a"), reads(s, "b")))
	})
	served(own, func(s *chest) {
		if reads(s, "a") == nil || reads(s, "b") == nil {
			t.Error("the server's own key unwraps what the service has wrapped")
		}
	})
}

// TestKMSIsRefused: a service that Skrin can't rely on stops the server.
func TestKMSIsRefused(t *testing.T) {
	good := newVault(t)
	loose := newVault(t)
	loose.loose = true
	for _, row := range []struct{ is, url, key, token, want string }{
		{"not the token", good.server.URL + "/v1/transit", "skrin", "another", "403"},
		{"no such key", good.server.URL + "/v1/transit", "other", "a token", "404"},
		{"a key that binds nothing", loose.server.URL + "/v1/transit", "skrin", "a token", "associated_data"},
		{"in clear over a network", "http://vault.example/v1/transit", "skrin", "a token", "https://"},
		{"no token", good.server.URL + "/v1/transit", "skrin", "", "a token"},
	} {
		t.Run(row.is, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if _, err := openKMS(ctx, row.url, row.key, row.token, nil); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("the error is %v, want %q", err, row.want)
			}
		})
	}
}
