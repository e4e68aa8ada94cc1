// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// addressed tells next where a request came from, in its RemoteAddr.
func addressed(next http.Handler, proxies []netip.Prefix) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(proxies) > 0 {
			r.RemoteAddr = netip.AddrPortFrom(addressOf(r, proxies), 0).String()
		}
		next.ServeHTTP(w, r)
	})
}

// addressOf returns where a request comes from: the peer's address, or where that
// is a trusted proxy's, the last address in X-Forwarded-For that isn't one. What
// stands before that anybody could have written.
func addressOf(r *http.Request, proxies []netip.Prefix) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	ip := at.Addr().Unmap()
	if !trusted(ip, proxies) {
		return ip
	}
	fields := r.Header["X-Forwarded-For"]
	for _, field := range slices.Backward(fields) {
		for rest, more := field, true; more; {
			item := rest
			if i := strings.LastIndexByte(rest, ','); i >= 0 {
				rest, item = rest[:i], rest[i+1:]
			} else {
				more = false
			}
			hop, err := parseHop(strings.TrimSpace(item))
			if err != nil {
				return ip // a proxy that says nonsense is the last that is known
			}
			if ip = hop; !trusted(ip, proxies) {
				return ip
			}
		}
	}
	return ip
}

// parseHop reads an address, with a port or without.
func parseHop(text string) (netip.Addr, error) {
	if host, _, err := net.SplitHostPort(text); err == nil {
		text = host
	}
	ip, err := netip.ParseAddr(text)
	return ip.Unmap(), err
}

func trusted(ip netip.Addr, proxies []netip.Prefix) bool {
	return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(ip) })
}
