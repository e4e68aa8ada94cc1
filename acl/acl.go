// SPDX-License-Identifier: EUPL-1.2

// Package acl says who may do what.
//
// Its one verb is [Decide]: given grants, an agent, a mode, a path and the
// time, it finds the grant that permits, or none. Everything that permits
// anything in Skrin is a [Grant]: an authorization of a Web Access Control
// document, a provider's right to append to its space, a consumer's right to
// read the fields that the person agreed to. So there is one place to read, to
// test and to trust.
//
// The package does no I/O, has no clock and keeps no state. The zero Grant
// grants nothing, the zero Agent is a stranger, and where nothing is said the
// answer is no.
package acl

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A WebID is the absolute http or https IRI that names an agent.
type WebID string

// The classes of agents that a [Grant] may name instead of one agent.
const (
	Public        WebID = "http://xmlns.com/foaf/0.1/Agent"
	Authenticated WebID = "http://www.w3.org/ns/auth/acl#AuthenticatedAgent"
)

// ParseWebID returns s as a WebID if it is an absolute http(s) IRI with a host,
// at most 1,024 bytes long and without user information. It repairs nothing.
func ParseWebID(s string) (WebID, error) {
	if len(s) > 1024 {
		return "", fmt.Errorf("WebID is longer than 1024 bytes")
	}
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil {
		return "", fmt.Errorf("WebID is not an absolute http or https IRI")
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || strings.ContainsRune("<>\"{}|\\^`", r) }) {
		return "", fmt.Errorf("WebID has a character that an IRI may not have")
	}
	return WebID(s), nil
}

// An Agent is who asks, as far as the request proved it. The zero Agent is a
// stranger.
type Agent struct {
	ID     WebID  // who; empty for a stranger
	Client string // the client_id of the program that acts for ID; empty if not known
	Issuer string // the OpenID provider that vouched for ID
	Origin string // the Origin header; which web page's script asks, unproven
	For    WebID  // in whose name ID wants to act, where that isn't ID; whether it may, a grant to ID must say
}

// Known reports whether the agent proved who it is.
func (a Agent) Known() bool { return a.ID != "" }

// A Mode is a set of the access modes of Web Access Control.
type Mode uint8

// The modes. Write includes Append: whoever may write may append.
const (
	Read Mode = 1 << iota
	Append
	Write
	Control
)

// Has reports whether m permits all of want. Write permits Append.
func (m Mode) Has(want Mode) bool {
	if m&Write != 0 {
		m |= Append
	}
	return m&want == want
}

// String lists the modes in lower case, as the WAC-Allow header does.
func (m Mode) String() string {
	var s []string
	for i, name := range []string{"read", "append", "write", "control"} {
		if m&(1<<i) != 0 {
			s = append(s, name)
		}
	}
	return strings.Join(s, " ")
}

// A Grant is one sentence: To may do Modes to On, until Until, because of
// Because. Fields and Purpose narrow it further; they can't be said in a WAC
// document, so they live only here.
type Grant struct {
	To      WebID     // an agent, Public or Authenticated; empty if the grant is to a Group
	Group   string    // IRI of a vcard:Group; see [Grant.For]. Decide ignores such a grant
	On      string    // a canonical path, "/pod/notes/"; a container if it ends in "/"
	Inherit bool      // the grant holds for all below the container On, and not for On itself
	Modes   Mode      //
	Clients []string  // only when acting through one of these clients; nil for any
	Issuers []string  // only when vouched for by one of these issuers; nil for any
	Origins []string  // a web page's script only from one of these origins; nil for any
	Fields  []string  // IRIs of the concepts that are released; nil for the whole resource
	Purpose string    // IRI of the purpose; empty if none was stated
	Until   time.Time // the grant ends at this moment; zero for never
	Because string    // what it comes from: an ACL document's path, a consent's id
}

// For returns a grant to a group as the grant that it is to one member. That the
// agent is a member, whoever calls it has found out.
func (g Grant) For(member WebID) Grant {
	g.To, g.Group = member, ""
	return g
}

// Decide returns a grant that permits who to do all of mode to path at the time
// now. The second result is false, and the Grant zero, if there is none. Modes
// are not added up over grants: each of several modes may come from a grant of
// its own, and then the first of them is returned.
func Decide(grants []Grant, who Agent, mode Mode, path string, now time.Time) (Grant, bool) {
	if mode == 0 {
		return Grant{}, false
	}
	var first Grant
	missing := mode
	for i := range grants {
		g := &grants[i]
		if !g.covers(&who, path, now) {
			continue
		}
		got := missing & g.effective()
		if got == 0 {
			continue
		}
		if missing == mode {
			first = *g
		}
		if missing &^= got; missing == 0 {
			return first, true
		}
	}
	return Grant{}, false
}

// Modes returns all the modes that grants give who on path at the time now.
func Modes(grants []Grant, who Agent, path string, now time.Time) Mode {
	var m Mode
	for i := range grants {
		if g := &grants[i]; g.covers(&who, path, now) {
			m |= g.effective()
		}
	}
	return m
}

func (g *Grant) effective() Mode {
	if g.Modes&Write != 0 {
		return g.Modes | Append
	}
	return g.Modes
}

func (g *Grant) covers(who *Agent, path string, now time.Time) bool {
	return g.on(path) && g.to(who) &&
		(g.Until.IsZero() || now.Before(g.Until)) &&
		(g.Clients == nil || who.Client != "" && slices.Contains(g.Clients, who.Client)) &&
		(g.Issuers == nil || who.Issuer != "" && slices.Contains(g.Issuers, who.Issuer)) &&
		(g.Origins == nil || who.Origin == "" || slices.Contains(g.Origins, who.Origin))
}

func (g *Grant) on(path string) bool {
	if !g.Inherit {
		return path != "" && g.On == path
	}
	return strings.HasSuffix(g.On, "/") && len(path) > len(g.On) && strings.HasPrefix(path, g.On)
}

func (g *Grant) to(who *Agent) bool {
	switch {
	case g.To == "" || g.Group != "":
		return false
	case g.To == Public:
		return true
	case g.To == Authenticated:
		return who.Known()
	}
	return who.ID == g.To
}
