// SPDX-License-Identifier: EUPL-1.2

package ldp

import (
	"fmt"
	"hash/fnv"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Pages of a container (LDP Paging 1.0; 2026-11). A client that prefers at most so
// many members at a time, "Prefer: return=representation; max-member-count=100",
// is sent with 303 to the first page, and from each to the next by Link; one that
// doesn't gets everything. A page is named by the member that it comes after, not
// by a number: so a member that is there all the while is on just one page, also
// while others are made and deleted. What the container says of itself is on each
// page, its own triples are on the first.
//
// The redirect follows from the request's form alone and comes before anybody is
// identified, so it tells nothing; and a browser that follows it sends the same
// DPoP proof again, which has not been used up.
const (
	sizeParameter  = "max-member-count" // of Prefer and of a page's URL
	afterParameter = "after"
	largestPage    = 1000 // members: a page is collected before it is sent
)

// A window is what one page shows of a container.
type window struct {
	size  int // members, at most
	after ID  // the member that it comes after; "" on the first page
}

// asked reads the URL of a page; nil for that of the container itself.
func (x *exchange) asked() (*window, error) {
	if !x.id.IsContainer() || !strings.Contains(x.r.URL.RawQuery, sizeParameter+"=") {
		return nil, nil
	}
	query := x.r.URL.Query()
	n, ok := offset(query.Get(sizeParameter))
	w := &window{size: int(min(n, largestPage))}
	if after := query.Get(afterParameter); after != "" && ok {
		id, err := ParseID(string(x.id) + after)
		if ok = err == nil && id.Parent() == x.id; ok {
			w.after = id
		}
	}
	if !ok || w.size == 0 {
		return nil, Refuse(Invalid, "There is no such page. Ask for the container, with Prefer: return=representation; max-member-count=100.")
	}
	return w, nil
}

// after is the member that the page comes after; "" if there is no such.
func (x *exchange) after() ID {
	if x.shows == nil {
		return ""
	}
	return x.shows.after
}

// url is the window's URL.
func (x *exchange) url(w window) string {
	u := x.Base + string(x.id) + "?" + sizeParameter + "=" + strconv.Itoa(w.size)
	if w.after != "" {
		u += "&" + afterParameter + "=" + url.QueryEscape(string(w.after[len(x.id):]))
	}
	return u
}

// turned answers a request that belongs to another URL because of pages: who
// prefers them is sent to the first; who writes to one, to the container (Solid
// Protocol, section 5: a representation's URL). It reports whether it did.
func (x *exchange) turned() (done bool, err error) {
	if x.shows, err = x.asked(); err != nil {
		return false, err
	}
	switch method := x.r.Method; {
	case method == http.MethodOptions:
	case method != http.MethodGet && method != http.MethodHead:
		if x.shows != nil {
			x.r.URL.RawQuery = ""
			x.redirect(http.StatusPermanentRedirect, x.Base+string(x.id))
			return true, nil
		}
	case x.shows == nil && x.id.IsContainer() && x.r.Header["Prefer"] != nil:
		size := prefer(x.r.Header["Prefer"]).members
		if size == 0 {
			break
		}
		x.r.URL.RawQuery = ""
		x.set("Vary", "Accept, Authorization, Origin, Prefer")
		x.set("Cache-Control", "no-store")
		x.set("Preference-Applied", "return=representation")
		x.redirect(http.StatusSeeOther, x.url(window{size: min(size, largestPage)}))
		return true, nil
	}
	return false, nil
}

// format names the page's representation in its entity tag.
func (w *window) format(of string) string {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %s", w.size, w.after)
	return fmt.Sprintf("%s-%x", of, h.Sum64())
}

// turn leaves of the resource what is on the page, and links the other pages.
func (g *reading) turn() error {
	w := g.shows
	if w.after != "" {
		g.res.Graph = nil
	}
	var found []Member
	more := false
	for m, err := range g.res.Members {
		switch {
		case err != nil:
			return fmt.Errorf("list: %w", err)
		case m.ID <= w.after:
			continue
		}
		if more = len(found) == w.size; more {
			break
		}
		found = append(found, m)
	}
	g.res.Members = func(yield func(Member, error) bool) {
		for _, m := range found {
			if !yield(m, nil) {
				return
			}
		}
	}
	b := link([]byte(g.header.Get("Link")), "", nsLDP+"Page", "type")
	b = link(b, g.Base, string(g.id), "canonical")
	b = append(b, `; etag=`+entityTag(g.res.Tag, short(g.picked))...)
	b = link(b, "", g.url(window{size: w.size}), "first")
	if more && !g.bare {
		g.next = g.url(window{w.size, found[len(found)-1].ID})
		b = link(b, "", g.next, "next")
	}
	g.set("Link", string(b))
	return nil
}
