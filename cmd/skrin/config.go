// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"skrin/auth/login"
)

// A config is what a server needs to know before it starts. Nothing in it has a
// default that could be unsafe: what is missing stops the server.
type config struct {
	Base    string // "https://pod.example.se": the origin of every URL, without a slash
	Apart   string // "https://skrin-data.example": where browsers are shown what pods hold; may be empty
	Dir     string // where everything is kept
	Key     []byte // the master key, 32 bytes: whoever has it can read what is encrypted
	Parties string // a folder of registrations; may be empty
	// Operators is a folder of those who may change the register of parties over
	// HTTP; without one nobody can.
	Operators string
	Steps     string          // a file that says what needs which level of assurance; may be empty
	Types     string          // a folder of evidence types, instead of those that come with the program; may be empty
	EIDs      string          // a folder of eIDs to sign in by; may be empty
	Contact   string          // where people ask whoever runs the server: a web or mailto: address; may be empty
	Privacy   string          // how whoever runs the server handles data: an https address; may be empty
	Demo      bool            // made-up people, sign-in without proof, plain http on loopback
	Cast      []login.Persona // who signs in in a demo; may be empty, and then those of fixtures
	Token     time.Duration   // how long an access token lives
	keep

	Accessibility           string          // the accessibility statement: an https address; may be empty
	Listen, Admin, Redirect string          // as in the settings
	Proxies                 []netip.Prefix  // whose X-Forwarded-For is believed
	Limit                   limitSettings   // a bound that is zero is not set
	Bulk                    map[string]rate // what a party may read, by its id, instead of Limit.Bulk
	TLS                     tlsSettings
	Log                     logSettings
	Trace                   traceSettings
	Grace, Drain            time.Duration
	TwoPeople               time.Duration
	Backups, BackupKeys     string // folders, for backups that are started over HTTP; may be empty

	told func(pace) // hears how far the start has come, if it takes long; nil for nobody
}

func (c *config) check() error {
	base, err := c.origin("base URL", c.Base)
	if err != nil {
		return err
	}
	if c.Apart != "" {
		apart, err := c.origin("pod origin", c.Apart)
		if err != nil {
			return err
		}
		if strings.EqualFold(apart.Hostname(), base.Hostname()) {
			return fmt.Errorf("pod origin %q: must be another host than the base URL's; cookies know no ports", c.Apart)
		}
	}
	switch {
	case c.Dir == "":
		return errors.New("no data directory: say where everything is to be kept (--dir)")
	case len(c.Key) != keySize:
		return fmt.Errorf("the master key has %d bytes, not %d", len(c.Key), keySize)
	}
	return nil
}

// origin reads a URL that is a scheme and a host and nothing more.
func (c *config) origin(name, s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || s != u.Scheme+"://"+u.Host:
		return nil, fmt.Errorf("%s %q: want https:// and a host, and nothing after it", name, s)
	case u.Scheme != "https" && !c.Demo:
		return nil, fmt.Errorf("%s %q: must be https; plain http is for the demo only", name, s)
	}
	return u, nil
}

// keySize is the master key's, in bytes.
const keySize = 32

// derive returns the key for one purpose.
func (c *config) derive(purpose string) ([]byte, error) {
	return hkdf.Key(sha256.New, c.Key, nil, "skrin "+purpose, keySize)
}

// testMark begins a key file that only the demo takes.
const testMark = "TEST-"

// newKey returns a new master key as text, marked as a test key for the demo.
func newKey(demo bool) string {
	b := make([]byte, keySize)
	rand.Read(b)
	s := base64.StdEncoding.EncodeToString(b) + "\n"
	if demo {
		return testMark + s
	}
	return s
}

// readKey reads a master key. A test key is refused outside the demo.
func readKey(file string, demo bool) ([]byte, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return parseKey(file, string(b), demo)
}

// parseKey reads the text of a master key, which comes from somewhere.
func parseKey(from, text string, demo bool) ([]byte, error) {
	text, test := strings.CutPrefix(strings.TrimSpace(text), testMark)
	if test && !demo {
		return nil, fmt.Errorf("%s holds a TEST key, which only the demo takes: make one with \"skrin key\"", from)
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) != keySize {
		return nil, fmt.Errorf("%s: not a master key: make one with \"skrin key\"", from)
	}
	return key, nil
}

// demoKey reads the demo's key from its directory, and makes it the first time.
func demoKey(dir string) ([]byte, error) {
	file := filepath.Join(dir, testMark+"master.key")
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		if err := os.WriteFile(file, []byte(newKey(true)), 0o600); err != nil {
			return nil, err
		}
	}
	return readKey(file, true)
}
