// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/coder/websocket"

	"skrin/ldp/client"
	"skrin/ldp/rdf"
)

// The commands here are for a person at a terminal, on any Solid server.

// A target is the URL of a command.
type target struct {
	remote `embed:""`
	URL    string `arg:"" help:"The resource's URL."`
}

// getCommand prints a resource.
type getCommand struct {
	target `embed:""`
	Accept string `help:"Media type that you want."`
}

// Run obeys kong.
func (c *getCommand) Run(ctx context.Context) error {
	resp, err := c.open(ctx, c.URL, c.Accept)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	shown := newBar(c.JSON || isTerminal(os.Stdout))
	defer shown.end()
	body := &counter{r: resp.Body, of: resp.ContentLength, told: shown.show}
	if !c.JSON {
		_, err = io.Copy(os.Stdout, body)
		return err
	}
	text, err := io.ReadAll(io.LimitReader(body, maxShown+1))
	if err == nil && len(text) > maxShown {
		err = fmt.Errorf("%s is larger than the %d MB that are shown as JSON", c.URL, maxShown>>20)
	}
	if err != nil {
		return err
	}
	d := performedBy(resp)
	if d.Body = string(text); !utf8.Valid(text) {
		d.Body, d.Base64 = "", text
	}
	return json.NewEncoder(os.Stdout).Encode(d)
}

// maxShown is how large a body is shown as JSON, in bytes.
const maxShown = 32 << 20

// A performed request is what --json prints of a request.
type performed struct {
	URL    string `json:"url"` // where the resource is now
	Status int    `json:"status"`
	Type   string `json:"type,omitempty"`
	ETag   string `json:"etag,omitempty"`
	Body   string `json:"body,omitempty"`
	Base64 []byte `json:"base64,omitempty"` // the body, if it is no text
}

func performedBy(resp *http.Response) performed {
	d := performed{URL: resp.Request.URL.String(), Status: resp.StatusCode, ETag: resp.Header.Get("ETag")}
	if place, err := resp.Location(); err == nil {
		d.URL = place.String()
	}
	if resp.Request.Method == http.MethodGet {
		d.Type = resp.Header.Get("Content-Type")
	}
	return d
}

// open begins to read a resource.
func (r remote) open(ctx context.Context, address, accept string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	return r.do(req)
}

// do sends a request; what is not a success is an error.
func (r remote) do(req *http.Request) (*http.Response, error) {
	c, err := r.client()
	if err != nil {
		return nil, err
	}
	resp, err := c.Do(req)
	if err != nil || resp.StatusCode/100 == 2 {
		return resp, err
	}
	defer resp.Body.Close()
	p := client.Problem{Status: resp.StatusCode, Title: http.StatusText(resp.StatusCode)}
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return nil, err
	}
	_ = json.Unmarshal(text, &p) // a server may say it otherwise
	return nil, fmt.Errorf("%s %s: %w", req.Method, req.URL.Redacted(), &p)
}

// An upload is a command that sends a file.
type upload struct {
	target `embed:""`
	File   string `arg:"" help:"File to send; - for standard input." default:"-"`
	Type   string `help:"Its media type; by default what its name says."`
}

// send sends the file, and prints where it is now.
func (c *upload) send(ctx context.Context, method, usual string, header http.Header) error {
	body, size, err := read(c.File)
	if err != nil {
		return err
	}
	defer body.Close()
	return c.write(ctx, method, c.URL, cmp.Or(c.Type, usual, typeOf(c.File)), body, size, header)
}

func (r remote) write(ctx context.Context, method, address, media string, body io.Reader, size int64, header http.Header) error {
	shown := newBar(r.JSON)
	defer shown.end()
	req, err := http.NewRequestWithContext(ctx, method, address, io.NopCloser(&counter{r: body, of: size, told: shown.show}))
	if err != nil {
		return err
	}
	for name, values := range header {
		req.Header[name] = values
	}
	req.ContentLength = size
	req.Header.Set("Content-Type", media)
	resp, err := r.do(req)
	if err != nil {
		return err
	}
	return r.tell(resp)
}

// tell says what a request did, and where.
func (r remote) tell(resp *http.Response) error {
	defer resp.Body.Close()
	if r.JSON {
		return json.NewEncoder(os.Stdout).Encode(performedBy(resp))
	}
	if place, err := resp.Location(); err == nil {
		fmt.Println(place)
	}
	return nil
}

// read opens a file, "-" for standard input; size is -1 if it isn't known.
func read(file string) (io.ReadCloser, int64, error) {
	if file == "-" {
		return io.NopCloser(os.Stdin), -1, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// typeOf returns the media type that a file's name says.
func typeOf(file string) string {
	switch ext := path.Ext(file); ext {
	case ".ttl":
		return "text/turtle"
	case ".jsonld":
		return "application/ld+json"
	default:
		return cmp.Or(mime.TypeByExtension(ext), "application/octet-stream")
	}
}

// putCommand writes a resource.
type putCommand struct {
	upload `embed:""`
}

// Run obeys kong.
func (c *putCommand) Run(ctx context.Context) error { return c.send(ctx, http.MethodPut, "", nil) }

// postCommand adds to a container.
type postCommand struct {
	upload `embed:""`
	Slug   string `help:"The name that you would like."`
}

// Run obeys kong.
func (c *postCommand) Run(ctx context.Context) error {
	header := http.Header{}
	if c.Slug != "" {
		header.Set("Slug", url.PathEscape(c.Slug))
	}
	return c.send(ctx, http.MethodPost, "", header)
}

// patchCommand changes an RDF resource.
type patchCommand struct {
	upload `embed:""`
}

// Run obeys kong.
func (c *patchCommand) Run(ctx context.Context) error {
	return c.send(ctx, http.MethodPatch, "text/n3", nil)
}

// rmCommand removes a resource.
type rmCommand struct {
	target `embed:""`
}

// Run obeys kong.
func (c *rmCommand) Run(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodDelete, c.URL, nil)
	if err != nil {
		return err
	}
	resp, err := c.do(req)
	if err != nil {
		return err
	}
	return c.tell(resp)
}

// lsCommand lists a container.
type lsCommand struct {
	target `embed:""`
}

// Run obeys kong.
func (c *lsCommand) Run(ctx context.Context) error {
	g, _, err := c.graph(ctx, c.URL)
	if err != nil {
		return err
	}
	members := []string{}
	for _, m := range g.Objects(rdf.IRI(c.URL), rdf.IRI("http://www.w3.org/ns/ldp#contains")) {
		members = append(members, m.Value)
	}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(members)
	}
	for _, m := range members {
		fmt.Println(strings.TrimPrefix(m, c.URL))
	}
	return nil
}

// graph reads a resource as RDF.
func (r remote) graph(ctx context.Context, address string) (*rdf.Graph, http.Header, error) {
	resp, err := r.open(ctx, address, "text/turtle")
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	const limit = 32 << 20
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit))
	if err != nil {
		return nil, nil, err
	}
	format, ok := rdf.FormatOf(resp.Header.Get("Content-Type"))
	if !ok {
		return nil, nil, fmt.Errorf("%s is not RDF", address)
	}
	g, err := rdf.Read(ctx, body, format, address, rdf.Limits{Bytes: limit})
	return g, resp.Header, err
}

// cpCommand copies a resource, from or to a URL.
type cpCommand struct {
	remote `embed:""`
	From   string `arg:"" help:"URL or file."`
	To     string `arg:"" help:"URL or file; in a container or folder if it ends with a slash."`
}

func isURL(s string) bool {
	return strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://")
}

// Run obeys kong.
func (c *cpCommand) Run(ctx context.Context) error {
	to := c.To
	if strings.HasSuffix(to, "/") {
		to += path.Base(c.From)
	}
	var from io.ReadCloser
	var size int64
	media := typeOf(c.From)
	if isURL(c.From) {
		resp, err := c.open(ctx, c.From, "")
		if err != nil {
			return err
		}
		from, size, media = resp.Body, resp.ContentLength, resp.Header.Get("Content-Type")
	} else {
		var err error
		if from, size, err = read(c.From); err != nil {
			return err
		}
	}
	defer from.Close()
	if isURL(to) {
		return c.write(ctx, http.MethodPut, to, media, from, size, nil)
	}
	shown := newBar(c.JSON)
	err := save(to, &counter{r: from, of: size, told: shown.show})
	shown.end()
	if err != nil || !c.JSON {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(performed{URL: to, Status: http.StatusOK})
}

// save writes a file whole, or not at all.
func save(file string, from io.Reader) error {
	f, err := os.CreateTemp(filepath.Dir(file), ".skrin-*")
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// aclCommand prints the ACL document of a resource, or replaces it.
type aclCommand struct {
	target `embed:""`
	Set    string `help:"File with the ACL document that it is to have (Turtle)." type:"existingfile"`
}

// Run obeys kong.
func (c *aclCommand) Run(ctx context.Context) error {
	resp, err := c.open(ctx, c.URL, "")
	if err != nil {
		return err
	}
	resp.Body.Close()
	place, err := linked(resp, "acl")
	if err != nil {
		return err
	}
	if c.Set == "" {
		doc := getCommand{target: target{c.remote, place}}
		return doc.Run(ctx)
	}
	text, err := os.ReadFile(c.Set)
	if err != nil {
		return err
	}
	return c.write(ctx, http.MethodPut, place, "text/turtle", bytes.NewReader(text), int64(len(text)), nil)
}

var (
	errNoLink = errors.New("the resource has no such link")

	// A link of a Link header, and a parameter of it (RFC 8288, section 3).
	linkForm  = regexp.MustCompile(`<([^>]*)>((?:` + paramText + `)*)`)
	paramForm = regexp.MustCompile(paramText)
)

const paramText = `\s*;\s*([^\s=;,"<]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s";,]*)))?`

// linked returns the target of the first link with a relation that an answer's Link
// headers have; errNoLink if none has.
func linked(resp *http.Response, relation string) (string, error) {
	for _, field := range resp.Header.Values("Link") {
		for _, link := range linkForm.FindAllStringSubmatch(field, -1) {
			if !slices.ContainsFunc(relations(link[2]), func(rel string) bool { return strings.EqualFold(rel, relation) }) {
				continue
			}
			place, err := resp.Request.URL.Parse(link[1])
			if err != nil {
				return "", err
			}
			return place.String(), nil
		}
	}
	return "", fmt.Errorf("%w: %q", errNoLink, relation)
}

// relations returns those that a link's parameters name: the first rel counts.
func relations(params string) []string {
	for _, p := range paramForm.FindAllStringSubmatch(params, -1) {
		if strings.EqualFold(p[1], "rel") {
			return strings.Fields(p[2] + p[3])
		}
	}
	return nil
}

// watchCommand prints what happens to a resource.
type watchCommand struct {
	target `embed:""`
}

// Run obeys kong. It prints a notification a line, as JSON, until it is
// interrupted. Against a server of the Solid Notifications Protocol with
// WebSocketChannel2023.
func (c *watchCommand) Run(ctx context.Context) error {
	const terms = "http://www.w3.org/ns/solid/notifications#"
	resp, err := c.open(ctx, c.URL, "")
	if err != nil {
		return err
	}
	resp.Body.Close()
	description, err := linked(resp, "http://www.w3.org/ns/solid/terms#storageDescription")
	if err != nil {
		return err
	}
	g, _, err := c.graph(ctx, description)
	if err != nil {
		return err
	}
	for t := range g.All() {
		if t.P.Value == terms+"channelType" && t.O.Value == terms+"WebSocketChannel2023" {
			return c.watch(ctx, t.S.Value)
		}
	}
	return errors.New("the server has no WebSocketChannel2023")
}

func (c *watchCommand) watch(ctx context.Context, service string) error {
	body, err := json.Marshal(map[string]any{
		"@context": []string{"https://www.w3.org/ns/solid/notification/v1"},
		"type":     "http://www.w3.org/ns/solid/notifications#WebSocketChannel2023", "topic": c.URL,
	})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, service, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/ld+json")
	resp, err := c.do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var channel struct{ ReceiveFrom string }
	if err := json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&channel); err != nil {
		return fmt.Errorf("the channel: %w", err)
	}
	conn, _, err := websocket.Dial(ctx, channel.ReceiveFrom, nil)
	if err != nil {
		return err
	}
	defer func() { _ = conn.CloseNow() }()
	fmt.Fprintln(os.Stderr, "watching")
	for {
		_, text, err := conn.Read(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		fmt.Println(string(bytes.TrimSpace(text)))
	}
}
