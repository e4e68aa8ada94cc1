// SPDX-License-Identifier: EUPL-1.2

package ldp_test

import (
	"fmt"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"skrin/ldp"
)

const twoAtATime = "\nPrefer: return=representation; max-member-count=\"2\""

func TestPages(t *testing.T) {
	const first = "https://pod.example/c/?max-member-count=2"
	run(t, []row{
		{"who prefers pages is sent to the first", "GET /c/" + twoAtATime, 303, []string{"Location: " + first, "Preference-Applied: return=representation", "Vary: Accept, Authorization, Origin, Prefer", "-Link", "-body"}},
		{"also where nobody knows whether it may read: the answer follows from the request", "GET /private/" + twoAtATime, 303, []string{"Location: https://pod.example/private/?max-member-count=2"}},
		{"HEAD likewise", "HEAD /c/" + twoAtATime, 303, []string{"Location: " + first}},
		{"no page has more than a thousand members", "GET /c/\nPrefer: return=representation; max-member-count=1000000", 303, []string{"Location ~ =1000"}},
		{"none is no page", "GET /c/\nPrefer: return=representation; max-member-count=0", 200, []string{"body ~ ldp:contains", "Link !~ rel=\"next\""}},
		{"what is no container has no pages", "GET /c/a.ttl" + twoAtATime, 200, []string{"Link !~ ldp#Page"}},
		{"who doesn't prefer them gets everything", "GET /c/?page=2", 200, []string{"body ~ ldp:contains <x%3Cb%3E>", "Link !~ ldp#Page"}},
		{"the first page", "GET /c/?max-member-count=2", 200, []string{
			`Link ~ <http://www.w3.org/ns/ldp#Page>; rel="type"`, `Link ~ <` + first + `>; rel="first"`, `Link ~ <` + first + `&after=b.bin>; rel="next"`,
			`Link ~ <https://pod.example/c/>; rel="canonical"; etag="s2.ttl"`, `Link ~ <https://pod.example/c/.acl>; rel="acl"`,
			"body ~ ldp:contains <b.bin>", "body !~ c/d/", `body ~ "it's"@en`, "Etag ~ \"s2.ttl-"}},
		{"the next has not what the container says of itself again", "GET /c/?max-member-count=2&after=b.bin", 200, []string{
			`Link ~ <` + first + `&after=j>; rel="next"`, "body ~ ldp:contains <d/>", "body !~ b.bin", `body !~ it's`, "body ~ <> a ldp:Container"}},
		{"the last has no next", "GET /c/?max-member-count=2&after=t", 200, []string{"Link !~ rel=\"next\"", "body ~ ldp:contains <x%3Cb%3E>"}},
		{"nor has one that is just full", "GET /c/?max-member-count=2&after=s", 200, []string{"Link !~ rel=\"next\"", "body ~ ldp:contains <t>"}},
		{"after a member that is gone", "GET /c/?max-member-count=1&after=bb", 200, []string{"body ~ ldp:contains <d/>", "body !~ b.bin"}},
		{"after a container", "GET /c/?max-member-count=1&after=d/", 200, []string{"body ~ ldp:contains <j>"}},
		{"as JSON-LD", "GET /c/?max-member-count=1&after=d%2F\nAccept: application/ld+json", 200, []string{`body ~ "ldp:contains":[` + "\n" + `{"@id":"https://pod.example/c/j"`, "Etag ~ .jsonld-"}},
		{"for a browser", "GET /c/?max-member-count=1&after=d/\nAccept: text/html", 200, []string{"body ~ j", "body !~ b.bin", `Link ~ rel="next"`}},
		{"HEAD has the same links", "HEAD /c/?max-member-count=2", 200, []string{`Link ~ rel="next"`, "-body"}},
		{"the tag of the whole is not the page's", "GET /c/?max-member-count=2\nIf-None-Match: \"s2.ttl\"", 200, nil},
		{"permission comes first", "GET /private/?max-member-count=2", 401, []string{"Link !~ next"}},
		{"no number", "GET /c/?max-member-count=x", 400, []string{"body ~ Prefer"}},
		{"nothing", "GET /c/?max-member-count=0", 400, nil},
		{"after what is no member", "GET /c/?max-member-count=1&after=d/x", 400, nil},
		{"after what is elsewhere", "GET /c/?max-member-count=1&after=../private/x", 400, nil},
		{"a write is to the container, and sent there", "PUT /c/?max-member-count=1 alva\nContent-Type: text/turtle\n\n", 308, []string{"Location: https://pod.example/c/"}},
		{"DELETE too", "DELETE /c/?max-member-count=1&after=b.bin alva", 308, []string{"Location: https://pod.example/c/"}},
		{"OPTIONS is about the container", "OPTIONS /c/?max-member-count=1", 204, []string{"Allow ~ POST"}},
	})
}

// TestAllPages follows the links, while members are made and deleted: those that
// are there all the while are met once, in their order.
func TestAllPages(t *testing.T) {
	f := newFake(t)
	f.store("/m/", "", "")
	var stay []string
	for i := range 25 {
		stay = append(stay, fmt.Sprintf("/m/%02d", i))
		f.store(ldp.ID(stay[i]), "text/plain", "x")
	}
	h := newHandler(f, t.Output())
	next := regexp.MustCompile(`<https://pod\.example([^>]*)>; rel="next"`)
	contains := regexp.MustCompile(`ldp:contains <(\d\d)>`)
	var met, tags []string
	pages := 0
	for at := "/m/?max-member-count=4"; at != ""; pages++ {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", at, nil))
		if w.Code != 200 || pages > 20 {
			t.Fatalf("%s: %d", at, w.Code)
		}
		tags = append(tags, w.Header().Get("Etag"))
		found := contains.FindAllStringSubmatch(w.Body.String(), -1)
		if len(found) > 4 {
			t.Errorf("%s has %d members", at, len(found))
		}
		for _, m := range found {
			met = append(met, "/m/"+m[1])
		}
		f.store("/m/0-new", "text/plain", "x") // is before what was met
		delete(f.docs, ldp.ID(met[0]))
		at = ""
		if m := next.FindStringSubmatch(w.Header().Get("Link")); m != nil {
			at = m[1]
		}
	}
	if !slices.Equal(met, stay) || pages != 7 {
		t.Errorf("%d pages: %s", pages, strings.Join(met, " "))
	}
	slices.Sort(tags)
	if n := len(slices.Compact(tags)); n != pages {
		t.Errorf("%d pages have %d entity tags", pages, n)
	}
}
