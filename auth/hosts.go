// SPDX-License-Identifier: EUPL-1.2

package auth

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/publicsuffix"
)

const (
	hostLookups = 4             // of one registrable name, at once
	hostWaiting = 32            // more of them, that wait
	hostWait    = guardTime / 2 // how long they do
)

var errBusy = errors.New("too much is fetched from there at once")

// hosts bounds how much is fetched at once from those who have registered one
// name: a server that is slow on purpose can hold only so many of a guarded
// client's places, by however many names below its own. It is safe for
// concurrent use.
type hosts struct {
	mu    sync.Mutex
	known map[string]*host // those of which something is fetched, or waits
}

type host struct {
	places chan struct{}
	users  int // who fetch or wait
}

// enter takes a place to fetch the address, or waits for one for some seconds.
// Who has one calls leave.
func (h *hosts) enter(address string) (leave func(), err error) {
	name := registrable(address)
	at := h.join(name)
	if at == nil {
		return nil, errBusy
	}
	wait := time.NewTimer(hostWait)
	defer wait.Stop()
	select {
	case at.places <- struct{}{}:
		return func() { <-at.places; h.part(name) }, nil
	case <-wait.C:
		h.part(name)
		return nil, errBusy
	}
}

func (h *hosts) join(name string) *host {
	h.mu.Lock()
	defer h.mu.Unlock()
	at := h.known[name]
	if at == nil {
		at = &host{places: make(chan struct{}, hostLookups)}
		h.known[name] = at
	}
	if at.users == hostLookups+hostWaiting {
		return nil
	}
	at.users++
	return at
}

func (h *hosts) part(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	at := h.known[name]
	if at.users--; at.users == 0 {
		delete(h.known, name)
	}
}

// registrable returns the name under which somebody has registered the address's
// host: example.org of https://a.b.example.org/. Of a number it is the number, of
// IPv6 the network that one customer has.
func registrable(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil {
		if ip = ip.Unmap(); ip.Is6() {
			network, _ := ip.WithZone("").Prefix(48)
			return network.String()
		}
		return ip.String()
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if name, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil {
		return name
	}
	return host
}
