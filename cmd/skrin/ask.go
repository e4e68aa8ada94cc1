// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/ldp/client"
)

// A backEnd is who a party's command acts as, and where.
type backEnd struct {
	partyKey `embed:""`
	Server   string `required:"" help:"The server's issuer, like https://pod.example.se."`
	ID       string `required:"" name:"id" help:"The id with which the party is registered."`
}

func (b backEnd) client() (*client.Client, error) {
	signing, err := b.signing()
	if err != nil {
		return nil, err
	}
	proofs, err := b.dpop()
	if err != nil {
		return nil, err
	}
	return &client.Client{HTTP: &http.Client{Timeout: 30 * time.Second}, Issuer: b.Server, ID: b.ID, Key: signing, DPoP: proofs, Now: time.Now}, nil
}

// An answerFormat is how a person's answer is printed.
type answerFormat struct {
	printed
	Locations bool `help:"Print only the addresses that were granted, a line each; with --json as a list."`
}

// A personalAnswer is what came of asking a person: her WebID, as this party alone
// knows her, and what she granted (RFC 9396, section 7).
type personalAnswer struct {
	WebID   string          `json:"webid"`
	Granted json.RawMessage `json:"authorization_details"`
}

func (f answerFormat) tell(t client.Tokens) error {
	if !f.Locations {
		out := json.NewEncoder(os.Stdout)
		out.SetIndent("", "  ")
		return out.Encode(personalAnswer{t.WebID, t.AuthorizationDetails})
	}
	var granted []struct{ Locations []string }
	if err := json.Unmarshal(t.AuthorizationDetails, &granted); err != nil {
		return fmt.Errorf("what was granted: %w", err)
	}
	all := []string{}
	for _, g := range granted {
		all = append(all, g.Locations...)
	}
	return f.print(os.Stdout, all, strings.Join(all, "\n"))
}

// askCommand asks a person: for evidence, or for a place to deposit it.
type askCommand struct {
	backEnd      `embed:""`
	answerFormat `embed:""`
	Return       string        `help:"The registered address to which her browser is sent back. If it is on this machine (http://localhost:4711/return), the command waits there for the answer."`
	Pending      string        `help:"File to make, with what skrin consumer finish needs; the command then ends at once." type:"path"`
	Wait         time.Duration `default:"10m" help:"How long to wait for the answer."`
	Inbox        string        `help:"Ask with no browser: the WebID of a person whom the party knows. The answer is told by a notification, and can be read at the address that is printed." placeholder:"WEBID"`
	Reference    string        `help:"With --inbox: the party's own name of the request. To send it again does no second thing."`
	Request      string        `arg:"" help:"File with what is asked (JSON: an authorization detail, as of RFC 9396); - for standard input." default:"-"`
}

// Run obeys kong.
func (c *askCommand) Run(ctx context.Context) error {
	detail, err := c.detail()
	if err != nil {
		return err
	}
	party, err := c.client()
	if err != nil {
		return err
	}
	if c.Inbox != "" {
		if c.Reference == "" {
			return errors.New("--inbox needs a --reference")
		}
		w, err := party.Ask(ctx, c.Inbox, c.Reference, detail)
		if err == nil {
			err = c.print(os.Stdout, map[string]string{"location": w.Location}, w.Location)
		}
		return err
	}
	back, err := url.Parse(c.Return)
	if err != nil || back.Host == "" {
		return errors.New("--return: want one of the addresses that the party is registered with (redirects)")
	}
	if c.Pending != "" {
		return c.later(ctx, party, detail)
	}
	if !loopback(back) {
		return errors.New("--return is on another machine: give --pending, and then skrin consumer finish the address to which the browser was sent")
	}
	query, pending, err := comeBack(ctx, back, c.Wait, func() (client.Pending, error) { return c.begin(ctx, party, detail) })
	if err != nil {
		return err
	}
	t, err := party.Finish(ctx, pending, query)
	if err != nil {
		return err
	}
	return c.tell(t)
}

// detail reads the request. What is wrong with it is for the server to say.
func (c *askCommand) detail() (json.RawMessage, error) {
	in, _, err := read(c.Request)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	var detail json.RawMessage
	if err := json.NewDecoder(io.LimitReader(in, 64<<10)).Decode(&detail); err != nil || detail[0] != '{' {
		return nil, fmt.Errorf("%s: want one JSON object, such as {\"type\": \"evidence_request\", …}", c.Request)
	}
	return detail, nil
}

func (c *askCommand) begin(ctx context.Context, party *client.Client, detail json.RawMessage) (client.Pending, error) {
	p, err := party.Begin(ctx, client.AuthorizationRequest{RedirectURI: c.Return, Scope: "openid webid", Details: []json.RawMessage{detail}})
	if err == nil {
		fmt.Fprintf(os.Stderr, "Send the person to %s\n", p.URL)
	}
	return p, err
}

// later keeps what is needed to finish, readable by its owner alone.
func (c *askCommand) later(ctx context.Context, party *client.Client, detail json.RawMessage) error {
	f, err := os.OpenFile(c.Pending, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	p, err := c.begin(ctx, party, detail)
	if err == nil {
		err = json.NewEncoder(f).Encode(p)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(c.Pending))
	}
	return nil
}

// finishCommand takes the answer that a browser brought elsewhere.
type finishCommand struct {
	backEnd      `embed:""`
	answerFormat `embed:""`
	Pending      string `required:"" help:"The file that ask made. It is removed: an answer is good once." type:"existingfile"`
	Callback     string `arg:"" help:"The whole address to which the browser was sent back; - to read it from standard input, where other users of the machine don't see it."`
}

// Run obeys kong.
func (c *finishCommand) Run(ctx context.Context) error {
	text, err := os.ReadFile(c.Pending)
	if err != nil {
		return err
	}
	var p client.Pending
	if err := json.Unmarshal(text, &p); err != nil {
		return fmt.Errorf("%s: ask did not make this file", c.Pending)
	}
	if c.Callback == "-" {
		if _, err := fmt.Scanln(&c.Callback); err != nil {
			return fmt.Errorf("the address: %w", err)
		}
	}
	back, err := url.Parse(c.Callback)
	if err != nil {
		return errors.New("the address to which the browser was sent back is no URL")
	}
	party, err := c.client()
	if err != nil {
		return err
	}
	t, err := party.Finish(ctx, p, back.Query())
	if err != nil {
		return err
	}
	return errors.Join(os.Remove(c.Pending), c.tell(t))
}

// loopback reports whether a URL is of this machine.
func loopback(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}

// comeBack listens at an address of this machine, begins, and waits for the
// browser that comes back to it with an answer to what was begun (RFC 8252,
// section 7.3). What carries another state is turned away, and waited on.
func comeBack(ctx context.Context, back *url.URL, wait time.Duration, begin func() (client.Pending, error)) (url.Values, client.Pending, error) {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", cmp.Or(back.Port(), "80")))
	if err != nil {
		return nil, client.Pending{}, fmt.Errorf("wait at %s: %w", back.Redacted(), err)
	}
	return comeBackOn(ctx, l, back, wait, begin)
}

// comeBackOn closes l.
func comeBackOn(ctx context.Context, l net.Listener, back *url.URL, wait time.Duration, begin func() (client.Pending, error)) (url.Values, client.Pending, error) {
	defer l.Close()
	p, err := begin()
	if err != nil {
		return nil, p, err
	}
	came := make(chan url.Values, 1)
	srv := &http.Server{ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10}
	srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		q := r.URL.Query()
		if r.URL.Path != cmp.Or(back.Path, "/") || q.Get("state") != p.State {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		fmt.Fprintln(w, "Thank you. You can close this window.")
		select {
		case came <- q:
		default: // it came twice; the first holds
		}
	})
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(l) }()
	defer func() { <-done }()
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	select {
	case q := <-came:
		return q, p, srv.Shutdown(ctx)
	case <-ctx.Done():
		return nil, p, errors.Join(errors.New("no answer came in time"), srv.Close())
	}
}

// jwksCommand makes the key of a party.
type jwksCommand struct {
	File string `arg:"" help:"File with the private key (PKCS #8 in PEM, or JWK). If it isn't there, a key is made." type:"path"`
}

// Run obeys kong. It prints the public keys (JWKS), for the registration.
func (c *jwksCommand) Run() error {
	if _, err := os.Stat(c.File); errors.Is(err, fs.ErrNotExist) {
		if err := makeKey(c.File); err != nil {
			return err
		}
	}
	key, err := partyKey{c.File}.signing()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}})
}

// makeKey makes a private key for ES256, which only its owner may read.
func makeKey(file string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}
