// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"skrin/acl"
	"skrin/auth"
	"skrin/ldp"
)

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

// A guard stands around everything that is served: it gives each request an id,
// refuses what is over a limit, and counts, logs and traces what was answered.
type guard struct {
	config
	log       *slog.Logger
	now       func() time.Time
	m         *metrics
	traces    *traces
	addresses *auth.Limiter // nil for no bound, as those below
	oauth     *auth.Limiter
	lookups   *auth.Limiter
	clients   *auth.Limiter
	pods      podLimits
	bulk      *auth.Limiter
	numbers   *auth.Limiter
	parties   map[string]*auth.Limiter // with a profile of their own
	reported  *auth.Limiter            // parties that were named in the log of late
	together  together
	underWay  atomic.Int64
	memory    memory
	asked     atomic.Uint64 // requests since the start
}

// The numbers of keys that limiters remember.
const (
	manyKeys = 100_000
	fewKeys  = 10_000
)

func newGuard(c config, log *slog.Logger, now func() time.Time) *guard {
	limiter := func(r rate, keys int) *auth.Limiter {
		if r.N == 0 {
			return nil
		}
		return auth.NewLimiter(r.N, r.Per/time.Duration(r.N), keys, now)
	}
	g := &guard{
		config: c, log: log, now: now, m: newMetrics(), traces: newTraces(c.Trace, log), parties: map[string]*auth.Limiter{},
		addresses: limiter(c.Limit.Address, manyKeys), oauth: limiter(c.Limit.OAuth, manyKeys), lookups: limiter(c.Limit.Lookups, manyKeys), clients: limiter(c.Limit.Client, manyKeys),
		pods: podLimits{limiter(c.Limit.Pod, manyKeys), limiter(c.Limit.Pod, manyKeys), limiter(c.Limit.Pod, manyKeys), limiter(c.Limit.Pod, manyKeys)},
		bulk: limiter(c.Limit.Bulk, fewKeys), numbers: limiter(c.Limit.Numbers, fewKeys), reported: auth.NewLimiter(1, time.Hour, fewKeys, now),
		together: together{most: c.Limit.AddressRequests}, memory: memory{most: uint64(c.Limit.Memory), header: uint64(cmp.Or(c.Limit.Header, standardHeader))},
	}
	g.m.watchConnections(&g.memory.open)
	for id, r := range c.Bulk {
		g.parties[id] = limiter(r, 2)
	}
	return g
}

// A visit is one request, as the guard sees it.
type visit struct {
	recorder
	r      *http.Request
	began  time.Time
	ip     netip.Addr
	route  string
	id     [1]string // a header's value
	key    string    // of the address; "" if nothing is counted by it
	inside bool      // it is one of those under way
	whole  bool      // it was answered, and didn't panic
	traced func(status int)
}

// wrap puts the guard around next; refuse answers what it refuses.
func (g *guard) wrap(next http.Handler, refuse func(http.ResponseWriter, *http.Request, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &visit{recorder: recorder{ResponseWriter: w}, began: g.now(), ip: addressOf(r, g.Proxies), route: routeOf(r.URL.Path)}
		v.id[0] = g.requestID(r, r.RemoteAddr)
		if len(g.Proxies) > 0 {
			r.RemoteAddr = netip.AddrPortFrom(v.ip, 0).String()
		}
		w.Header()["X-Request-Id"] = v.id[:]
		v.r, v.traced = g.traces.request(g.bounded(r, v), v.route)
		g.m.underWay.Inc()
		g.asked.Add(1)
		defer g.left(v)
		if err := g.enter(v); err != nil {
			refuse(v, v.r, err)
		} else {
			next.ServeHTTP(v, v.r)
		}
		v.whole = true
	})
}

// bounded returns a request for which only so many documents are fetched from other
// servers. Strangers name none, but to the OpenID provider, which lends apps its ear.
func (g *guard) bounded(r *http.Request, v *visit) *http.Request {
	if g.lookups == nil || r.Header["Authorization"] == nil && r.Header["Cookie"] == nil && !strings.HasPrefix(v.route, "/.oidc/") {
		return r
	}
	return r.WithContext(auth.WithAllowance(r.Context(), func() error {
		err := g.allow(g.lookups, byLookups, addressKey(v.ip), "Your address names more people, issuers or groups of other servers than this server looks up. Wait, then retry.")
		if err != nil {
			return fmt.Errorf("%w: %w", auth.ErrSpent, err)
		}
		return nil
	}))
}

// left is called at a visit's end.
func (g *guard) left(v *visit) {
	if v.inside {
		g.underWay.Add(-1)
		g.together.leave(v.key)
	}
	g.m.underWay.Dec()
	status := v.status
	switch {
	case status == 0 && v.whole:
		status = http.StatusOK
	case status == 0: // a panic: net/http ends the connection
		status = http.StatusInternalServerError
	}
	v.traced(status)
	g.answered(v, status)
}

// requestID returns a proxy's id of the request, or a new one.
func (g *guard) requestID(r *http.Request, peer string) string {
	if given := r.Header["X-Request-Id"]; len(given) == 1 && len(g.Proxies) > 0 {
		at, err := netip.ParseAddrPort(peer)
		if err == nil && trusted(at.Addr().Unmap(), g.Proxies) && wellFormed(given[0]) {
			return given[0]
		}
	}
	return rand.Text()
}

// wellFormed says whether an id may stand in a log.
func wellFormed(id string) bool {
	if len(id) < 8 || len(id) > 64 {
		return false
	}
	for i := range len(id) {
		if c := id[i]; c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// answered counts and logs.
func (g *guard) answered(v *visit, status int) {
	took := g.now().Sub(v.began)
	g.m.served(v.route, v.r.Method, status, took)
	if !g.Log.Requests {
		return
	}
	attrs := [6]slog.Attr{
		slog.String("request", v.id[0]), slog.String("method", knownMethod(v.r.Method)), slog.String("route", v.route),
		slog.Int("status", status), slog.Float64("ms", float64(took.Microseconds())/1000),
	}
	n := 5
	if g.Log.Addresses {
		attrs[n] = slog.String("address", v.ip.String())
		n++
	}
	g.log.LogAttrs(v.r.Context(), slog.LevelInfo, "request", attrs[:n]...)
}

// enter refuses a request that comes too soon or when too many are under way.
// What streams isn't counted among those: its number is bounded elsewhere.
func (g *guard) enter(v *visit) error {
	switch v.route {
	case "/healthz", "/readyz":
		return nil
	}
	oauth := strings.HasPrefix(v.route, "/.oidc/")
	if g.addresses != nil || g.together.most > 0 || oauth {
		v.key = addressKey(v.ip)
	}
	if err := g.allow(g.addresses, byAddress, v.key, "Your address sends more requests than this server takes. Wait, then retry."); err != nil {
		return err
	}
	if oauth {
		if err := g.allow(g.oauth, byOAuth, v.key, "Your address asks for more tokens than this server gives. Keep a token until shortly before it ends. Wait, then retry."); err != nil {
			return err
		}
	}
	if v.route == "/.notifications/" {
		return nil
	}
	if g.memory.full() {
		g.m.refusals.WithLabelValues(byMemory).Inc()
		return &ldp.Fault{Kind: ldp.Unavailable, Detail: "The server has as much to do as it can. Retry in a while.", Header: "Retry-After: 2"}
	}
	if !g.together.enter(v.key) {
		g.m.refusals.WithLabelValues(byTogether).Inc()
		return &ldp.Fault{Kind: ldp.TooMany, Detail: "Too many requests of your address are under way. Wait until some have been answered.", Header: "Retry-After: 1"}
	}
	if n := g.underWay.Add(1); g.Limit.Requests > 0 && n > int64(g.Limit.Requests) {
		g.underWay.Add(-1)
		g.together.leave(v.key)
		g.m.refusals.WithLabelValues(byRequests).Inc()
		return &ldp.Fault{Kind: ldp.Unavailable, Detail: "The server has as much to do as it can. Retry in a while.", Header: "Retry-After: 2"}
	}
	v.inside = true
	return nil
}

// allow asks a limiter, and says in a refusal when to come again.
func (g *guard) allow(l *auth.Limiter, limit, key, detail string) error {
	if l == nil {
		return nil
	}
	wait := l.Wait(key)
	if wait == 0 {
		return nil
	}
	g.m.refusals.WithLabelValues(limit).Inc()
	return &ldp.Fault{Kind: ldp.TooMany, Detail: detail, Header: "Retry-After: " + wholeSeconds(wait)}
}

// wholeSeconds is Retry-After's form of a time, rounded up.
func wholeSeconds(d time.Duration) string {
	return strconv.Itoa(int((d + time.Second - 1) / time.Second))
}

// addressKey returns what an address is counted by: itself, or of IPv6 its /64,
// which is one household's.
func addressKey(ip netip.Addr) string {
	if ip.Is4() {
		b := ip.As4()
		return string(b[:])
	}
	b := ip.As16()
	return string(b[:8])
}

// renumbers refuses who tells of too many changes of numbers: an address before
// anything is verified, and a register after that.
func (g *guard) renumbers(who string) error {
	return g.allow(g.numbers, byNumbers, who, "You tell of more changes of numbers than this server takes. Wait, then retry.")
}

// The podLimits are what may be asked of one pod, by pod: of its owner, of each party
// that is registered here, of all others who say who they are, and of strangers. Whoever
// is refused all she asks for so keeps nobody else from the pod but her like.
type podLimits struct{ owner, party, known, stranger *auth.Limiter }

// of returns which of them an agent has, and the key.
func (l podLimits) of(base, pod string, who acl.Agent) (*auth.Limiter, string) {
	if !who.Known() {
		return l.stranger, pod
	}
	path, own := strings.CutPrefix(string(who.ID), base)
	if rest, at := strings.CutPrefix(path, pod); own && at && rest == "/profile/card#me" {
		return l.owner, pod
	}
	if own && strings.HasPrefix(path, "/.parties/") {
		return l.party, pod + "\x00" + path
	}
	return l.known, pod
}

const tooManyOfOne = "You send more requests than this server takes from one client. Wait, then retry."

func clientKey(who acl.Agent) string { return string(who.ID) + "\x00" + who.Client }

// exhausted refuses a client that has had all that it may, before its proof is
// checked, so that whoever floods costs little. It counts nothing: a token without its
// proof may be in anybody's hands.
func (g *guard) exhausted(who acl.Agent) error {
	if g.clients == nil {
		return nil
	}
	wait := g.clients.Spent(clientKey(who))
	if wait == 0 {
		return nil
	}
	g.m.refusals.WithLabelValues(byClient).Inc()
	return fmt.Errorf("%w: %w", auth.ErrSpent, &ldp.Fault{Kind: ldp.TooMany, Detail: tooManyOfOne, Header: "Retry-After: " + wholeSeconds(wait)})
}

// admit refuses who asks too much, once it is known who that is.
func (g *guard) admit(who acl.Agent, r *http.Request) error {
	pods, key := g.pods.of(g.Base, podKey(r.URL.Path), who)
	if err := g.allow(pods, byPod, key, "There are more requests for this pod than it may get. Wait, then retry."); err != nil {
		return err
	}
	if !who.Known() {
		return nil
	}
	if err := g.allow(g.clients, byClient, clientKey(who), tooManyOfOne); err != nil {
		return err
	}
	party, ok := strings.CutPrefix(string(who.ID), g.Base+"/.parties/")
	if !ok || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return nil // what it reads counts wherever it stands: evidence, a listing, what a person gave it in her pod
	}
	party, _, _ = strings.Cut(party, "#")
	limiter, own := g.parties[party]
	if !own {
		limiter = g.bulk
	}
	refused := g.m.bulk.WithLabelValues(party) // there from the first read: Prometheus sees no change in what begins with one
	err := g.allow(limiter, byBulk, party, "You read more than is expected of you. This server's operator has been told. Wait, then retry.")
	if err != nil {
		refused.Inc()
		if g.reported.Allow(party) {
			g.log.Warn("a party reads more than its profile", "party", party)
		}
	}
	return err
}

// podKey returns the part of a path that says whose pod it is.
func podKey(path string) string {
	from := 1
	if strings.HasPrefix(path, "/w/") {
		from = len("/w/")
	}
	if len(path) < from {
		return path
	}
	if i := strings.IndexByte(path[from:], '/'); i >= 0 {
		return path[:from+i]
	}
	return path
}

// A recorder remembers the status of an answer.
type recorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (w *recorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
