// SPDX-License-Identifier: EUPL-1.2

package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"syscall"
	"time"
)

// The limits of a guarded client.
const (
	guardTime      = 10 * time.Second // for a request with all of its redirects and the body
	guardBody      = 1 << 20          // bytes
	guardHeader    = 64 << 10         // bytes
	guardRedirects = 3
	guardRequests  = 32 // at once; others wait
)

// ErrGuarded is what a guarded client answers for what it doesn't fetch.
var ErrGuarded = errors.New("not an address that is fetched from here")

// Guarded makes an HTTP client for URLs that strangers name: WebID documents,
// key sets. It fetches by https and from public addresses only. The address is
// looked at when it is dialled, after any look-up of a name, so a name can't
// change its mind in between. Redirects are looked at like first requests, and
// are at most 3. Bodies are limited to 1 MiB, as they come: it asks for no
// compression, and undoes none. A request may take 10 s, and 32 may go on at
// once. It uses no proxy and sends no cookies.
//
// With loopback it also fetches, by http too, from this machine: for the demo
// and for tests.
func Guarded(loopback bool) *http.Client { return guarded(loopback, nil) }

// guarded is Guarded, with a resolver of names; nil for the system's.
func guarded(loopback bool, names *net.Resolver) *http.Client {
	g := &guard{loopback: loopback, places: make(chan struct{}, guardRequests)}
	dialer := &net.Dialer{Timeout: guardTime / 2, Control: g.control, Resolver: names}
	g.transport = &http.Transport{
		DialContext: dialer.DialContext, DisableCompression: true, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: guardTime / 2, ResponseHeaderTimeout: guardTime / 2, MaxResponseHeaderBytes: guardHeader,
		MaxIdleConns: guardRequests, MaxConnsPerHost: guardRequests / 4, IdleConnTimeout: time.Minute,
	}
	return &http.Client{Transport: g, Timeout: guardTime, CheckRedirect: func(_ *http.Request, via []*http.Request) error {
		if len(via) > guardRedirects {
			return fmt.Errorf("more than %d redirects: %w", guardRedirects, ErrGuarded)
		}
		return nil
	}}
}

type guard struct {
	loopback  bool
	places    chan struct{}
	transport http.RoundTripper
}

// RoundTrip obeys http.RoundTripper. It sees each redirect too.
func (g *guard) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := g.checkURL(r.URL); err != nil {
		return nil, err
	}
	select {
	case g.places <- struct{}{}:
	case <-r.Context().Done():
		return nil, context.Cause(r.Context())
	}
	resp, err := g.transport.RoundTrip(r)
	if err != nil {
		<-g.places
		return nil, err
	}
	resp.Body = &guardedBody{body: resp.Body, left: guardBody, places: g.places}
	return resp, nil
}

func (g *guard) checkURL(u *url.URL) error {
	switch {
	case u.User != nil || u.Hostname() == "":
	case u.Scheme == "https", u.Scheme == "http" && g.loopback && isLoopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("not an https URL: %w", ErrGuarded)
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// control is called with each address that is about to be dialled.
func (g *guard) control(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("dial: %w", ErrGuarded)
	}
	if ip := to.Addr().Unmap(); !public(ip) && !(g.loopback && ip.IsLoopback()) {
		return fmt.Errorf("dial: not a public address: %w", ErrGuarded)
	}
	// Services that speak something else can be made to do harm by HTTP.
	if port := to.Port(); port < 1024 && port != 443 && port != 80 {
		return fmt.Errorf("dial: not a port of web servers: %w", ErrGuarded)
	}
	return nil
}

// public reports whether an address may be reached over the internet, and
// isn't a way to one that may not.
func public(ip netip.Addr) bool {
	return ip.IsGlobalUnicast() && !ip.IsPrivate() && (ip.Is4() || global6().Contains(ip)) &&
		!slices.ContainsFunc(special(), func(p netip.Prefix) bool { return p.Contains(ip) })
}

func global6() netip.Prefix { return netip.MustParsePrefix("2000::/3") }

// special are the blocks of IANA's special-purpose registries (RFC 6890) that
// the methods of netip.Addr don't know, among those that are or embed global
// ones.
func special() []netip.Prefix {
	v4 := func(a, b, c, d byte, bits int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{a, b, c, d}), bits)
	}
	return []netip.Prefix{
		v4(0, 0, 0, 0, 8), v4(100, 64, 0, 0, 10), v4(192, 0, 0, 0, 24), v4(192, 0, 2, 0, 24), v4(192, 88, 99, 0, 24),
		v4(198, 18, 0, 0, 15), v4(198, 51, 100, 0, 24), v4(203, 0, 113, 0, 24), v4(240, 0, 0, 0, 4),
		netip.MustParsePrefix("2001::/23"),     // Teredo and other protocols
		netip.MustParsePrefix("2001:db8::/32"), // documentation
		netip.MustParsePrefix("2002::/16"),     // 6to4: embeds an IPv4 address
		netip.MustParsePrefix("3fff::/20"),     // documentation
	}
}

// A guardedBody ends with an error where it is too long, and gives its place
// back when it is closed.
type guardedBody struct {
	body   io.ReadCloser
	left   int64
	places chan struct{}
	once   sync.Once
}

func (b *guardedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, fmt.Errorf("the body is larger than %d bytes: %w", guardBody, ErrGuarded)
	}
	n, err := b.body.Read(p[:min(int64(len(p)), b.left+1)])
	if b.left -= int64(n); b.left < 0 {
		return n - 1, fmt.Errorf("the body is larger than %d bytes: %w", guardBody, ErrGuarded)
	}
	return n, err
}

func (b *guardedBody) Close() error {
	b.once.Do(func() { <-b.places })
	return b.body.Close()
}
