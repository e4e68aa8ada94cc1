// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// A browser is a person's, without JavaScript: it keeps cookies, follows
// redirects, reads pages, and presses what it finds on them.
type browser struct {
	t      *testing.T
	client *http.Client
	page   *html.Node
	at     *url.URL
	status int
	seen   []string // every body that it was sent, with its address
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, client: &http.Client{Jar: jar, Timeout: 20 * time.Second}}
}

func (b *browser) open(address string) {
	b.t.Helper()
	req, err := http.NewRequest("GET", address, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	b.do(req)
}

func (b *browser) do(req *http.Request) {
	b.t.Helper()
	req.Header.Set("Accept", "text/html")
	req.Header.Set("Accept-Language", "sv")
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	b.at, b.status = resp.Request.URL, resp.StatusCode
	b.seen = append(b.seen, b.at.String()+"\n"+string(body))
	if b.page, err = html.Parse(strings.NewReader(string(body))); err != nil {
		b.t.Fatal(err)
	}
}

// text is all that the page says.
func (b *browser) text() string {
	var s strings.Builder
	for n := range b.page.Descendants() {
		if n.Type == html.TextNode && n.Parent.Data != "script" && n.Parent.Data != "style" {
			s.WriteString(n.Data)
			s.WriteByte(' ')
		}
	}
	return strings.Join(strings.Fields(s.String()), " ")
}

func textOf(n *html.Node) string {
	var s strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			s.WriteString(c.Data)
		}
	}
	return strings.Join(strings.Fields(s.String()), " ")
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

// sees fails the test if the page doesn't say each of the words.
func (b *browser) sees(words ...string) {
	b.t.Helper()
	text := b.text()
	for _, w := range words {
		if !strings.Contains(text, w) {
			b.t.Fatalf("%s does not say %q; it says:\n%s", b.at, w, text)
		}
	}
}

// says reports whether the page says words.
func (b *browser) says(words string) bool { return strings.Contains(b.text(), words) }

// press presses the link or button whose text begins with label; fields are
// filled in first.
func (b *browser) press(label string, fields ...string) {
	b.t.Helper()
	for n := range b.page.Descendants() {
		if n.Type != html.ElementNode || !strings.HasPrefix(textOf(n), label) {
			continue
		}
		switch n.Data {
		case "a":
			b.open(b.at.ResolveReference(b.parse(attr(n, "href"))).String())
			return
		case "button":
			b.submit(n, fields)
			return
		}
	}
	b.t.Fatalf("%s has no link or button %q; it says:\n%s", b.at, label, b.text())
}

func (b *browser) parse(s string) *url.URL {
	b.t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		b.t.Fatal(err)
	}
	return u
}

// submit sends the form that a button is in.
func (b *browser) submit(button *html.Node, fields []string) {
	b.t.Helper()
	form := button
	for form != nil && form.Data != "form" {
		form = form.Parent
	}
	if form == nil {
		b.t.Fatalf("the button %q is in no form", textOf(button))
	}
	values := url.Values{}
	for n := range form.Descendants() {
		name := attr(n, "name")
		kind := attr(n, "type")
		switch {
		case n.Type != html.ElementNode || name == "":
		case n.Data == "input" && (kind == "radio" || kind == "checkbox"):
			if has(n, "checked") {
				values.Add(name, attr(n, "value"))
			}
		case n.Data == "input" || n.Data == "textarea":
			values.Set(name, attr(n, "value"))
		case n.Data == "option" && has(n, "selected"):
			values.Set(attr(n.Parent, "name"), attr(n, "value"))
		}
	}
	if attr(button, "name") != "" {
		values.Set(attr(button, "name"), attr(button, "value"))
	}
	for i := 0; i+1 < len(fields); i += 2 {
		values.Set(fields[i], fields[i+1])
	}
	action := b.at.ResolveReference(b.parse(attr(form, "action")))
	if !strings.EqualFold(attr(form, "method"), "post") {
		action.RawQuery = values.Encode()
		b.open(action.String())
		return
	}
	req, err := http.NewRequest("POST", action.String(), strings.NewReader(values.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", b.at.Scheme+"://"+b.at.Host)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	b.do(req)
}
