// SPDX-License-Identifier: EUPL-1.2

// Package demo is the organisations of the demo: an authority that puts evidence
// into people's pods, an insurer that reads it with their consent, and offices
// that do both, as data says ([Plan]): those of Kompetansespor.
//
// Each is a small web site, for a person with a browser, and a back end that is
// a registered client of a Skrin server with a key of its own. They are
// outsiders: all that they do goes over HTTP, through ldp/client, as an
// organisation's own system would do it. Read authority.go and insurer.go to see
// what it takes.
//
//	         connect, deposit                 ask, read
//	authority ─────────────▶  Skrin  ◀───────────────── insurer
//	          ◀─────────────         ─────────────────▶
//	          EvidenceWanted          ConsentWithdrawn
//
// The authority knows its customers by personal number, as it must. The numbers
// are in its register (here: the cast, in memory), and in nothing that it writes:
// a customer is a pairwise WebID and a place in the register. The insurer never
// learns who anybody is.
package demo

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/auth/dpop"
	"skrin/ldp/client"
)

// Options are what an organisation needs. All must be set.
type Options struct {
	Origin string           // of its own site, "https://af.example.se"; with /callback and /notices as registered
	Server string           // the Skrin server's issuer identifier, which is also its base URL
	ID     string           // its client_id there
	Dir    string           // for its key, TEST-key.json, and its state; made if it is not there
	HTTP   *http.Client     // to the Skrin server; give it a Timeout
	Log    *slog.Logger     // told what happened, never of whom
	Now    func() time.Time //
}

func (o *Options) check() error {
	for _, text := range []string{o.Origin, o.Server} {
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || text != u.Scheme+"://"+u.Host {
			return errors.New("the Origin and the Server must be scheme://host")
		}
	}
	if o.ID == "" || o.Dir == "" || o.HTTP == nil || o.Log == nil || o.Now == nil {
		return errors.New("an option is missing")
	}
	return os.MkdirAll(o.Dir, 0o700)
}

// today is the day, in UTC as in credentials.
func (o *Options) today() time.Time { return o.Now().UTC().Truncate(24 * time.Hour) }

// term gives the IRI of a term of the server's vocabulary.
func (o *Options) term(name string) string { return o.Server + "/ns/core#" + name }

// newClient makes the organisation's client. Its proofs are signed with the
// same key, which outlives the process: a person who was sent away before a
// restart may come back after it, and the code is bound to the proofs' key.
func (o *Options) newClient(key jose.JSONWebKey) (*client.Client, error) {
	text, err := key.MarshalJSON()
	if err != nil {
		return nil, err
	}
	proofs, err := dpop.ParseKey(text)
	if err != nil {
		return nil, err
	}
	return &client.Client{HTTP: o.HTTP, Issuer: o.Server, ID: o.ID, Key: key, DPoP: proofs, Now: o.Now}, nil
}

// openKey reads the organisation's private key, or makes one.
func openKey(dir string) (jose.JSONWebKey, error) {
	path := filepath.Join(dir, "TEST-key.json")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = makeKey(path)
	}
	if err != nil {
		return jose.JSONWebKey{}, fmt.Errorf("key: %w", err)
	}
	return client.ParseKey(text)
}

func makeKey(path string) ([]byte, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	text, err := jose.JSONWebKey{Key: private, Algorithm: string(jose.ES256), Use: "sig"}.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return text, writeFile(path, text)
}

// published is the public half of a key, as a JWKS.
func published(key jose.JSONWebKey) jose.JSONWebKeySet {
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}}
}
