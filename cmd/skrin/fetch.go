// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"skrin/auth/dpop"
	"skrin/ldp"
	"skrin/ldp/rdf"
	"skrin/pod/parcel"
)

// fetchCommand takes a pod out of another Solid server, by the protocol alone, as
// its owner: all documents below a root container, and the ACL document of each
// (Web Access Control), into a file for "skrin import". Nothing is written there.
type fetchCommand struct {
	printed
	Root   string `arg:"" help:"The pod's root container, like https://solid.example/bob/."`
	File   string `arg:"" help:"File to make. What has been read is kept beside it until it is whole: run the same command again to go on after an interruption." type:"path"`
	Owner  string `help:"The owner's WebID. Without, profile/card#me in the pod."`
	Issuer string `help:"The issuer at which the credentials are. Without, the server itself."`
	ID     string `required:"" name:"id" help:"Client credentials that the owner has made there: the id…"`
	Secret string `required:"" help:"…and a file with the secret." type:"existingfile"`
	Most   int64  `default:"1073741824" help:"Bytes of a document; what is larger is left out."`

	told io.Writer // nil for standard output, and standard error for what is left out
}

// Run obeys kong.
func (c *fetchCommand) Run(ctx context.Context) error {
	secret, err := os.ReadFile(c.Secret)
	if err != nil {
		return err
	}
	u, err := url.Parse(c.Root)
	if err != nil || u.Host == "" || !strings.HasSuffix(u.Path, "/") || u.RawQuery+u.Fragment != "" {
		return fmt.Errorf("%s is not the URL of a container", c.Root)
	}
	key, err := dpop.NewKey()
	if err != nil {
		return err
	}
	f := &fetcher{
		base: u.Scheme + "://" + u.Host, root: u.EscapedPath(), owner: cmp.Or(c.Owner, c.Root+"profile/card#me"), most: c.Most,
		id: c.ID, secret: strings.TrimSpace(string(secret)), key: key, cache: c.File + ".parts", told: c.told, sum: fetched{LeftOut: []leftOut{}}, shown: newBar(c.JSON || c.told != nil),
		http: &http.Client{Timeout: time.Hour, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
	if f.told == nil {
		f.told = os.Stderr
	}
	f.issuer = strings.TrimSuffix(cmp.Or(c.Issuer, f.base), "/")
	if err := f.fetch(ctx, c.File); err != nil {
		return err
	}
	return c.print(cmp.Or[io.Writer](c.told, os.Stdout), f.sum, fmt.Sprintf("%d documents, of which %d were here already; %d MiB", f.sum.Documents, f.sum.Before, f.sum.Bytes>>20))
}

// A fetched is what was taken.
type fetched struct {
	Documents int       `json:"documents"`
	Before    int       `json:"fetched_before"` // of them, by a run that was interrupted
	Bytes     int64     `json:"bytes"`
	LeftOut   []leftOut `json:"left_out"`
}

// A leftOut document is one that was not taken.
type leftOut struct {
	At  string `json:"at"`
	Why string `json:"why"`
}

// A fetcher reads a pod.
type fetcher struct {
	base, root, owner  string
	issuer, id, secret string
	key                *dpop.Key
	http               *http.Client
	most               int64
	cache              string // folder of what was read
	told               io.Writer

	endpoint string // for tokens
	token    string
	got      time.Time // the token
	out      *parcel.Writer
	sum      fetched
	shown    *bar
}

// fetch makes the file.
func (f *fetcher) fetch(ctx context.Context, file string) (err error) {
	if err := os.MkdirAll(f.cache, 0o700); err != nil {
		return err
	}
	part, err := os.OpenFile(filepath.Join(f.cache, "file"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer part.Close()
	name := sha256.Sum256([]byte(f.base + f.root))
	head := parcel.Head{ID: fmt.Sprintf("%x", name[:8]), Base: f.base, Issuer: f.issuer, Owner: f.owner, Root: f.root}
	if f.out, err = parcel.NewWriter(part, head); err != nil {
		return err
	}
	if err := f.container(ctx, f.root, time.Time{}); err != nil {
		return err
	}
	// Nobody seals it: the other server doesn't know of this.
	if err := f.out.Close(time.Now(), func([]byte) (string, error) { return "nobody", nil }); err != nil {
		return err
	}
	if err := errors.Join(part.Sync(), part.Close(), os.Rename(part.Name(), file)); err != nil {
		return err
	}
	f.shown.end()
	return os.RemoveAll(f.cache)
}

// leave tells of a document that isn't taken.
func (f *fetcher) leave(at, why string) {
	f.sum.LeftOut = append(f.sum.LeftOut, leftOut{at, why})
	fmt.Fprintf(f.told, "left out, for its %s: %s\n", why, at)
}

// get asks for a resource; a token that has ended is got anew. The caller closes
// the body.
func (f *fetcher) get(ctx context.Context, address, accept string) (*http.Response, error) {
	for tries := 0; ; tries++ {
		if time.Since(f.got) > 4*time.Minute {
			if err := f.renew(ctx); err != nil {
				return nil, err
			}
		}
		proof, err := f.key.Proof("GET", address, f.token, "", time.Now())
		if err != nil {
			return nil, err
		}
		req, err := http.NewRequestWithContext(ctx, "GET", address, nil)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "DPoP "+f.token)
		req.Header.Set("DPoP", proof)
		req.Header.Set("Accept", accept)
		resp, err := f.http.Do(req)
		busy := err != nil || resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500
		switch {
		case err == nil && resp.StatusCode == http.StatusUnauthorized && tries == 0:
			f.got = time.Time{}
		case !busy || tries == 4:
			return resp, err
		}
		if err == nil {
			_ = resp.Body.Close()
		}
		select {
		case <-time.After(time.Second << tries):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// renew gets a token by client credentials.
func (f *fetcher) renew(ctx context.Context) error {
	if f.endpoint == "" {
		var about struct {
			Endpoint string `json:"token_endpoint"`
		}
		req, err := http.NewRequestWithContext(ctx, "GET", f.issuer+"/.well-known/openid-configuration", nil)
		if err != nil {
			return err
		}
		if err := f.json(req, &about); err != nil {
			return err
		}
		f.endpoint = about.Endpoint
	}
	proof, err := f.key.Proof("POST", f.endpoint, "", "", time.Now())
	if err != nil {
		return err
	}
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"webid"}}
	req, err := http.NewRequestWithContext(ctx, "POST", f.endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.SetBasicAuth(url.QueryEscape(f.id), url.QueryEscape(f.secret))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("DPoP", proof)
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := f.json(req, &answer); err != nil {
		return err
	}
	f.token, f.got = answer.Token, time.Now()
	return nil
}

func (f *fetcher) json(req *http.Request, into any) error {
	resp, err := f.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", req.URL.Redacted(), resp.Status)
	}
	return json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(into)
}

// A found is a member of a container's listing.
type found struct {
	path     string
	modified time.Time
}

// container writes a container, and all that is in it.
func (f *fetcher) container(ctx context.Context, path string, modified time.Time) error {
	resp, err := f.get(ctx, f.base+path, "text/turtle")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", path, resp.Status)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, 256<<20))
	if err != nil {
		return err
	}
	g, err := rdf.Read(ctx, b, rdf.Turtle, f.base+path, rdf.Limits{Bytes: 256 << 20, Triples: 5_000_000})
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	own, members := f.sorted(g, path)
	if err := f.acl(ctx, resp, path); err != nil {
		return err
	}
	text, err := rdf.Write(own, rdf.NTriples, rdf.WriteOptions{})
	if err != nil {
		return err
	}
	if err := f.out.AddBytes(parcel.Member{Name: f.name(path), Triples: string(text), Modified: f.since(resp, modified)}, nil); err != nil {
		return err
	}
	for _, m := range members {
		one := f.document
		if strings.HasSuffix(m.path, "/") {
			one = f.container
		}
		if err := one(ctx, m.path, m.modified); err != nil {
			return err
		}
	}
	return nil
}

func (f *fetcher) name(path string) string { return "pod/" + strings.TrimPrefix(path, f.root) }

// since is when a resource was changed.
func (f *fetcher) since(resp *http.Response, listed time.Time) int64 {
	if at, err := http.ParseTime(resp.Header.Get("Last-Modified")); err == nil {
		return at.Unix()
	}
	if listed.IsZero() {
		return time.Now().Unix()
	}
	return listed.Unix()
}

const (
	ldpTerms = "http://www.w3.org/ns/ldp#"
	dcTerms  = "http://purl.org/dc/terms/"
)

// sorted takes a container's own triples apart from its listing. Members are in one
// order each time; what is not directly in the container is no member.
func (f *fetcher) sorted(g *rdf.Graph, path string) (own *rdf.Graph, members []found) {
	self := rdf.IRI(f.base + path)
	own = new(rdf.Graph)
	for t := range g.All() {
		server := strings.HasPrefix(t.P.Value, ldpTerms) || strings.HasPrefix(t.P.Value, "http://www.w3.org/ns/posix/stat#") ||
			t.P.Value == dcTerms+"modified" || strings.HasPrefix(t.O.Value, ldpTerms) || t.O.Value == "http://www.w3.org/ns/pim/space#Storage"
		if !server && (t.S == self || strings.HasPrefix(t.S.Value, self.Value+"#")) {
			own.Add(t.S, t.P, t.O)
		}
	}
	for _, o := range g.Objects(self, rdf.IRI(ldpTerms+"contains")) {
		name, ok := strings.CutPrefix(o.Value, self.Value)
		id, err := ldp.ParseID(path + name)
		if !ok || err != nil || id == ldp.ID(path) || string(id.Parent()) != path {
			f.leave(o.Value, "name")
			continue
		}
		m := found{path: path + name}
		if at, ok := g.Object(o, rdf.IRI(dcTerms+"modified")); ok {
			m.modified, _ = time.Parse(time.RFC3339, at.Value)
		}
		members = append(members, m)
	}
	slices.SortFunc(members, func(a, b found) int { return strings.Compare(a.path, b.path) })
	return own, members
}

// acl writes the ACL document of a resource, if it has one of its own. It says the
// same under the name that it gets.
func (f *fetcher) acl(ctx context.Context, of *http.Response, path string) error {
	at, err := linked(of, "acl")
	switch {
	case errors.Is(err, errNoLink):
		return nil
	case err != nil:
		return err
	case !strings.HasPrefix(at, f.base+"/"):
		return fmt.Errorf("%s: its rules are at another server, %s; without them nobody knows who may read it", path, at)
	}
	resp, err := f.get(ctx, at, "text/turtle")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotFound:
		return nil
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("%s answers %s: the rules can't be read, and without them nobody knows who may read the document", at, resp.Status)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	g, err := rdf.Read(ctx, b, rdf.Turtle, at, rdf.Limits{})
	if err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	if b, err = rdf.Write(g, rdf.Turtle, rdf.WriteOptions{}); err != nil {
		return err
	}
	return f.out.AddBytes(parcel.Member{Name: f.name(path) + ldp.ACLSuffix, Type: "text/turtle", Modified: f.since(resp, time.Time{})}, b)
}

// document writes one document. Its body is kept in the cache first, since its
// size must be known; what is there of an earlier run is not asked for again.
func (f *fetcher) document(ctx context.Context, path string, modified time.Time) error {
	sum := sha256.Sum256([]byte(path + "\n" + modified.Format(time.RFC3339)))
	kept := filepath.Join(f.cache, fmt.Sprintf("%x", sum))
	_, err := os.Stat(kept)
	there := err == nil && !modified.IsZero()
	resp, err := f.get(ctx, f.base+path, "*/*")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		if resp.StatusCode == http.StatusNotFound { // removed meanwhile
			return nil
		}
		return fmt.Errorf("%s answers %s", path, resp.Status)
	}
	f.sum.Documents++
	if there {
		f.sum.Before++
	} else if err := f.keep(kept, resp.Body); errors.Is(err, errLarge) {
		f.leave(path, "size")
		return nil
	} else if err != nil {
		return err
	}
	if err := f.acl(ctx, resp, path); err != nil {
		return err
	}
	f.shown.show(pace{int64(f.sum.Documents), 0, "documents"})
	return f.add(kept, parcel.Member{Name: f.name(path), Type: resp.Header.Get("Content-Type"), Modified: f.since(resp, modified)})
}

var errLarge = errors.New("too large")

// keep writes a body to the cache: the whole of it, or nothing.
func (f *fetcher) keep(name string, body io.Reader) error {
	out, err := os.OpenFile(name+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(out, io.LimitReader(body, f.most+1))
	if err == nil && n > f.most {
		err = errLarge
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return errors.Join(err, os.Remove(name+".new"))
	}
	return os.Rename(name+".new", name)
}

func (f *fetcher) add(kept string, m parcel.Member) error {
	body, err := os.Open(kept)
	if err != nil {
		return err
	}
	defer body.Close()
	info, err := body.Stat()
	if err != nil {
		return err
	}
	m.Size = info.Size()
	f.sum.Bytes += m.Size
	return f.out.Add(m, body)
}
