// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/html"

	"skrin/ldp/client"
)

// A visitor is a person's browser, as far as forms go.
type visitor struct {
	*http.Client
	at *url.URL
}

func (s *site) newVisitor() *visitor {
	jar, _ := cookiejar.New(nil) // fails never without options
	return &visitor{Client: &http.Client{Jar: jar, Transport: s.via, Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// open follows redirects on the site's own origin, and returns the page, or the
// address elsewhere that it is sent to.
func (v *visitor) open(ctx context.Context, method, address string, form url.Values) (page []byte, elsewhere *url.URL, err error) {
	at, err := url.Parse(address)
	if err != nil {
		return nil, nil, err
	}
	for range 10 {
		req, err := http.NewRequestWithContext(ctx, method, at.String(), strings.NewReader(form.Encode()))
		if err != nil {
			return nil, nil, err
		}
		req.Header.Set("Accept", "text/html")
		if method == http.MethodPost {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set("Sec-Fetch-Site", "same-origin")
			req.Header.Set("Origin", at.Scheme+"://"+at.Host)
		}
		resp, err := v.Do(req)
		if err != nil {
			return nil, nil, err
		}
		page, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		resp.Body.Close()
		if err != nil {
			return nil, nil, err
		}
		next, err := resp.Location()
		if err != nil { // there is none
			v.at = at
			if resp.StatusCode != http.StatusOK {
				return nil, nil, fmt.Errorf("%s %s: %s", method, at.Path, resp.Status)
			}
			return page, nil, nil
		}
		if next.Host != at.Host {
			return nil, next, nil
		}
		at, method, form = next, http.MethodGet, nil
	}
	return nil, nil, fmt.Errorf("%s: too many redirects", address)
}

// podCreate signs in somebody for the first time, by which a pod is made; with
// others it is what makes an account with a pod.
func podCreate(ctx context.Context, b *bench) func(int) error {
	if b.stage == nil {
		return func(i int) (err error) {
			name := fmt.Sprintf("%s-%d", tag, i)
			if b.kind == kindJSS {
				_, err = jssAccount(ctx, b.base, name)
			} else {
				_, err = cssAccount(ctx, b.base, name, false)
			}
			return err
		}
	}
	return func(int) error {
		who := b.stage.Newcomer + int(b.came.Add(1)-1)
		if who > b.stage.Last {
			return fmt.Errorf("all newcomers have come: there are %d", b.stage.Last-b.stage.Newcomer)
		}
		_, _, err := b.newVisitor().open(ctx, "POST", b.stage.SignIn, url.Values{"who": {strconv.Itoa(who)}})
		return err
	}
}

// consent is a request from its signature to the first read.
func consent(ctx context.Context, b *bench) func(int) error {
	type seat struct {
		sync.Mutex
		*visitor
	}
	seats := make([]*seat, len(b.users))
	for i := range seats {
		seats[i] = &seat{visitor: b.newVisitor()}
	}
	return func(i int) error {
		s := seats[i%len(seats)]
		s.Lock()
		defer s.Unlock()
		if s.at == nil {
			if _, _, err := s.open(ctx, "POST", b.stage.SignIn, url.Values{"who": {strconv.Itoa(i % len(seats))}}); err != nil {
				return err
			}
		}
		return b.consent(ctx, s.visitor)
	}
}

func (b *bench) consent(ctx context.Context, v *visitor) error {
	c := &b.stage.Consumer
	pending, err := b.party.Begin(ctx, client.AuthorizationRequest{RedirectURI: c.Return, Scope: "openid webid", Details: []json.RawMessage{c.Request}})
	if err != nil {
		return err
	}
	page, _, err := v.open(ctx, "GET", pending.URL, nil)
	if err != nil {
		return err
	}
	form, err := fields(page)
	if err != nil {
		return err
	}
	form.Set("do", "agree")
	_, back, err := v.open(ctx, "POST", v.at.String(), form)
	if err != nil {
		return err
	}
	if back == nil {
		return fmt.Errorf("%s did not go back", v.at.Path)
	}
	tokens, err := b.party.Finish(ctx, pending, back.Query())
	if err != nil {
		return err
	}
	var granted []struct{ Locations []string }
	if err := json.Unmarshal(tokens.AuthorizationDetails, &granted); err != nil {
		return err
	}
	if len(granted) == 0 || len(granted[0].Locations) == 0 {
		return errors.New("nothing was granted")
	}
	_, err = b.party.Get(ctx, granted[0].Locations[0], "application/dc+sd-jwt")
	return err
}

// fields are the values with which a page's forms come.
func fields(page []byte) (url.Values, error) {
	root, err := html.Parse(strings.NewReader(string(page)))
	if err != nil {
		return nil, err
	}
	out := url.Values{}
	for n := range root.Descendants() {
		if n.Data != "input" && n.Data != "option" {
			continue
		}
		at := map[string]string{}
		for _, a := range n.Attr {
			at[a.Key] = a.Val
		}
		_, checked := at["checked"]
		_, selected := at["selected"]
		switch {
		case n.Data == "option" && selected:
			for _, a := range n.Parent.Attr {
				if a.Key == "name" {
					out.Set(a.Val, at["value"])
				}
			}
		case n.Data == "input" && (at["type"] == "hidden" || checked):
			out.Set(at["name"], at["value"])
		}
	}
	return out, nil
}
