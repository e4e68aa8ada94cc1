// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/html"
)

// A walker is a person's browser without JavaScript: it keeps cookies, follows
// redirects, reads pages, and presses what it finds on them. The demo that runs
// by itself walks with it, and so do the tests.
type walker struct {
	client *http.Client
	page   *html.Node
	at     *url.URL
	status int
	seen   []string // every body that it was sent, with its address
	typed  []string // fields on the way that a person would have had to fill in
}

const maxPage = 4 << 20 // bytes

func newWalker() (*walker, error) {
	jar, err := cookiejar.New(nil)
	return &walker{client: &http.Client{Jar: jar, Timeout: 20 * time.Second}}, err
}

// open opens a page.
func (b *walker) open(address string) error {
	req, err := http.NewRequest("GET", address, nil)
	if err != nil {
		return err
	}
	return b.do(req)
}

func (b *walker) do(req *http.Request) error {
	req.Header.Set("Accept", "text/html")
	req.Header.Set("Accept-Language", "sv")
	resp, err := b.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxPage))
	if err != nil {
		return err
	}
	b.at, b.status = resp.Request.URL, resp.StatusCode
	b.seen = append(b.seen, b.at.String()+"\n"+string(body))
	b.page, err = html.Parse(strings.NewReader(string(body)))
	return err
}

// text is all that the page says.
func (b *walker) text() string {
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

// says reports whether the page says words.
func (b *walker) says(words string) bool { return strings.Contains(b.text(), words) }

// press presses the link or button whose text begins with label; fields are
// filled in first.
func (b *walker) press(label string, fields ...string) error {
	for n := range b.page.Descendants() {
		if n.Type != html.ElementNode || !strings.HasPrefix(textOf(n), label) {
			continue
		}
		switch n.Data {
		case "a":
			to, err := b.at.Parse(attr(n, "href"))
			if err != nil {
				return err
			}
			return b.open(to.String())
		case "button":
			return b.submit(n, fields)
		}
	}
	return fmt.Errorf("%s has no link or button %q; it says:\n%s", b.at, label, b.text())
}

// submit sends the form that a button is in.
func (b *walker) submit(button *html.Node, fields []string) error {
	form := button
	for form != nil && form.Data != "form" {
		form = form.Parent
	}
	if form == nil {
		return fmt.Errorf("the button %q is in no form", textOf(button))
	}
	values := b.values(form)
	if attr(button, "name") != "" {
		values.Set(attr(button, "name"), attr(button, "value"))
	}
	for i := 0; i+1 < len(fields); i += 2 {
		values.Set(fields[i], fields[i+1])
	}
	action, err := b.at.Parse(attr(form, "action"))
	if err != nil {
		return err
	}
	if !strings.EqualFold(attr(form, "method"), "post") {
		action.RawQuery = values.Encode()
		return b.open(action.String())
	}
	req, err := http.NewRequest("POST", action.String(), strings.NewReader(values.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", b.at.Scheme+"://"+b.at.Host)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.do(req)
}

// values are what a form sends as it stands.
func (b *walker) values(form *html.Node) url.Values {
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
			if kind != "hidden" {
				b.typed = append(b.typed, b.at.Path+" "+name)
			}
		case n.Data == "option" && has(n, "selected"):
			values.Set(attr(n.Parent, "name"), attr(n, "value"))
		}
	}
	return values
}
