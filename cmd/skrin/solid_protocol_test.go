// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"skrin/acl"
	"skrin/ldp/rdf"
	"skrin/pod/vocab"
)

const asText, asTurtle, asN3, asSPARQL, asJSONLD = "\nContent-Type: text/plain\n\n", "\nContent-Type: text/turtle\n\n", "\nContent-Type: text/n3\n\n",
	"\nContent-Type: application/sparql-update\n\n", "\nContent-Type: application/ld+json\n\n"

// n3 is a patch of the parts, with a prefix for what it says.
func n3(parts string) string { return asN3 + n3Prefix + parts + "." }

// publicRead is an ACL document by which everybody may read its subject, and
// nobody else anything.
func publicRead(name string) string {
	return "@prefix acl: <http://www.w3.org/ns/auth/acl#>. <#p> a acl:Authorization; acl:agentClass <http://xmlns.com/foaf/0.1/Agent>; acl:accessTo <" + name + ">; acl:mode acl:Read."
}

// title of doc.ttl, as the rows' containers have it.
const title = "<$doc.ttl> <http://purl.org/dc/terms/title>"

// TestSolidProtocol is section A of the checklist, over HTTP.
func TestSolidProtocol(t *testing.T) {
	w := newWorld(t)
	const boxed = "\nLink: <http://www.w3.org/ns/ldp#BasicContainer>; rel=\"type\""
	challenge := "Www-Authenticate ~ DPoP"
	w.run([]row{
		// A1 HTTP
		{"A1: no credentials, GET", "GET doc.ttl", 401, []string{challenge}, nil},
		{"A1: no credentials, HEAD", "HEAD doc.ttl", 401, []string{challenge, "-body"}, nil},
		{"A1: no credentials, PUT", "PUT doc.ttl" + asTurtle, 401, []string{challenge}, nil},
		{"A1: no credentials, POST", "POST ./" + asTurtle, 401, []string{challenge}, nil},
		{"A1: no credentials, PATCH", "PATCH doc.ttl" + n3(`solid:inserts { <> <urn:a> 1 }`), 401, []string{challenge}, nil},
		{"A1: no credentials, DELETE", "DELETE doc.ttl", 401, []string{challenge}, nil},
		{"A1: no credentials come before 404", "GET absent", 401, []string{challenge}, nil},
		{"A1: and before 415", "PATCH text" + asText, 401, []string{challenge}, nil},
		{"A1: and before 400", "PUT x\n\nx", 401, []string{challenge}, nil},
		{"A1: bad credentials", "GET doc.ttl\nAuthorization: DPoP x\nDPoP: y", 401, []string{challenge, "Www-Authenticate ~ invalid_token"}, nil},
		{"A1: credentials of another scheme", "GET doc.ttl\nAuthorization: Bearer x", 401, []string{challenge}, nil},
		{"A1: PUT of content without Content-Type", "PUT x alice\n\nx", 400, []string{"body ~ Content-Type", "Content-Type: application/problem+json"}, nil},
		{"A1: POST of content without Content-Type", "POST ./ alice\n\nx", 400, nil, nil},
		{"A1: PATCH without Content-Type", "PATCH doc.ttl alice\n\nx", 400, nil, nil},
		{"A1: a Content-Type with parameters, PUT", "PUT x alice\nContent-Type: text/turtle; charset=UTF-8\n\n<> <urn:a> 1.", 201, nil, nil},
		{"A1: POST", "POST ./ alice\nContent-Type: application/ld+json; profile=\"http://www.w3.org/ns/json-ld#expanded\"; charset=utf-8\n\n[]", 201, nil, nil},
		{"A1: PATCH", "PATCH doc.ttl alice\nContent-Type: text/n3; charset=UTF-8\n\n" + n3Insert, 204, nil, nil},
		{"A1: Last-Modified on GET", "GET doc.ttl alice", 200, []string{"Last-Modified ~ GMT"}, nil},
		{"A1: Last-Modified on HEAD of a container", "HEAD ./ alice", 200, []string{"Last-Modified ~ GMT"}, nil},

		// A2 URI
		{"A2: a document beside a container", "PUT c alice" + asText + "x", 409, []string{`Link ~ rel="http://www.w3.org/ns/ldp#constrainedBy"`}, nil},
		{"A2: a container beside a document", "PUT text/ alice" + asTurtle, 409, nil, nil},
		{"A2: a document beside a container, by PATCH", "PATCH c alice" + n3(`solid:inserts { <> <urn:a> 1 }`), 409, nil, nil},
		{"A2: GET of a container without its slash", "GET c alice", 404, nil, nil},
		{"A2: GET of a document with a slash", "GET text/ alice", 404, nil, nil},
		{"A2: POST with the Slug of a container takes another name", "POST ./ alice\nSlug: c" + asText + "x", 201, []string{"Location ~ -c"}, nil},
		{"A2: and with that of a document", "POST ./ alice\nSlug: text" + boxed + asTurtle, 201, []string{"Location ~ -text/"}, nil},
		{"A2: two slashes", "GET c//x alice", 400, nil, nil},
		{"A2: encoded dots", "GET c/%2e%2e/text alice", 400, nil, nil},
		{"A2: an encoded slash", "GET c%2Fx alice", 400, nil, nil},
		{"A2: a NUL", "GET c/%00 alice", 400, nil, nil},
		{"A2: no UTF-8", "GET c/%FF alice", 400, nil, nil},
		{"A2: a name that is too long", "PUT " + strings.Repeat("x", 256) + " alice" + asText + "x", 400, nil, nil},
		{"A2: the longest name is storable", "PUT " + strings.Repeat("x", 255) + " alice" + asText + "x", 201, nil, nil},
		{"A2: a name that a file system does not like", "GET CON:*%3F%22%3C%3E%7C%20. alice", 200, []string{"body: x"}, []string{"PUT CON:*%3F%22%3C%3E%7C%20. alice" + asText + "x"}},
		{"A2: names that differ in case only", "GET Text alice", 404, nil, nil},
		{"A2: a container's name can't be an auxiliary resource's", "PUT x.acl/ alice" + asTurtle, 400, nil, nil},
		{"A2: another spelling is redirected", "GET %74ext alice", 308, []string{"Location: $text"}, nil},

		// A3 storage
		{"A3: the root is a storage", "GET / alice", 200, []string{`Link ~ <http://www.w3.org/ns/pim/space#Storage>; rel="type"`}, nil},
		{"A3: HEAD of the root too", "HEAD / alice", 200, []string{`Link ~ <http://www.w3.org/ns/pim/space#Storage>; rel="type"`}, nil},
		{"A3: another container is not", "GET ./ alice", 200, []string{"Link !~ pim/space#Storage"}, nil},
		{"A3: storageDescription, GET", "GET doc.ttl alice", 200, []string{`Link ~ /.well-known/solid>; rel="http://www.w3.org/ns/solid/terms#storageDescription"`}, nil},
		{"A3: storageDescription, HEAD", "HEAD text alice", 200, []string{`Link ~ rel="http://www.w3.org/ns/solid/terms#storageDescription"`}, nil},
		{"A3: storageDescription, OPTIONS", "OPTIONS text", 204, []string{`Link ~ rel="http://www.w3.org/ns/solid/terms#storageDescription"`}, nil},
		{"A3: the description, in Turtle", "GET /.well-known/solid", 200, []string{"Content-Type: text/turtle", "body ~ a pim:Storage"}, nil},
		{"A3: in JSON-LD", "GET /.well-known/solid\nAccept: application/ld+json", 200, []string{"Content-Type: application/ld+json", "body ~ pim:Storage"}, nil},
		{"A3: HEAD of it", "HEAD /.well-known/solid", 200, []string{"-body"}, nil},
		{"A3: the owner, on the root", "HEAD / alice", 200, []string{"Link ~ <" + string(w.owner.ID) + `>; rel="http://www.w3.org/ns/solid/terms#owner"`}, nil},

		// A4 containment
		{"A4: a container is a Basic Container", "GET ./ alice", 200, []string{"Content-Type: text/turtle", `Link ~ <http://www.w3.org/ns/ldp#BasicContainer>; rel="type"`, "body ~ <> a ldp:Container, ldp:BasicContainer", "body ~ <> ldp:contains <doc.ttl>", "body ~ <> ldp:contains <c/>"}, nil},
		{"A4: Turtle also for a long Accept", "GET ./ alice\nAccept: application/n-quads;q=0.8, text/turtle, application/ld+json;q=0.9, */*;q=0.1", 200, []string{"Content-Type: text/turtle"}, nil},
		{"A4: members' metadata", "GET ./ alice", 200, []string{"body ~ <text> a ldp:Resource, <http://www.w3.org/ns/iana/media-types/text/plain#Resource>; stat:size 10; dcterms:modified \"", "body ~ ; stat:mtime "}, nil},
		{"A4: no grandchildren", "GET ./ alice", 200, []string{"body !~ $c/x"}, nil},
		{"A4: pages for who prefers them", "GET ./ alice\nPrefer: return=representation; max-member-count=2", 303, []string{"Location: $?max-member-count=2"}, nil},
		{"A4: a page", "GET ./?max-member-count=2 alice", 200, []string{`Link ~ <$?max-member-count=2&after=doc.jsonld>; rel="next"`, "body ~ ldp:contains <c/>", "body ~ ldp:contains <doc.jsonld>", "body !~ doc.ttl"}, nil},
		{"A4: the page after a container", "GET ./?max-member-count=2&after=c%2F alice", 200, []string{`Link ~ rel="next"`, "body ~ ldp:contains <doc.jsonld>", "body !~ <c/>"}, nil},
		{"A4: the last page", "GET ./?max-member-count=2&after=empty/ alice", 200, []string{`Link !~ rel="next"`, "body ~ ldp:contains <text>", "body !~ doc"}, nil},
		{"A4: everything for who doesn't", "GET ./?page=1 alice", 200, []string{"body ~ ldp:contains <c/>", "body ~ ldp:contains <text>"}, nil},
		{"A4: no auxiliary resources", "GET ./ alice", 200, []string{"body !~ .meta"}, []string{"PUT text.meta alice" + asTurtle}},

		// A5 auxiliary resources
		{"A5: Link rel=describedby", "HEAD text alice", 200, []string{`Link ~ <$text.meta>; rel="describedby"`}, nil},
		{"A5: a description is made by PUT", "PUT text.meta alice" + asTurtle + "<text> <urn:a> 1.", 201, nil, nil},
		{"A5: or PATCH", "PATCH text.meta alice" + n3(`solid:inserts { <text> <urn:a> 1 }`), 201, nil, nil},
		{"A5: and read", "GET text.meta alice\nAccept: application/ld+json", 200, []string{"Content-Type: application/ld+json", "body ~ $text"}, []string{"PUT text.meta alice" + asTurtle + "<text> <urn:a> 1."}},
		{"A5: it is there before it is written, empty", "GET text.meta alice", 200, []string{"Content-Type: text/turtle", "-body", "Etag: \"AAAAAAAAAAAAAAAA.ttl\"", "Last-Modified ~ GMT", "Content-Length: 0"}, nil},
		{"A5: in JSON-LD too", "GET text.meta alice\nAccept: application/ld+json", 200, []string{"Content-Type: application/ld+json", "body ~ []"}, nil},
		{"A5: that of a container", "HEAD c/.meta alice", 200, []string{"Etag: \"AAAAAAAAAAAAAAAA.ttl\""}, nil},
		{"A5: that of nothing is not", "GET absent.meta alice", 404, nil, nil},
		{"A5: nor of another", "GET text.meta.meta alice", 404, nil, []string{"PUT text.meta alice" + asTurtle}},
		{"A5: who may not read does not see it", "GET text.meta bob", 403, nil, nil},
		{"A5: nor a stranger", "GET text.meta", 401, nil, nil},
		{"A5: who has seen it empty can write it", "PATCH text.meta alice\nIf-Match: $etag" + n3(`solid:inserts { <text> <urn:a> 1 }`), 201, nil, []string{"GET text.meta alice"}},
		{"A5: unless somebody else has", "PUT text.meta alice\nIf-Match: \"AAAAAAAAAAAAAAAA.ttl\"" + asTurtle, 412, nil, []string{"PUT text.meta alice" + asTurtle}},
		{"A5: what is written first is guarded", "PUT text.meta alice\nIf-None-Match: *" + asTurtle, 412, nil, []string{"PUT text.meta alice\nIf-None-Match: *" + asTurtle}},
		{"A5: what nobody wrote is not deleted", "DELETE text.meta alice", 404, nil, nil},
		{"A5: it is RDF", "PUT text.meta alice" + asText + "x", 415, nil, nil},
		{"A5: of nothing there is none", "PUT absent.meta alice" + asTurtle, 409, nil, nil},
		{"A5: nor of another", "PUT text.meta.meta alice" + asTurtle, 409, nil, []string{"PUT text.meta alice" + asTurtle}},
		{"A5: none is made by POST", "POST ./ alice\nSlug: text.meta" + asTurtle, 403, nil, nil},
		{"A5: it goes with its subject", "GET text.meta alice", 200, []string{"-body"}, []string{"PUT text.meta alice" + asTurtle + "<text> <urn:a> 1.", "DELETE text alice", "PUT text alice" + asText + "new"}},
		{"A5: its subject's rights are its own", "GET text.meta bob", 403, nil, []string{"PUT text.meta alice" + asTurtle}},
		{"A5: one description", "GET text alice", 200, []string{"Link !~ describedby\", <$text.meta>"}, nil},

		// A6 reading
		{"A6: Allow, and what can be written: a document", "GET doc.ttl alice", 200, []string{"Allow: GET, HEAD, OPTIONS, PUT, PATCH, DELETE", "Accept-Patch: text/n3, application/sparql-update", "Accept-Put ~ text/turtle", "-Accept-Post"}, nil},
		{"A6: a text is not patched", "GET text alice", 200, []string{"Allow: GET, HEAD, OPTIONS, PUT, DELETE", "-Accept-Patch"}, nil},
		{"A6: a container", "HEAD c/ alice", 200, []string{"Allow: GET, HEAD, OPTIONS, PUT, PATCH, DELETE, POST", "Accept-Post ~ text/turtle", "Accept-Put ~ text/turtle", "Accept-Patch ~ text/n3"}, nil},
		{"A6: OPTIONS", "OPTIONS c/ alice", 204, []string{"Allow ~ POST", "Accept-Post ~ application/ld+json", "Accept-Patch ~ text/n3", "-body"}, nil},
		{"A6: OPTIONS of a stranger", "OPTIONS doc.ttl", 204, []string{"Allow ~ GET, HEAD"}, nil},
		{"A6: OPTIONS of a text agrees with GET", "OPTIONS text alice", 204, []string{"Allow: GET, HEAD, OPTIONS, PUT, DELETE", "-Accept-Patch", `Link ~ <http://www.w3.org/ns/ldp#NonRDFSource>; rel="type"`}, nil},
		{"A6: OPTIONS of the root agrees with GET", "OPTIONS / alice", 204, []string{"Allow: GET, HEAD, OPTIONS, PUT, PATCH, POST", `Link ~ rel="http://www.w3.org/ns/solid/terms#owner"`}, nil},
		{"A6: OPTIONS of a text tells who may not read it what it tells of nothing", "OPTIONS text bob", 204, []string{"Allow: GET, HEAD, OPTIONS, PUT, PATCH, DELETE", "Accept-Patch ~ n3", "Link !~ NonRDFSource"}, nil},
		{"A6: the same of nothing", "OPTIONS absent bob", 204, []string{"Allow: GET, HEAD, OPTIONS, PUT, PATCH, DELETE", "Accept-Patch ~ n3"}, nil},
		{"A6: to who may read too", "OPTIONS absent alice", 204, []string{"Allow: GET, HEAD, OPTIONS, PUT, PATCH, DELETE", "Accept-Patch ~ n3"}, nil},
		{"A6: a text that everybody may read, to a stranger", "OPTIONS text", 204, []string{"Allow: GET, HEAD, OPTIONS, PUT, DELETE"}, []string{"PUT text.acl alice" + asTurtle + publicRead("text")}},
		{"A6: a method that is unknown", "INVALID doc.ttl alice", 405, []string{"Allow ~ GET, HEAD"}, nil},
		{"A6: TRACE", "TRACE doc.ttl alice", 405, nil, nil},
		{"A6: HEAD is GET without content", "HEAD doc.ttl alice", 200, []string{"Content-Type: text/turtle", "Content-Length: 44", "-body", "Etag ~ .ttl"}, nil},
		{"A6: a page for a browser", "GET ./ alice\nAccept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", 200, []string{"Content-Type: text/html; charset=utf-8", "body ~ doc.ttl", "Content-Security-Policy ~ default-src 'none'"}, nil},

		// A7 writing
		{"A7: PUT makes the containers on the way", "GET a/b/ alice", 200, []string{"body ~ <> ldp:contains <x>"}, []string{"PUT a/b/x alice" + asText + "x"}},
		{"A7: all of them", "GET ./ alice", 200, []string{"body ~ ldp:contains <a/>"}, []string{"PUT a/b/x alice" + asText + "x"}},
		{"A7: PATCH does, with N3", "GET a/b/ alice", 200, []string{"body ~ ldp:contains <x>"}, []string{"PATCH a/b/x alice" + n3(`solid:inserts { <> <urn:a> 1 }`)}},
		{"A7: and with SPARQL Update", "GET a/ alice", 200, []string{"body ~ ldp:contains <b/>"}, []string{"PATCH a/b/x alice" + asSPARQL + "INSERT DATA { <> <urn:a> 1 }"}},
		{"A7: a document becomes no container", "PUT text/x alice" + asText + "x", 409, nil, nil},
		{"A7: nor further down", "PUT text/y/x alice" + asText + "x", 409, nil, nil},
		{"A7: nor by PATCH", "PATCH text/x alice" + n3(`solid:inserts { <> <urn:a> 1 }`), 409, nil, nil},
		{"A7: PUT makes: 201", "PUT x alice" + asTurtle, 201, []string{"Location: $x", "Etag ~ .ttl"}, nil},
		{"A7: PUT replaces: 204", "PUT doc.ttl alice" + asTurtle, 204, []string{"-Location", "-body"}, nil},
		{"A7: POST makes", "POST ./ alice" + asTurtle, 201, []string{"Location ~ $"}, nil},
		{"A7: and lists it", "GET ./ alice", 200, []string{"body ~ <> ldp:contains <note>"}, []string{"POST ./ alice\nSlug: note" + asTurtle}},
		{"A7: the Slug is the name", "POST ./ alice\nSlug: två ord" + asTurtle, 201, []string{"Location: $tv%C3%A5%20ord"}, nil},
		{"A7: POST of a container", "POST ./ alice\nSlug: box" + boxed + asTurtle, 201, []string{"Location: $box/", `Link ~ ldp#BasicContainer>; rel="type"`}, nil},
		{"A7: also without content", "POST ./ alice\nSlug: box" + boxed, 201, []string{"Location: $box/"}, nil},
		{"A7: POST to a container that isn't there", "POST absent/ alice" + asTurtle, 404, nil, nil},
		{"A7: POST to a document that isn't there", "POST absent alice" + asTurtle, 405, nil, nil},
		{"A7: POST below a document", "POST text/foo/ alice" + asTurtle, 404, nil, nil},
		{"A7: POST of a container below what isn't there", "POST absent/ alice" + boxed + asTurtle, 404, nil, nil},
		{"A7: PUT may not change containment", "PUT ./ alice" + asTurtle + "<> <http://www.w3.org/ns/ldp#contains> <other>.", 409, []string{`Link ~ rel="http://www.w3.org/ns/ldp#constrainedBy"`}, nil},
		{"A7: nor PATCH", "PATCH ./ alice" + n3(`solid:inserts { <$> <http://www.w3.org/ns/ldp#contains> <$other> }`), 409, nil, nil},
		{"A7: nor PATCH that deletes", "PATCH ./ alice" + n3(`solid:deletes { <$> <http://www.w3.org/ns/ldp#contains> <$text> }`), 409, nil, nil},
		{"A7: nor members' metadata, by PUT", "PUT ./ alice" + asTurtle + "<text> <http://www.w3.org/ns/posix/stat#size> 7.", 409, nil, nil},
		{"A7: nor by PATCH", "PATCH ./ alice" + n3(`solid:inserts { <$text> <http://www.w3.org/ns/posix/stat#size> 7 }`), 409, nil, nil},
		{"A7: nor by POST", "POST ./ alice" + boxed + asTurtle + "<> <http://www.w3.org/ns/ldp#contains> <x>.", 409, nil, nil},
		{"A7: what was read of a container can be put back", "PUT empty/ alice" + asTurtle + "$body", 204, nil, []string{"PUT empty/x alice" + asText + "x", "PUT empty/c/ alice", "GET empty/ alice"}},
		{"A7: which changes nothing", "GET empty/ alice", 200, []string{"body ~ stat:size 1;", "body !~ <http://www.w3.org/ns/ldp#contains>"}, []string{"PUT empty/x alice" + asText + "x", "GET empty/ alice", "PUT empty/ alice" + asTurtle + "$body"}},
		{"A7: in JSON-LD too", "PUT empty/ alice" + asJSONLD + "$body", 204, nil, []string{"PUT empty/x alice" + asText + "x", "GET empty/ alice\nAccept: application/ld+json"}},
		{"A7: but not with a member less", "PUT ./ alice" + asTurtle + "<> <http://www.w3.org/ns/ldp#contains> <text>.", 409, nil, nil},
		{"A7: nor with another size", "PUT empty/ alice" + asTurtle + "<> <http://www.w3.org/ns/ldp#contains> <x>. <x> <http://www.w3.org/ns/posix/stat#size> 7.", 409, nil, []string{"PUT empty/x alice" + asText + "x"}},
		{"A7: a container's own triples are its owner's", "GET ./ alice", 200, []string{`body ~ "mine"`, "body ~ ldp:contains <text>"}, []string{"PUT ./ alice" + asTurtle + `<> <urn:t> "mine".`}},
		{"A7: by PATCH too", "GET ./ alice", 200, []string{`body ~ "mine"`}, []string{"PATCH ./ alice" + n3(`solid:inserts { <$> <urn:t> "mine" }`)}},
		{"A7: If-None-Match: * on what is there", "PUT text alice\nIf-None-Match: *" + asText + "x", 412, nil, nil},
		{"A7: and it is unchanged", "GET text alice", 200, []string{"body: 0123456789"}, nil},
		{"A7: If-None-Match: * on what is not", "PUT x alice\nIf-None-Match: *" + asText + "x", 201, nil, nil},
		{"A7: a container that is no RDF source", "PUT x/ alice\nLink: <http://www.w3.org/ns/ldp#NonRDFSource>; rel=\"type\"" + asTurtle, 409, nil, nil},
		{"A7: a container by PUT needs no content", "PUT x/ alice", 201, nil, nil},
		{"A7: return=minimal", "PUT x alice\nPrefer: return=minimal" + asText + "x", 201, []string{"Preference-Applied: return=minimal", "-body"}, nil},

		// A8 N3 Patch
		{"A8: inserts", "GET doc.ttl alice", 200, []string{"body ~ new"}, []string{"PATCH doc.ttl alice" + n3(`solid:inserts { <$doc.ttl> <urn:b> "new" }`)}},
		{"A8: deletes", "GET doc.ttl alice", 200, []string{"body !~ old"}, []string{"PATCH doc.ttl alice" + n3(`solid:deletes { `+title+` "old" }`)}},
		{"A8: replaces where", "GET doc.ttl alice", 200, []string{"body ~ new", "body !~ old"}, []string{"PATCH doc.ttl alice" + n3(`solid:where { ?x <http://purl.org/dc/terms/title> "old" }; solid:deletes { ?x <http://purl.org/dc/terms/title> "old" }; solid:inserts { ?x <http://purl.org/dc/terms/title> "new" }`)}},
		{"A8: of a JSON-LD document", "GET doc.jsonld alice", 200, []string{"Content-Type: application/ld+json", "body ~ new"}, []string{"PATCH doc.jsonld alice" + n3(`solid:inserts { <$doc.jsonld#it> <urn:b> "new" }`)}},
		{"A8: makes", "PATCH x alice" + n3(`solid:inserts { <$x> <urn:b> "new" }`), 201, nil, nil},
		{"A8: the subject may be an IRI", "PATCH doc.ttl alice" + asN3 + strings.Replace(n3Insert, "_:p", "<>", 1), 204, nil, nil},
		{"A8: no match", "PATCH doc.ttl alice" + n3(`solid:where { ?x <urn:none> ?y }; solid:inserts { ?x <urn:b> "new" }`), 409, nil, nil},
		{"A8: several matches", "PATCH doc.ttl alice" + n3(`solid:where { ?x <urn:m> ?y }; solid:inserts { ?x <urn:b> "new" }`), 409, nil, []string{"PUT doc.ttl alice" + asTurtle + "<#a> <urn:m> 1. <#b> <urn:m> 2."}},
		{"A8: deletes what isn't there", "PATCH doc.ttl alice" + n3(`solid:deletes { <$doc.ttl> <urn:none> 1 }`), 409, nil, nil},
		{"A8: and inserts nothing then", "GET doc.ttl alice", 200, []string{"body !~ new", "body ~ old"}, nil},
		{"A8: makes nothing by deleting", "PATCH x alice" + n3(`solid:deletes { <$x> <urn:b> 1 }`), 409, nil, nil},
		{"A8: nor on a condition", "PATCH x alice" + n3(`solid:where { ?a <urn:b> ?c }; solid:inserts { ?a <urn:b> 1 }`), 409, nil, nil},
		{"A8: deletes come first", "GET doc.ttl alice", 200, []string{"body ~ old"}, []string{"PATCH doc.ttl alice" + n3(`solid:inserts { `+title+` "old" }; solid:deletes { `+title+` "old" }`)}},
		{"A8: no patch in it", "PATCH doc.ttl alice" + asN3 + "<> a <urn:x>.", 422, nil, nil},
		{"A8: two patches", "PATCH doc.ttl alice" + asN3 + n3Insert + " _:q a solid:InsertDeletePatch; solid:inserts { <urn:a> <urn:b> 2 }.", 422, nil, nil},
		{"A8: inserts twice", "PATCH doc.ttl alice" + n3(`solid:inserts { <> <urn:a> 1 }; solid:inserts { <> <urn:a> 2 }`), 422, nil, nil},
		{"A8: a formula within a formula", "PATCH doc.ttl alice" + n3(`solid:inserts { <> <urn:a> { <> <urn:a> 1 } }`), 422, nil, nil},
		{"A8: a variable that is not bound", "PATCH doc.ttl alice" + n3(`solid:inserts { ?x <urn:a> 1 }`), 422, nil, nil},
		{"A8: a blank node in deletes", "PATCH doc.ttl alice" + n3(`solid:deletes { _:b <urn:a> 1 }`), 422, nil, nil},
		{"A8: a blank node in inserts", "PATCH doc.ttl alice" + n3(`solid:inserts { <> <urn:a> [ <urn:b> 1 ] }`), 204, nil, nil},
		{"A8: a second dot, as a suite of others has it", "PATCH doc.ttl alice" + n3(`solid:inserts { <> <urn:a> 1 . . }`), 204, nil, nil},
		{"A8: no N3", "PATCH doc.ttl alice" + asN3 + "}", 400, nil, nil},
		{"A8: another type", "PATCH doc.ttl alice" + asTurtle + "<> <urn:a> 1.", 415, []string{"Accept-Patch: text/n3, application/sparql-update"}, nil},
		{"A8: of what isn't RDF", "PATCH text alice" + n3(`solid:inserts { <> <urn:a> 1 }`), 415, nil, nil},
		{"A8: prefixes are kept", "GET doc.ttl alice", 200, []string{"body ~ my:name"}, []string{"PUT doc.ttl alice" + asTurtle + "@prefix my: <urn:my:>. <> my:name 1.", "PATCH doc.ttl alice" + asN3 + n3Insert}},

		// A9 deleting
		{"A9: a document", "GET text alice", 404, nil, []string{"DELETE text alice"}},
		{"A9: DELETE is answered 204", "DELETE text alice", 204, []string{"-body"}, nil},
		{"A9: and it is listed no more", "GET ./ alice", 200, []string{"body !~ $text"}, []string{"DELETE text alice"}},
		{"A9: a container that is empty", "GET empty/ alice", 404, nil, []string{"DELETE empty/ alice"}},
		{"A9: a container that is not", "DELETE c/ alice", 409, []string{"body ~ not empty"}, nil},
		{"A9: a container with a container", "DELETE ./ alice", 409, nil, nil},
		{"A9: what isn't there", "DELETE absent alice", 404, nil, nil},
		{"A9: the root", "DELETE / alice", 405, []string{"Allow !~ DELETE"}, nil},
		{"A9: the root's Allow", "GET / alice", 200, []string{"Allow !~ DELETE"}, nil},
		{"A9: the Allow of the root's ACL", "GET /.acl alice", 200, []string{"Allow !~ DELETE"}, nil},

		// A10 representations
		{"A10: Turtle as JSON-LD", "GET doc.ttl alice\nAccept: application/ld+json", 200, []string{"Content-Type: application/ld+json", "body ~ $doc.ttl"}, nil},
		{"A10: JSON-LD as Turtle", "GET doc.jsonld alice\nAccept: text/turtle", 200, []string{"Content-Type: text/turtle", "body ~ <$doc.jsonld#it>"}, nil},
		{"A10: JSON-LD as JSON-LD, to the letter", "GET doc.jsonld alice\nAccept: application/ld+json", 200, []string{`body: {"@id":"#it","http://purl.org/dc/terms/title":"old"}`}, nil},
		{"A10: JSON-LD with a named graph comes back so", "GET x alice\nAccept: application/ld+json", 200, []string{"body ~ @graph"}, []string{"PUT x alice" + asJSONLD + `{"@id":"urn:g","@graph":[{"@id":"urn:a","urn:b":"c"}]}`}},
		{"A10: the stored bytes for the stored type", "GET doc.ttl alice\nAccept: text/turtle", 200, []string{"body: <> <http://purl.org/dc/terms/title> \"old\" .\n"}, nil},
		{"A10: and without Accept", "GET text alice", 200, []string{"Content-Type: text/plain; charset=utf-8", "body: 0123456789"}, nil},
		{"A10: what can't be had", "GET doc.ttl alice\nAccept: image/png", 406, nil, nil},
		{"A10: a text is no RDF", "GET text alice\nAccept: text/turtle", 406, nil, nil},
		{"A10: nor a container an image", "GET c/ alice\nAccept: image/png", 406, nil, nil},
		{"A10: the q that is higher", "GET doc.ttl alice\nAccept: text/turtle;q=0.3, application/ld+json;q=0.9", 200, []string{"Content-Type: application/ld+json"}, nil},
		{"A10: Turtle that is none", "PUT x alice" + asTurtle + "<> <", 400, nil, nil},
		{"A10: JSON-LD that is none", "PUT x alice" + asJSONLD + "{", 400, nil, nil},
		{"A10: a JSON-LD context that is not ours is not fetched", "PUT x alice" + asJSONLD + `{"@context":"http://127.0.0.1:1/c","a":1}`, 422, nil, nil},
		{"A10: our own context is known", "PUT x alice" + asJSONLD + `{"@context":"` + w.Base + `/ns/core","id":"","type":"Evidence"}`, 201, nil, nil},
		{"A10: and converted", "GET x alice\nAccept: text/turtle", 200, []string{"body ~ a cccev:Evidence"}, []string{"PUT x alice" + asJSONLD + `{"@context":"` + w.Base + `/ns/core","id":"","type":"Evidence"}`}},
		{"A10: absolute IRIs in what is generated", "GET doc.jsonld alice\nAccept: text/turtle", 200, []string{"body !~ <#it>"}, nil},

		// J SPARQL Update
		{"J: INSERT DATA", "GET doc.ttl alice", 200, []string{"body ~ new"}, []string{"PATCH doc.ttl alice" + asSPARQL + `INSERT DATA { <> <urn:b> "new" }`}},
		{"J: DELETE DATA", "GET doc.ttl alice", 200, []string{"body !~ old"}, []string{"PATCH doc.ttl alice" + asSPARQL + `DELETE DATA { ` + title + ` "old" }`}},
		{"J: DELETE, INSERT, WHERE", "GET doc.ttl alice", 200, []string{"body ~ new", "body !~ old"}, []string{"PATCH doc.ttl alice" + asSPARQL + `DELETE { ?x ?p "old" } INSERT { ?x ?p "new" } WHERE { ?x ?p "old" }`}},
		{"J: makes", "PATCH a/x alice" + asSPARQL + `INSERT DATA { <> <urn:b> "new" }`, 201, nil, nil},
		{"J: a stranger", "PATCH doc.ttl" + asSPARQL + `INSERT DATA { <> <urn:b> "new" }`, 401, nil, nil},
		{"J: no SPARQL", "PATCH doc.ttl alice" + asSPARQL + `INSERT {`, 400, nil, nil},
		{"J: what we don't do", "PATCH doc.ttl alice" + asSPARQL + `DROP ALL`, 501, nil, nil},
		{"J: DELETE WHERE", "GET doc.ttl alice", 200, []string{"body !~ old"}, []string{"PATCH doc.ttl alice" + asSPARQL + `DELETE WHERE { ?x ?p "old" }`}},
		{"J: no match does nothing", "PATCH doc.ttl alice" + asSPARQL + `DELETE { ?x <urn:none> ?y } INSERT { ?x <urn:b> 1 } WHERE { ?x <urn:none> ?y }`, 204, nil, nil},
		{"J: a condition that is more than a pattern", "PATCH doc.ttl alice" + asSPARQL + `DELETE { ?x ?p ?o } WHERE { ?x ?p ?o FILTER(?o > 1) }`, 501, nil, nil},
		{"J: a container's own triples", "GET c/ alice", 200, []string{"body ~ urn:b", "body ~ ldp:contains <x>"}, []string{"PATCH c/ alice" + asSPARQL + `INSERT DATA { <> <urn:b> "new" }`}},
		{"J: and not what it contains", "PATCH c/ alice" + asSPARQL + `INSERT DATA { <> <http://www.w3.org/ns/ldp#contains> <y> }`, 409, nil, nil},
		{"J: of what isn't RDF", "PATCH text alice" + asSPARQL + `INSERT DATA { <> <urn:b> 1 }`, 415, nil, nil},
		{"J: listed in Accept-Patch", "OPTIONS doc.ttl", 204, []string{"Accept-Patch ~ application/sparql-update"}, nil},
	})
}

// TestOptionsAgreesWithGet: what GET tells of a resource, OPTIONS does to the same
// agent; and to one who may not read it, the same whether it is there or not.
func TestOptionsAgreesWithGet(t *testing.T) {
	w := newWorld(t)
	w.put("/o/doc.ttl", turtle, "")
	w.put("/o/text", plain, "x")
	w.put("/o/text.meta", turtle, "")
	w.put("/o/doc.jsonld", "application/ld+json", "{}")
	told := []string{"Allow", "Accept-Patch", "Accept-Post", "Accept-Put", "Link"}
	for _, path := range []string{"/", "/o/", "/o/doc.ttl", "/o/doc.jsonld", "/o/text", "/o/text.meta", "/o/.meta", "/.acl", "/profile/card", "/profile/", "/inbox/", "/evidence/", "/settings/prefs.ttl", "/.well-known/solid"} {
		get, options := w.ask(w.alice, "GET", path, "", ""), w.ask(w.alice, "OPTIONS", path, "", "")
		if get.StatusCode != 200 {
			continue // what Alice may not read
		}
		for _, name := range told {
			if got, want := options.Header.Get(name), get.Header.Get(name); got != want {
				t.Errorf("%s: OPTIONS tells %s %q, GET %q", path, name, got, want)
			}
		}
	}
	for _, twins := range [][2]string{{"/o/text", "/o/none"}, {"/o/doc.ttl", "/o/none"}, {"/o/", "/none/"}, {"/o/text.meta", "/o/none.meta"}, {"/o/text.acl", "/o/none.acl"}} {
		for _, who := range []*person{w.bob, nil} {
			there, absent := w.ask(who, "OPTIONS", twins[0], "", ""), w.ask(who, "OPTIONS", twins[1], "", "")
			for _, name := range told {
				got := strings.NewReplacer("/o/text", "/o/none", twins[0], twins[1]).Replace(there.Header.Get(name))
				if want := absent.Header.Get(name); got != want {
					t.Errorf("%s and %s, OPTIONS: %s %q and %q", twins[0], twins[1], name, got, want)
				}
			}
		}
	}
}

// TestCORSOverHTTP is section A12, of the joined server.
func TestCORSOverHTTP(t *testing.T) {
	w := newWorld(t)
	const origin = "\nOrigin: https://app.example"
	const preflight = origin + "\nAccess-Control-Request-Method: "
	granted := []string{"Access-Control-Allow-Origin: https://app.example", "Vary ~ Origin", "Access-Control-Expose-Headers ~ WAC-Allow", "Access-Control-Expose-Headers !~ *"}
	rows := []row{
		{"A12: without Origin", "GET doc.ttl alice", 200, []string{"Access-Control-Allow-Origin: *"}, nil},
		{"A12: 401 shows why", "GET doc.ttl" + origin, 401, append([]string{"Access-Control-Expose-Headers ~ WWW-Authenticate"}, granted...), nil},
		{"A12: 403", "GET doc.ttl bob" + origin, 403, granted, nil},
		{"A12: 404", "GET absent alice" + origin, 404, granted, nil},
		{"A12: 400", "GET c//x alice" + origin, 400, granted, nil},
		{"A12: 409", "DELETE c/ alice" + origin, 409, granted, nil},
		{"A12: 200", "GET doc.ttl alice" + origin, 200, granted, nil},
		{"A12: HEAD", "HEAD ./ alice" + origin, 200, granted, nil},
		{"A12: PUT", "PUT x alice" + origin + asText + "x", 201, granted, nil},
		{"A12: POST", "POST ./ alice" + origin + asText + "x", 201, granted, nil},
		{"A12: PATCH", "PATCH doc.ttl alice" + origin + asN3 + n3Insert, 204, granted, nil},
		{"A12: DELETE", "DELETE text alice" + origin, 204, granted, nil},
		{"A12: the headers that are asked for", "OPTIONS doc.ttl" + preflight + "GET\nAccess-Control-Request-Headers: X-CUSTOM, Content-Type", 204, append([]string{"Access-Control-Allow-Headers: X-CUSTOM, Content-Type", "-body"}, granted...), nil},
		{"A12: Accept where it is asked for", "OPTIONS doc.ttl" + preflight + "GET\nAccess-Control-Request-Headers: Accept", 204, []string{"Access-Control-Allow-Headers: Accept"}, nil},
		{"A12: and not where it is not", "OPTIONS doc.ttl" + preflight + "GET", 204, []string{"Access-Control-Allow-Headers !~ Accept"}, nil},
		{"A12: cookies are nothing here", "GET doc.ttl\nCookie: session=x" + origin, 401, granted, nil},
	}
	for _, m := range []string{"GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"} {
		rows = append(rows, row{"A12: a preflight for " + m, "OPTIONS absent" + preflight + m, 204, append([]string{"Access-Control-Allow-Methods ~ " + m, "-body"}, granted...), nil})
	}
	for _, header := range []string{"Accept-Patch", "Accept-Post", "Accept-Put", "Allow", "Content-Range", "ETag", "Last-Modified", "Link", "Location", "Updates-Via", "WAC-Allow", "WWW-Authenticate"} {
		rows = append(rows, row{"A12: exposed: " + header, "GET doc.ttl alice" + origin, 200, []string{"Access-Control-Expose-Headers ~ " + header}, nil})
	}
	w.run(rows)
	req, err := http.NewRequest("GET", w.Base+"/.well-known/openid-configuration", nil)
	must(t, err)
	if a := w.send(nil, req); a.StatusCode != 200 || a.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("openid-configuration: %d, Access-Control-Allow-Origin %q", a.StatusCode, a.Header.Get("Access-Control-Allow-Origin"))
	}
}

// TestConditionsAndRangesOverHTTP is section I and what H adds.
func TestConditionsAndRangesOverHTTP(t *testing.T) {
	w := newWorld(t)
	const future, past = "Fri, 01 Jan 2100 12:00:00 GMT", "Sat, 01 Jan 2000 12:00:00 GMT"
	tag := []string{"HEAD doc.ttl alice"}
	textTag := []string{"HEAD text alice"}
	const minimal = "\nPrefer: return=representation; include=\"http://www.w3.org/ns/ldp#PreferMinimalContainer\""
	w.run([]row{
		{"I: a strong tag for each representation: Turtle", "GET doc.ttl alice", 200, []string{"Etag ~ .ttl\"", "Etag !~ W/"}, nil},
		{"I: JSON-LD", "GET doc.ttl alice\nAccept: application/ld+json", 200, []string{"Etag ~ .jsonld\""}, nil},
		{"I: Vary, in one line", "GET doc.ttl alice", 200, []string{"Vary: Accept, Authorization, Origin"}, nil},
		{"I: If-None-Match: the tag", "GET doc.ttl alice\nIf-None-Match: $etag", 304, []string{"Etag: $etag", "-body", "Allow ~ GET", "Wac-Allow ~ user="}, tag},
		{"I: HEAD likewise", "HEAD doc.ttl alice\nIf-None-Match: $etag", 304, []string{"Etag: $etag"}, tag},
		{"I: weakly compared", "GET doc.ttl alice\nIf-None-Match: W/$etag, \"x\"", 304, nil, tag},
		{"I: another tag", "GET doc.ttl alice\nIf-None-Match: \"x\"", 200, nil, nil},
		{"I: a tag of another representation", "GET doc.ttl alice\nAccept: application/ld+json\nIf-None-Match: $etag", 200, nil, tag},
		{"I: If-Modified-Since, later", "GET doc.ttl alice\nIf-Modified-Since: " + future, 304, nil, nil},
		{"I: If-Modified-Since, earlier", "GET doc.ttl alice\nIf-Modified-Since: " + past, 200, nil, nil},
		{"I: If-None-Match overrules it", "GET doc.ttl alice\nIf-None-Match: \"x\"\nIf-Modified-Since: " + future, 200, nil, nil},
		{"I: If-Match, the tag", "PUT doc.ttl alice\nIf-Match: $etag" + asTurtle, 204, nil, tag},
		{"I: If-Match, another", "PUT doc.ttl alice\nIf-Match: \"x\"" + asTurtle, 412, nil, nil},
		{"I: If-Match is strong", "PUT doc.ttl alice\nIf-Match: W/$etag" + asTurtle, 412, nil, tag},
		{"I: If-Match, the tag that was", "PUT doc.ttl alice\nIf-Match: $etag" + asTurtle, 204, nil, []string{"HEAD doc.ttl alice", "PUT doc.ttl alice" + asTurtle}},
		{"I: If-Match: * on what isn't there, PUT", "PUT x alice\nIf-Match: *" + asTurtle, 412, nil, nil},
		{"I: If-Match: * on what isn't there, PATCH", "PATCH x alice\nIf-Match: *" + asN3 + n3Insert, 412, nil, nil},
		{"I: If-Match on DELETE", "DELETE doc.ttl alice\nIf-Match: \"x\"", 412, nil, nil},
		{"I: If-Match on PATCH", "PATCH doc.ttl alice\nIf-Match: $etag" + asN3 + n3Insert, 204, nil, tag},
		{"I: If-Match on POST", "POST ./ alice\nIf-Match: \"x\"" + asText + "x", 412, nil, nil},
		{"I: If-None-Match on POST: the container's tag", "POST ./ alice\nIf-None-Match: $etag" + asText + "x", 412, nil, []string{"HEAD ./ alice"}},
		{"I: If-Unmodified-Since, earlier", "PUT doc.ttl alice\nIf-Unmodified-Since: " + past + asTurtle, 412, nil, nil},
		{"I: If-Unmodified-Since, later", "PUT doc.ttl alice\nIf-Unmodified-Since: " + future + asTurtle, 204, nil, nil},
		{"I: permission comes before conditions", "PUT doc.ttl bob\nIf-Match: \"x\"" + asTurtle, 403, nil, nil},
		{"I: 404 comes before conditions", "GET absent alice\nIf-Match: \"x\"", 404, nil, nil},
		{"I: the first six", "GET text alice\nRange: bytes=0-5", 206, []string{"Content-Range: bytes 0-5/10", "body: 012345", "Content-Length: 6"}, nil},
		{"I: from the sixth", "GET text alice\nRange: bytes=5-", 206, []string{"body: 56789"}, nil},
		{"I: the last four", "GET text alice\nRange: bytes=-4", 206, []string{"body: 6789"}, nil},
		{"I: beyond the end", "GET text alice\nRange: bytes=10-", 416, []string{"Content-Range: bytes */10"}, nil},
		{"I: malformed", "GET text alice\nRange: bytes=x", 200, []string{"body: 0123456789"}, nil},
		{"I: Accept-Ranges", "HEAD text alice", 200, []string{"Accept-Ranges: bytes"}, nil},
		{"I: If-Range, the tag", "GET text alice\nRange: bytes=0-0\nIf-Range: $etag", 206, []string{"body: 0"}, textTag},
		{"I: If-Range, another", "GET text alice\nRange: bytes=0-0\nIf-Range: \"x\"", 200, nil, nil},

		{"I: HEAD has no ranges", "HEAD text alice\nRange: bytes=0-1", 200, []string{"-Content-Range", "Content-Length: 10"}, nil},
		{"I: nor has what is converted", "GET doc.ttl alice\nAccept: application/ld+json\nRange: bytes=0-1", 200, []string{"-Content-Range"}, nil},
		{"I: nor a container", "GET ./ alice\nRange: bytes=0-1", 200, []string{"-Content-Range"}, nil},
		{"I: a container that was seen", "GET ./ alice\nIf-None-Match: $etag", 304, []string{"Etag: $etag"}, []string{"HEAD ./ alice"}},
		{"I: If-None-Match, the tag, on PUT", "PUT doc.ttl alice\nIf-None-Match: $etag" + asTurtle, 412, nil, tag},
		{"I: If-Match: * on what is there", "PUT doc.ttl alice\nIf-Match: *" + asTurtle, 204, nil, nil},
		{"I: HEAD, If-Modified-Since", "HEAD doc.ttl alice\nIf-Modified-Since: " + future, 304, []string{"-body", "Etag ~ .ttl"}, nil},
		{"I: If-Unmodified-Since on GET", "GET doc.ttl alice\nIf-Unmodified-Since: " + past, 412, nil, nil},
		{"I: a part is not put", "PUT text alice\nContent-Range: bytes 0-1/10" + asText + "xx", 400, nil, nil},
		{"H 4.2.1.4: every resource is one", "HEAD text alice", 200, []string{`Link ~ <http://www.w3.org/ns/ldp#Resource>; rel="type"`}, nil},
		{"H 5.2.1.4: a container is one", "HEAD c/ alice", 200, []string{`Link ~ <http://www.w3.org/ns/ldp#BasicContainer>; rel="type"`}, nil},
		{"H 4.2.1.5: relative to the URL", "GET x alice\nAccept: application/ld+json", 200, []string{"body ~ $other"}, []string{"PUT x alice" + asTurtle + "<> <urn:a> <other>."}},
		{"H 5.2.3.7: null relative is what is made", "GET note alice\nAccept: application/ld+json", 200, []string{`body ~ $note`}, []string{"POST ./ alice\nSlug: note" + asTurtle + "<> <urn:a> 1."}},
		{"H 5.2.3.12: a text has a description", "POST ./ alice\nSlug: n" + asText + "x", 201, []string{`Link ~ <$n.meta>; rel="describedby"; anchor="$n"`}, nil},
		{"H 4.2: a text is a non-RDF source", "GET text alice", 200, []string{`Link ~ <http://www.w3.org/ns/ldp#NonRDFSource>; rel="type"`}, nil},
		{"H 4.2: Turtle is none", "GET doc.ttl alice", 200, []string{"Link !~ NonRDFSource"}, nil},
		{"I: several ranges are had as the whole", "GET text alice\nRange: bytes=0-1, 4-5", 200, []string{"body: 0123456789", "-Content-Range"}, nil},
		{"H 5.2.3.4: a model that can't be honoured", "PUT x alice\nLink: <http://www.w3.org/ns/ldp#BasicContainer>; rel=\"type\"" + asTurtle, 409, nil, nil},
		{"H 4.2.4.1: PUT replaces the whole", "GET doc.ttl alice", 200, []string{"body: <> <urn:a> 1."}, []string{"PUT doc.ttl alice" + asTurtle + "<> <urn:a> 1."}},
		{"H 7.2: the minimal container", "GET ./ alice" + minimal, 200, []string{"body !~ contains", "Preference-Applied: return=representation"}, nil},
		{"H 7.2: without containment", "GET ./ alice\nPrefer: return=representation; omit=\"http://www.w3.org/ns/ldp#PreferContainment\"", 200, []string{"body !~ contains"}, nil},
	})
}

// TestWebIDAndTypeIndexes is section G, of a pod that was just made.
func TestWebIDAndTypeIndexes(t *testing.T) {
	w := newWorld(t)
	terms := "http://www.w3.org/ns/solid/terms#"
	card := strings.TrimSuffix(string(w.owner.ID), "#me")
	w.allow("/profile/card", grant{w.alice.id, "RWC", ""}, grant{acl.Public, "R", ""})
	w.run([]row{
		{"G: the WebID is public, in Turtle", "GET /profile/card", 200, []string{"Content-Type: text/turtle", "body ~ " + string(w.owner.ID), "body ~ oidcIssuer"}, nil},
		{"G: and in JSON-LD", "GET /profile/card\nAccept: application/ld+json", 200, []string{"Content-Type: application/ld+json", "body ~ solid:oidcIssuer"}, nil},
		{"G: it has a storage, preferences, an inbox, a public type index", "GET /profile/card\nAccept: application/ld+json", 200, []string{"body ~ pim:storage", "body ~ pim:preferencesFile", "body ~ ldp:inbox", "body ~ solid:publicTypeIndex", "body ~ foaf:Agent", "body !~ privateTypeIndex"}, nil},
		{"G: another issuer, by PUT", "PUT /profile/card alice" + asTurtle + "<#me> <" + terms + "oidcIssuer> <https://evil.example>.", 409, nil, nil},
		{"G: no issuer, by PUT", "PUT /profile/card alice" + asTurtle + "<#me> <urn:a> 1.", 409, nil, nil},
		{"G: another issuer, by PATCH", "PATCH /profile/card alice" + n3("solid:inserts { <"+card+"#me> solid:oidcIssuer <https://evil.example> }"), 409, nil, nil},
		{"G: no issuer, by PATCH", "PATCH /profile/card alice" + asSPARQL + "DELETE WHERE { ?me <" + terms + "oidcIssuer> ?any }", 409, nil, nil},
		{"G: a second inbox", "PATCH /profile/card alice" + n3("solid:inserts { <"+card+"#me> <http://www.w3.org/ns/ldp#inbox> <https://evil.example/inbox/> }"), 422, []string{"body ~ ldp#inbox"}, nil},
		{"G: a second preferences file", "PATCH /profile/card alice" + n3("solid:inserts { <"+card+"#me> <http://www.w3.org/ns/pim/space#preferencesFile> <https://evil.example/prefs> }"), 422, []string{"body ~ preferencesFile"}, nil},
		{"G: another storage is no error", "PATCH /profile/card alice" + n3("solid:inserts { <"+card+"#me> <http://www.w3.org/ns/pim/space#storage> <https://other.example/> }"), 204, nil, nil},
		{"G: it can't be deleted", "DELETE /profile/card alice", 409, nil, nil},
		{"G: a name can be told", "PATCH /profile/card alice" + n3("solid:inserts { <"+card+"#me> <http://xmlns.com/foaf/0.1/name> \"Alva\" }"), 204, nil, nil},
		{"G: a JSON-LD context that is unknown", "PUT /profile/card alice" + asJSONLD + `{"@context":"https://unknown.example/"}`, 422, nil, nil},
		{"G: the preferences are private", "GET /settings/prefs.ttl", 401, nil, nil},
		{"G: and point to the private type index", "GET /settings/prefs.ttl alice", 200, []string{"body ~ privateTypeIndex", "body ~ ConfigurationFile"}, nil},
		{"G: the public type index is public", "GET /settings/publicTypeIndex.ttl", 200, []string{"body ~ ListedDocument", "body ~ TypeIndex"}, nil},
		{"G: the private one is not", "GET /settings/privateTypeIndex.ttl", 401, nil, nil},
		{"G: and is an unlisted document", "GET /settings/privateTypeIndex.ttl alice", 200, []string{"body ~ UnlistedDocument"}, nil},
	})
}

// TestInbox is section F: what W3C's suite asks of a receiver, of an inbox that
// everybody may append to, and read.
func TestInbox(t *testing.T) {
	w := newWorld(t)
	w.allow("/inbox/", grant{w.alice.id, "RWC", "RWC"}, grant{acl.Public, "RA", "RA"})
	const note = `{"@context":"https://www.w3.org/ns/activitystreams","@id":"","@type":"Announce","object":"https://a.example/post"}`
	at := w.Base + string(w.root) + "inbox/"
	w.run([]row{
		{"F: the inbox is found by Link", "HEAD /profile/card", 200, []string{"Link ~ <" + at + `>; rel="http://www.w3.org/ns/ldp#inbox"`}, nil},
		{"F: there is one", "GET /profile/card", 200, []string{"body ~ ldp:inbox <" + at + "> ;", "body !~ " + at + ">,"}, nil},
		{"F: a notification in JSON-LD", "POST /inbox/\nSlug: one" + asJSONLD + note, 201, []string{"Location: " + at + "one"}, nil},
		{"F: with a profile", "POST /inbox/\nContent-Type: application/ld+json; profile=\"https://www.w3.org/ns/activitystreams\"\n\n" + note, 201, []string{"Location ~ " + at}, nil},
		{"F: with a charset", "POST /inbox/\nContent-Type: application/ld+json; charset=utf-8\n\n" + note, 201, []string{"Location ~ " + at}, nil},
		{"F: in Turtle", "POST /inbox/" + asTurtle + "<> <urn:a> 1.", 201, nil, nil},
		{"F: GET lists them", "GET /inbox/", 200, []string{"body ~ @base <" + at + ">", "body ~ <> ldp:contains <one>"}, nil},
		{"F: in JSON-LD", "GET /inbox/\nAccept: application/ld+json", 200, []string{"Content-Type: application/ld+json", "body ~ ldp:contains", "body ~ " + at + "one"}, nil},
		{"F: each is had as JSON-LD", "GET /inbox/one\nAccept: application/ld+json", 200, []string{"Content-Type: application/ld+json", "body ~ Announce"}, nil},
		{"F: and as it was sent without Accept", "GET /inbox/one", 200, []string{"body: " + note}, nil},
		{"F: what can be posted is told on OPTIONS", "OPTIONS /inbox/", 204, []string{"Accept-Post: application/ld+json, text/turtle", "Allow ~ POST"}, nil},
		{"F: it can't be replaced", "PUT /inbox/one" + asJSONLD + note, 401, nil, nil},
		{"F: nor deleted", "DELETE /inbox/one", 401, nil, nil},
		{"F: but by the owner's friends", "DELETE /inbox/one alice", 204, nil, nil},
		{"F: no RDF", "POST /inbox/" + asText + "x", 415, nil, nil},
		{"F: no JSON-LD", "POST /inbox/" + asJSONLD + "{", 400, nil, nil},
		{"F: too much", "POST /inbox/" + asTurtle + "#" + strings.Repeat("x", 64<<10), 413, nil, nil},
		{"F: no container", "POST /inbox/\nLink: <http://www.w3.org/ns/ldp#BasicContainer>; rel=\"type\"" + asTurtle, 409, nil, nil},
		{"F: nor by PUT", "PUT /inbox/c/", 409, nil, nil},
		{"F: nor on the way", "PUT /inbox/c/x" + asText + "x", 409, nil, nil},
		{"F: nor for what it takes", "PUT /inbox/c/x" + asTurtle + "<> a <#Note> .", 409, nil, nil},
		{"F: who may write is not a sender", "POST /inbox/ alice" + asText + "x", 201, nil, nil},
	})
}

// TestRacesOverHTTP: two If-None-Match: * have one winner; ten patches lose
// nothing.
func TestRacesOverHTTP(t *testing.T) {
	w := newWorld(t)
	var all sync.WaitGroup
	statuses := make(chan int, 8)
	for range cap(statuses) {
		all.Go(func() {
			req, _ := http.NewRequest("PUT", w.Base+string(w.root)+"race", strings.NewReader("x"))
			req.Header.Set("Content-Type", plain)
			req.Header.Set("If-None-Match", "*")
			statuses <- w.send(w.alice, req).StatusCode
		})
	}
	all.Wait()
	close(statuses)
	count := map[int]int{}
	for s := range statuses {
		count[s]++
	}
	if count[201] != 1 || count[412] != cap(statuses)-1 {
		t.Errorf("If-None-Match: *: %v", count)
	}
	w.put("/patched", turtle, "")
	for i := range 10 {
		all.Go(func() {
			if a := w.ask(w.alice, "PATCH", "/patched", n3Type, n3Prefix+fmt.Sprintf("solid:inserts { <urn:a> <urn:n> %d }.", i)); a.StatusCode != 204 {
				t.Errorf("patch %d: %d", i, a.StatusCode)
			}
		})
	}
	all.Wait()
	a := w.ask(w.alice, "GET", "/patched", "", "")
	for i := range 10 {
		if !strings.Contains(a.body, fmt.Sprint(i)) {
			t.Errorf("patch %d is lost: %s", i, a.body)
		}
	}
}

// TestRawHTTP sends what no HTTP library would.
func TestRawHTTP(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		says, request, status string
	}{
		{"a dot segment in the request line", "GET " + string(w.root) + "../x HTTP/1.1\r\nHost: localhost\r\n\r\n", "400"},
		{"a fragment in the request line", "GET " + string(w.root) + "x#y HTTP/1.1\r\nHost: localhost\r\n\r\n", "308"},
		{"two lengths", "PUT " + string(w.root) + "x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", "400"},
		{"a length and chunks", "PUT " + string(w.root) + "x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "401"},
		{"no host", "GET / HTTP/1.1\r\n\r\n", "400"},
		{"a header that is too long", "GET / HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 80<<10) + "\r\n\r\n", "431"},
	} {
		t.Run(c.says, func(t *testing.T) {
			conn, err := net.Dial("tcp", strings.TrimPrefix(w.Base, "http://"))
			must(t, err)
			defer conn.Close()
			must(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
			_, _ = conn.Write([]byte(c.request)) // the server may have closed already
			line := make([]byte, 12)
			if _, err := conn.Read(line); err != nil || !strings.HasSuffix(string(line), c.status) {
				t.Errorf("%q, %v, want %s", line, err, c.status)
			}
		})
	}
}

// TestHTTPErrors: what goes wrong is told as a problem (RFC 9457) in JSON.
func TestHTTPErrors(t *testing.T) {
	w := newWorld(t)
	a := w.ask(w.alice, "GET", "/absent", "", "")
	var p struct {
		Type, Title, Detail, Instance string
		Status                        int
	}
	must(t, json.Unmarshal([]byte(a.body), &p))
	if p.Type != "about:blank" || p.Title != "Not Found" || p.Status != 404 || p.Detail == "" || p.Instance == "" || a.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%+v", p)
	}
}

// TestOwnContext: the vocabulary is had as JSON-LD with the context of its terms,
// by the URL of both.
func TestOwnContext(t *testing.T) {
	w := newWorld(t)
	req, err := http.NewRequest("GET", w.Base+"/ns/core", nil)
	must(t, err)
	req.Header.Set("Accept", "application/ld+json")
	a := w.send(nil, req)
	want, err := vocab.Core(w.pod.Base).Graph(t.Context())
	must(t, err)
	got, err := rdf.Read(t.Context(), []byte(a.body), rdf.JSONLD, w.Base+"/ns/core", rdf.Limits{})
	must(t, err)
	if !rdf.Isomorphic(got, want) {
		t.Error("it is not the vocabulary")
	}
	document := fmt.Sprintf(`{"@context":%q,"id":"urn:a","supersedes":"urn:b"}`, w.Base+"/ns/core")
	g, err := rdf.Read(t.Context(), []byte(document), rdf.JSONLD, "", rdf.Limits{LoadContext: func(context.Context, string) ([]byte, error) { return []byte(a.body), nil }})
	must(t, err)
	if !g.Has(rdf.IRI("urn:a"), rdf.IRI(w.Base+"/ns/core#supersedes"), rdf.IRI("urn:b")) {
		t.Error("it is not the context")
	}
}
