// SPDX-License-Identifier: EUPL-1.2

package acl

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const (
	alva WebID = "https://id.example/alva#me"
	nils WebID = "https://id.example/nils#me"
)

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// grant reads as a sentence: to, on, modes.
func grant(to WebID, on string, m Mode) Grant { return Grant{To: to, On: on, Modes: m} }

func below(to WebID, on string, m Mode) Grant {
	return Grant{To: to, On: on, Inherit: true, Modes: m}
}

// but returns g with something more said.
func (g Grant) but(change func(*Grant)) Grant { change(&g); return g }

func TestDecide(t *testing.T) {
	stranger, signedIn := Agent{}, Agent{ID: nils}
	throughApp := Agent{ID: alva, Client: "https://app.example/id", Issuer: "https://idp.example", Origin: "https://app.example"}
	only := func(clients, issuers, origins []string) Grant {
		return Grant{To: alva, On: "/p/x", Modes: Read, Clients: clients, Issuers: issuers, Origins: origins}
	}
	group := Grant{Group: "https://id.example/team#we", On: "/p/x", Modes: Read}
	for _, c := range []struct {
		says   string
		grants []Grant
		who    Agent
		mode   Mode
		path   string
		want   bool
	}{
		{"where nothing is said the answer is no", nil, throughApp, Read, "/p/x", false},
		{"the zero grant grants nothing", []Grant{{}}, throughApp, Read, "/p/x", false},
		{"the zero grant grants nothing to a stranger at no path", []Grant{{}}, stranger, Read, "", false},
		{"a grant without modes grants nothing", []Grant{grant(Public, "/p/x", 0)}, stranger, Read, "/p/x", false},
		{"a grant to nobody is not a grant to strangers", []Grant{grant("", "/p/x", Read)}, stranger, Read, "/p/x", false},
		{"no mode is nothing to grant", []Grant{grant(Public, "/p/x", Read)}, stranger, 0, "/p/x", false},

		{"an agent may what it was granted", []Grant{grant(alva, "/p/x", Read)}, throughApp, Read, "/p/x", true},
		{"another agent may not", []Grant{grant(alva, "/p/x", Read)}, signedIn, Read, "/p/x", false},
		{"a stranger may not", []Grant{grant(alva, "/p/x", Read)}, stranger, Read, "/p/x", false},
		{"everybody includes strangers", []Grant{grant(Public, "/p/x", Read)}, stranger, Read, "/p/x", true},
		{"everybody includes those who signed in", []Grant{grant(Public, "/p/x", Read)}, signedIn, Read, "/p/x", true},
		{"the authenticated are those who signed in", []Grant{grant(Authenticated, "/p/x", Read)}, signedIn, Read, "/p/x", true},
		{"the authenticated are not strangers", []Grant{grant(Authenticated, "/p/x", Read)}, stranger, Read, "/p/x", false},
		{"who calls itself foaf:Agent is not everybody", []Grant{grant(alva, "/p/x", Read)}, Agent{ID: Public}, Read, "/p/x", false},
		{"a WebID is compared to the letter", []Grant{grant(alva, "/p/x", Read)}, Agent{ID: alva + "/"}, Read, "/p/x", false},

		{"to read is not to append", []Grant{grant(alva, "/p/x", Read)}, throughApp, Append, "/p/x", false},
		{"to append is not to write", []Grant{grant(alva, "/p/x", Append)}, throughApp, Write, "/p/x", false},
		{"to append is not to read", []Grant{grant(alva, "/p/x", Append)}, throughApp, Read, "/p/x", false},
		{"to write is also to append", []Grant{grant(alva, "/p/x", Write)}, throughApp, Append, "/p/x", true},
		{"to write is not to read", []Grant{grant(alva, "/p/x", Write)}, throughApp, Read, "/p/x", false},
		{"to control is neither to read nor to write", []Grant{grant(alva, "/p/x", Control)}, throughApp, Read, "/p/x", false},
		{"to read and write is not to control", []Grant{grant(alva, "/p/x", Read|Write)}, throughApp, Control, "/p/x", false},
		{"two modes may come from two grants", []Grant{grant(alva, "/p/x", Read), grant(Public, "/p/x", Write)}, throughApp, Read | Write, "/p/x", true},
		{"one of two modes is not both", []Grant{grant(alva, "/p/x", Read)}, throughApp, Read | Write, "/p/x", false},

		{"a grant on a container is not one on what it holds", []Grant{grant(alva, "/p/c/", Read)}, throughApp, Read, "/p/c/x", false},
		{"an inherited grant is not one on the container itself", []Grant{below(alva, "/p/c/", Read)}, throughApp, Read, "/p/c/", false},
		{"an inherited grant holds for a member", []Grant{below(alva, "/p/c/", Read)}, throughApp, Read, "/p/c/x", true},
		{"an inherited grant holds all the way down", []Grant{below(alva, "/p/c/", Read)}, throughApp, Read, "/p/c/d/e/", true},
		{"an inherited grant does not hold above", []Grant{below(alva, "/p/c/", Read)}, throughApp, Read, "/p/", false},
		{"a prefix is not a parent", []Grant{below(alva, "/p/c", Read)}, throughApp, Read, "/p/cat", false},
		{"nothing is inherited from what is no container", []Grant{below(alva, "/p/c", Read)}, throughApp, Read, "/p/c/x", false},
		{"a container and its name without a slash are two", []Grant{grant(alva, "/p/c/", Read)}, throughApp, Read, "/p/c", false},

		{"a grant holds until its end", []Grant{grant(alva, "/p/x", Read).but(func(g *Grant) { g.Until = noon.Add(1) })}, throughApp, Read, "/p/x", true},
		{"at its end it holds no more", []Grant{grant(alva, "/p/x", Read).but(func(g *Grant) { g.Until = noon })}, throughApp, Read, "/p/x", false},

		{"one of the named clients will do", []Grant{only([]string{"https://b.example", "https://app.example/id"}, nil, nil)}, throughApp, Read, "/p/x", true},
		{"another client will not", []Grant{only([]string{"https://b.example"}, nil, nil)}, throughApp, Read, "/p/x", false},
		{"an unknown client will not", []Grant{only([]string{""}, nil, nil)}, Agent{ID: alva}, Read, "/p/x", false},
		{"an empty list of clients names none", []Grant{only([]string{}, nil, nil)}, throughApp, Read, "/p/x", false},
		{"the named issuer will do", []Grant{only(nil, []string{"https://idp.example"}, nil)}, throughApp, Read, "/p/x", true},
		{"an issuer with a slash more will not", []Grant{only(nil, []string{"https://idp.example/"}, nil)}, throughApp, Read, "/p/x", false},
		{"client and issuer must both be right", []Grant{only([]string{"https://app.example/id"}, []string{"https://other.example"}, nil)}, throughApp, Read, "/p/x", false},
		{"a script from the named origin may", []Grant{only(nil, nil, []string{"https://app.example"})}, throughApp, Read, "/p/x", true},
		{"a script from elsewhere may not", []Grant{only(nil, nil, []string{"https://other.example"})}, throughApp, Read, "/p/x", false},
		{"an origin is asked only of scripts", []Grant{only(nil, nil, []string{"https://other.example"})}, Agent{ID: alva}, Read, "/p/x", true},
		{"an origin proves nobody", []Grant{{On: "/p/x", Modes: Read, Origins: []string{"https://app.example"}}}, throughApp, Read, "/p/x", false},

		{"a member of the group may", []Grant{group.For(nils)}, signedIn, Read, "/p/x", true},
		{"who is not known to be a member may not", []Grant{group}, signedIn, Read, "/p/x", false},
		{"a stranger is in no group", []Grant{group.For("")}, stranger, Read, "/p/x", false},
	} {
		g, ok := Decide(c.grants, c.who, c.mode, c.path, noon)
		if ok != c.want {
			t.Errorf("%s: got %v", c.says, ok)
		}
		if got := Modes(c.grants, c.who, c.path, noon).Has(c.mode) && c.mode != 0; got != c.want {
			t.Errorf("%s: Modes says %v", c.says, got)
		}
		if !ok && (g.On != "" || g.Modes != 0) {
			t.Errorf("%s: refused, with the grant %+v", c.says, g)
		}
	}
}

func TestDecideTellsWhy(t *testing.T) {
	grants := []Grant{
		grant(nils, "/p/x", Read).but(func(g *Grant) { g.Because = "another's" }),
		grant(alva, "/p/x", Read).but(func(g *Grant) { g.Because = "first" }),
		grant(alva, "/p/x", Read).but(func(g *Grant) { g.Because = "second" }),
	}
	if g, _ := Decide(grants, Agent{ID: alva}, Read, "/p/x", noon); g.Because != "first" {
		t.Errorf("permitted because of %q", g.Because)
	}
}

var (
	agents = []WebID{"", Public, Authenticated, alva, nils}
	paths  = []string{"/", "/p/", "/p/c", "/p/c/", "/p/cat", "/p/c/x", "/p/c/d/", "/p/c/d/e"}
	some   = [][]string{nil, {}, {"https://a.example"}, {"https://b.example", "https://a.example"}}
)

func anyGrant(t *rapid.T) Grant {
	return Grant{
		To:      rapid.SampledFrom(agents).Draw(t, "to"),
		Group:   rapid.SampledFrom([]string{"", "", "", "https://g.example/#a"}).Draw(t, "group"),
		On:      rapid.SampledFrom(append(paths, "")).Draw(t, "on"),
		Inherit: rapid.Bool().Draw(t, "inherit"),
		Modes:   Mode(rapid.IntRange(0, 15).Draw(t, "modes")),
		Clients: rapid.SampledFrom(some).Draw(t, "clients"),
		Issuers: rapid.SampledFrom(some).Draw(t, "issuers"),
		Origins: rapid.SampledFrom(some).Draw(t, "origins"),
		Until:   rapid.SampledFrom([]time.Time{{}, noon.Add(-1), noon, noon.Add(1)}).Draw(t, "until"),
	}
}

func anyAgent(t *rapid.T) Agent {
	one := rapid.SampledFrom([]string{"", "https://a.example", "https://c.example"})
	return Agent{
		ID:     rapid.SampledFrom([]WebID{"", alva, nils}).Draw(t, "id"),
		Client: one.Draw(t, "client"), Issuer: one.Draw(t, "issuer"), Origin: one.Draw(t, "origin"),
	}
}

func TestOneMoreGrantTakesNothingAway(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		grants := rapid.SliceOfN(rapid.Custom(anyGrant), 0, 6).Draw(t, "grants")
		who, path := anyAgent(t), rapid.SampledFrom(paths).Draw(t, "path")
		mode := Mode(rapid.IntRange(1, 15).Draw(t, "mode"))
		_, before := Decide(grants, who, mode, path, noon)
		at := rapid.IntRange(0, len(grants)).Draw(t, "at")
		_, after := Decide(slices.Insert(slices.Clone(grants), at, anyGrant(t)), who, mode, path, noon)
		if before && !after {
			t.Fatal("permitted before, and not after")
		}
	})
}

func TestDecideAndModesAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		grants := rapid.SliceOfN(rapid.Custom(anyGrant), 0, 6).Draw(t, "grants")
		who, path := anyAgent(t), rapid.SampledFrom(paths).Draw(t, "path")
		mode := Mode(rapid.IntRange(1, 15).Draw(t, "mode"))
		if _, ok := Decide(grants, who, mode, path, noon); ok != Modes(grants, who, path, noon).Has(mode) {
			t.Fatalf("Decide says %v, Modes %q", ok, Modes(grants, who, path, noon))
		}
	})
}

func TestWhatPermitsIsAGrantThatNamesThePathOrItsContainer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		grants := rapid.SliceOfN(rapid.Custom(anyGrant), 1, 6).Draw(t, "grants")
		path := rapid.StringMatching(`(/[a-c]{1,2}){1,4}/?`).Draw(t, "path")
		g, ok := Decide(grants, anyAgent(t), Read, path, noon)
		if !ok {
			return
		}
		isParent := false
		for up := path; up != "/"; {
			up = up[:strings.LastIndexByte(strings.TrimSuffix(up, "/"), '/')+1]
			isParent = isParent || up == g.On
		}
		if g.Inherit && !isParent || !g.Inherit && g.On != path {
			t.Fatalf("%q on %q was permitted for %q", g.Modes, g.On, path)
		}
	})
}

func TestParseWebID(t *testing.T) {
	for s, ok := range map[string]bool{
		"https://id.example/alva#me":      true,
		"http://localhost:3000/alva#me":   true,
		"":                                false,
		"alva":                            false,
		"/alva":                           false,
		"mailto:alva@id.example":          false,
		"https:///alva":                   false,
		"https://alva:secret@id.example/": false,
		"https://id.example/<alva>":       false,
		"https://id.example/a b":          false,
		"https://id.example/\x00":         false,
		"https://id.example/" + strings.Repeat("a", 1024): false,
	} {
		if _, err := ParseWebID(s); (err == nil) != ok {
			t.Errorf("ParseWebID(%q): %v", s, err)
		}
	}
}

// BenchmarkDecide is a resource ten levels deep with twenty grants, of which the
// last permits.
func BenchmarkDecide(b *testing.B) {
	path := "/pod" + strings.Repeat("/level", 9) + "/resource"
	var grants []Grant
	for i := range 19 {
		grants = append(grants, Grant{To: alva, On: path, Modes: Read | Write, Clients: []string{"https://app" + strconv.Itoa(i) + ".example"}})
	}
	grants = append(grants, below(alva, "/pod/level/", Read))
	who := Agent{ID: alva, Client: "https://app.example/id"}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := Decide(grants, who, Read, path, noon); !ok {
			b.Fatal("refused")
		}
	}
}
