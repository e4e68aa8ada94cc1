// SPDX-License-Identifier: EUPL-1.2

package ldp

import "net/http"

// Content on an origin of its own (2026-11). What people store is shown by
// browsers, and some of it is a program: HTML, SVG. Two Handlers keep it from the
// pages of the server. The one at Base gives it to programs alone, which fetch;
// what a browser loads by itself, as a page, a frame, an image or a script, it
// sends with 307 to Apart, another host, where the same path is answered by a
// Handler that is Isolated: to nobody in particular, so that only what everybody
// may read is seen, and without cookies, tokens and pages. There it is still in a
// sandbox, and nosniff. An old browser doesn't say what it loads (Sec-Fetch-Dest)
// and is at Base given an attachment, as where there is no Apart.
//
// The URL of a resource, in listings, links, WebIDs, ACLs and DPoP proofs, is that
// at Base on both hosts, so an operator can add or move Apart, and Solid clients
// never see it: a write that goes there is sent back with 308 (Solid Protocol,
// section 5: another URL of the same resource). We gave up pods whose own URLs
// are on the other host, as raw.githubusercontent.com and some pod providers have
// it: they could not be had later without renaming everybody.

// apart answers a request that belongs on the other host; false if it doesn't.
func (x *exchange) apart() bool {
	reads := x.r.Method == http.MethodGet || x.r.Method == http.MethodHead
	switch {
	case x.Isolated && (!reads && x.r.Method != http.MethodOptions || x.r.Header["Authorization"] != nil):
		x.redirect(http.StatusPermanentRedirect, x.Base+string(x.id))
	case !x.Isolated && x.Apart != "" && reads && x.loaded():
		x.set("Vary", "Accept, Authorization, Origin, Sec-Fetch-Dest")
		x.set("Cache-Control", "no-store")
		x.redirect(http.StatusTemporaryRedirect, x.Apart+string(x.id))
	default:
		return false
	}
	return true
}

// loaded reports whether a browser says that it loads the resource by itself, and
// not for a program (Fetch Metadata, Sec-Fetch-Dest).
func (x *exchange) loaded() bool {
	dest := x.r.Header.Get("Sec-Fetch-Dest")
	return dest != "" && dest != "empty"
}

func (x *exchange) redirect(status int, to string) {
	if x.r.URL.RawQuery != "" {
		to += "?" + x.r.URL.RawQuery
	}
	x.set("Location", to)
	x.set("Content-Length", "0")
	x.w.WriteHeader(status)
}
