// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A requirement is a MUST of the specifications, with the tests that show it: the
// name of a test, or the sentence of a row.
type requirement struct {
	part, says string
	shown      []string
}

// musts is every MUST of the Solid Protocol, CORS, Web Access Control, Linked
// Data Notifications (receiver), WebID Profile and type indexes, LDP Basic
// Containers, HTTP's conditions and ranges, and SPARQL Update as tests ask it.
var musts = []requirement{
	{"A1", "HTTP/1.1 framing is obeyed", []string{"TestRawHTTP"}},
	{"A1", "401 with a challenge, for every method, before anything else", []string{"A1: no credentials, GET", "A1: no credentials, HEAD", "A1: no credentials, PUT", "A1: no credentials, POST", "A1: no credentials, PATCH", "A1: no credentials, DELETE", "A1: no credentials come before 404", "A1: and before 415", "A1: and before 400"}},
	{"A1", "content needs a Content-Type: 400", []string{"A1: PUT of content without Content-Type", "A1: POST of content without Content-Type", "A1: PATCH without Content-Type"}},
	{"A1", "Last-Modified on GET and HEAD", []string{"A1: Last-Modified on GET", "A1: Last-Modified on HEAD of a container"}},
	{"A1", "plain http is redirected to https with 301", []string{"TestPlainHTTP"}},
	{"A1", "Content-Type may have parameters", []string{"A1: a Content-Type with parameters, PUT"}},
	{"A2", "a path ends in a slash if and only if it is a container's", []string{"A2: GET of a container without its slash", "A2: GET of a document with a slash"}},
	{"A2", "x and x/ are never both there", []string{"A2: a document beside a container", "A2: a container beside a document", "A2: a document beside a container, by PATCH", "A2: POST with the Slug of a container takes another name", "TestManyAtOnce"}},
	{"A3", "a storage says so", []string{"A3: the root is a storage", "A3: HEAD of the root too"}},
	{"A3", "every resource leads to the storage's description: GET, HEAD, OPTIONS", []string{"A3: storageDescription, GET", "A3: storageDescription, HEAD", "A3: storageDescription, OPTIONS"}},
	{"A3", "the description types the storage, in Turtle and JSON-LD", []string{"A3: the description, in Turtle", "A3: in JSON-LD"}},
	{"A3", "the owner is known, and told on the root", []string{"A3: the owner, on the root", "TestOwnerIsNeverLockedOut"}},
	{"A3", "storages don't overlap", []string{"TestRacesToMakeAPodHaveOneWinner", "TestMake"}},
	{"A4", "a container is an LDP Basic Container", []string{"A4: a container is a Basic Container", "A4: Turtle also for a long Accept"}},
	{"A4", "pages for who prefers them, everything for who doesn't (LDP Paging)", []string{"A4: pages for who prefers them", "A4: a page", "A4: the last page", "A4: everything for who doesn't", "TestAllPages"}},
	{"A4", "containment follows the paths, and nothing is an orphan", []string{"A7: all of them", "TestContainment", "TestManyAtOnce"}},
	{"A5", "auxiliary resources are linked", []string{"A5: Link rel=describedby", "B: Link rel=acl"}},
	{"A5", "they are made and changed by PUT and PATCH", []string{"A5: a description is made by PUT", "A5: or PATCH"}},
	{"A5", "they go with their subject", []string{"A5: it goes with its subject", "A5: the ACL document goes with its resource"}},
	{"A5", "they are RDF", []string{"A5: it is RDF"}},
	{"A5", "a description has its subject's rights", []string{"A5: its subject's rights are its own"}},
	{"A5", "at most one description", []string{"A5: one description"}},
	{"A6", "GET, HEAD, OPTIONS everywhere, with Allow", []string{"A6: Allow, and what can be written: a document", "A6: a container", "A6: OPTIONS", "A6: OPTIONS of a stranger"}},
	{"A6", "Accept-Patch, Accept-Post, Accept-Put agree with Allow", []string{"A6: a text is not patched", "A6: a container", "A6: OPTIONS of a text agrees with GET", "A6: OPTIONS of the root agrees with GET", "TestOptionsAgreesWithGet"}},
	{"A6", "a method that is not supported: 405", []string{"A6: a method that is unknown", "A6: TRACE"}},
	{"A7", "PUT and PATCH make the containers on the way", []string{"A7: PUT makes the containers on the way", "A7: PATCH does, with N3", "A7: and with SPARQL Update"}},
	{"A7", "a document becomes no container", []string{"A7: a document becomes no container", "A7: nor further down", "A7: nor by PATCH"}},
	{"A7", "POST makes a member", []string{"A7: POST makes", "A7: and lists it", "A7: POST of a container"}},
	{"A7", "POST to what isn't there: 404", []string{"A7: POST to a container that isn't there", "A7: POST below a document"}},
	{"A7", "containment is not written: 409", []string{"A7: PUT may not change containment", "A7: nor PATCH", "A7: nor PATCH that deletes", "A7: nor by POST", "A7: but not with a member less"}},
	{"A7", "what changes nothing of it is taken", []string{"A7: what was read of a container can be put back", "A7: which changes nothing"}},
	{"A7", "nor members' metadata: 409", []string{"A7: nor members' metadata, by PUT", "A7: nor by PATCH"}},
	{"A8", "N3 Patch on RDF documents, and told", []string{"A8: inserts", "A8: deletes", "A8: replaces where", "A8: of a JSON-LD document", "A6: OPTIONS"}},
	{"A8", "what is no patch: 422", []string{"A8: no patch in it", "A8: two patches", "A8: inserts twice", "A8: a formula within a formula", "A8: a variable that is not bound", "A8: a blank node in deletes"}},
	{"A8", "the modes that it takes", []string{"TestPatchTakesWhatItDoes", "TestB1DecisionTable"}},
	{"A8", "no match, or several: 409", []string{"A8: no match", "A8: several matches"}},
	{"A8", "deletes what isn't there: 409, and nothing is done", []string{"A8: deletes what isn't there", "A8: and inserts nothing then"}},
	{"A8", "deletes come before inserts; none is lost", []string{"A8: deletes come first", "TestConcurrentPatchesLoseNothing", "TestRacesOverHTTP", "TestLinearizable"}},
	{"A9", "DELETE removes the resource and its containment", []string{"A9: a document", "A9: and it is listed no more"}},
	{"A9", "the root and its ACL stay: 405, not in Allow", []string{"A9: the root", "A9: the root's Allow", "A9: the Allow of the root's ACL", "A9: the root's ACL document can't be deleted"}},
	{"A9", "a container that is not empty stays: 409", []string{"A9: a container that is not", "A9: a container with a container"}},
	{"A10", "RDF is had as Turtle and as JSON-LD", []string{"A10: Turtle as JSON-LD", "A10: JSON-LD as Turtle"}},
	{"A10", "a representation's URL that is not the resource's redirects: 308", []string{"A2: another spelling is redirected"}},
	{"A10", "what can't be had: 406", []string{"A10: what can't be had", "A10: a text is no RDF"}},

	{"A12", "the origin is repeated, also in errors; Vary has it", []string{"A12: 200", "A12: 401 shows why", "A12: 403", "A12: 404", "A12: 400", "A12: 409"}},
	{"A12", "all headers are exposed, by name", []string{"A12: exposed: ", "TestCORS"}},
	{"A12", "a preflight needs no credentials", []string{"A12: a preflight for "}},
	{"A12", "the headers that are asked for are allowed", []string{"A12: the headers that are asked for", "A12: and not where it is not"}},

	{"B", "a resource's ACL is linked, and is one", []string{"B: Link rel=acl", "B: a container's Link rel=acl", "TestB2ACLResources"}},
	{"B", "the ACL is had in Turtle; absent: 404", []string{"B: the root's is there, in Turtle, and gives Control", "B: HEAD too", "B: an inheriting resource has no ACL document of its own"}},
	{"B", "the root's ACL is always there, with Control", []string{"B: the root's is there, in Turtle, and gives Control", "A9: the root's ACL document can't be deleted", "TestOwnerIsNeverLockedOut"}},
	{"B", "what makes an authorization", []string{"B: an authorization without its type gives nothing", "TestParse"}},
	{"B", "the effective ACL: its own, or the nearest above, by acl:default", []string{"B: acl:default gives the members", "B: and not the container itself", "B: acl:accessTo gives the container", "B: and not the members", "B: an ACL document nearer by replaces it", "TestSpecificationInheritance"}},
	{"B", "at once", []string{"B: an ACL document that is deleted has no effect at once", "B: an ACL document that is patched has effect at once", "TestRightThatEndsMeanwhile"}},
	{"B", "an ACL that can't be read denies", []string{"TestDamagedACL", "B: an ACL document that can't be read is refused, and says where", "B: and the one before it holds"}},
	{"B", "every kind of subject", []string{"TestB2ProtectedOperations", "B: a group whose document is in the pod", "B: acl:origin narrows: from that origin", "TestRemoteGroups", "TestGroupsThatNeverAnswer"}},
	{"B", "modes that are unknown give nothing", []string{"B: a mode that is unknown gives nothing"}},
	{"B", "the mode that each operation takes", []string{"TestSpecificationOperations", "TestSpecificationConverted", "TestB1DecisionTable", "TestB2ProtectedOperations"}},
	{"B", "Control alone gives the ACL, and only that", []string{"B: Control gives the ACL document", "B: and not the resource", "B: to write a resource is not to write its ACL document"}},
	{"B", "WAC-Allow on GET and HEAD", []string{"TestB2WACAllow", "TestWACAllow"}},
	{"B", "conditions: the types are told, and are met", []string{"B 1.1: the conditions that are understood are told", "B 1.1: through the client of the condition", "B 1.1: through another", "B 1.1: by the issuer of the condition", "B 1.1: by another"}},
	{"B", "web origins get CORS where access is given", []string{"B: a script of any origin reads what is public"}},
	{"B", "what others read and write is in the person's log", []string{"TestReadsAreLogged", "TestWritesAreLogged"}},
	{"B", "content that is hostile has no right that a person's pages have", []string{"TestApart", "TestApartInChromium", "TestIsolation"}},
	{"B", "existence is not told to who may not read", []string{"TestHiddenAndAbsentAreAlike", "TestB1DecisionTable", "A6: OPTIONS of a text tells who may not read it what it tells of nothing"}},

	{"F", "an inbox is found", []string{"F: the inbox is found by Link"}},
	{"F", "one a resource", []string{"F: there is one"}},
	{"F", "POST: 201 and Location", []string{"F: a notification in JSON-LD"}},
	{"F", "JSON-LD with a profile or charset", []string{"F: with a profile", "F: with a charset"}},
	{"F", "GET lists the notifications", []string{"F: GET lists them"}},
	{"F", "each is RDF, and had as JSON-LD", []string{"F: each is had as JSON-LD"}},

	{"G", "the WebID's document is public, in Turtle", []string{"G: the WebID is public, in Turtle", "G: and in JSON-LD"}},
	{"G", "the issuer can't be changed or lost: 409", []string{"G: another issuer, by PUT", "G: no issuer, by PUT", "G: another issuer, by PATCH", "G: no issuer, by PATCH", "G: it can't be deleted"}},
	{"G", "the profile has its parts", []string{"G: it has a storage, preferences, an inbox, a public type index"}},
	{"G", "at most one inbox and preferences file: 422", []string{"G: a second inbox", "G: a second preferences file"}},
	{"G", "an unknown JSON-LD context is refused", []string{"G: a JSON-LD context that is unknown"}},
	{"G", "the public type index is led to from the profile, the private one from the preferences", []string{"G: it has a storage, preferences, an inbox, a public type index", "G: and point to the private type index", "G: the private one is not"}},

	{"H", "4.2.1.3 entity tags", []string{"I: a strong tag for each representation: Turtle", "TestEntityTags"}},
	{"H", "4.2.1.4 every resource is typed", []string{"H 4.2.1.4: every resource is one"}},
	{"H", "4.2.1.5 the base is the request's URL, or that of what is made", []string{"H 4.2.1.5: relative to the URL", "H 5.2.3.7: null relative is what is made"}},
	{"H", "4.2.1.6 constrainedBy where a constraint fails", []string{"A7: PUT may not change containment", "A2: a document beside a container"}},
	{"H", "4.2.4.1 PUT replaces the whole", []string{"H 4.2.4.1: PUT replaces the whole"}},
	{"H", "4.2.4.5 If-Match that fails: 412; nothing requires it, so 428 is never the answer", []string{"I: If-Match, another", "A7: PUT replaces: 204"}},
	{"H", "4.2.7.1 Accept-Patch on OPTIONS", []string{"A6: OPTIONS"}},
	{"H", "5.2.1.4 a container is typed", []string{"H 5.2.1.4: a container is one"}},
	{"H", "5.2.3.1, 5.2.3.2 POST makes, and is listed", []string{"A7: POST makes", "A7: and lists it"}},
	{"H", "5.2.3.4 the interaction model is honoured, or refused", []string{"H 5.2.3.4: a model that can't be honoured", "A7: POST of a container"}},
	{"H", "5.2.3.12 a description for what is not RDF", []string{"H 5.2.3.12: a text has a description", "A5: it is there before it is written, empty"}},
	{"H", "5.2.3.13 Accept-Post on OPTIONS", []string{"A6: OPTIONS"}},
	{"H", "5.2.5.1 DELETE removes containment", []string{"A9: and it is listed no more"}},
	{"H", "7.2 Prefer", []string{"H 7.2: the minimal container", "H 7.2: without containment"}},

	{"I", "a strong tag for each representation", []string{"I: a strong tag for each representation: Turtle", "I: JSON-LD", "I: a tag of another representation"}},
	{"I", "conditions come after permission and existence, in their order", []string{"I: permission comes before conditions", "I: 404 comes before conditions", "I: If-Match comes before If-None-Match", "I: If-None-Match overrules it"}},
	{"I", "If-Match is strong, If-None-Match weak", []string{"I: If-Match is strong", "I: weakly compared"}},
	{"I", "304 has the headers of 200", []string{"I: If-None-Match: the tag", "I: HEAD likewise"}},
	{"I", "conditional writes", []string{"I: If-Match, the tag", "I: If-Match: * on what isn't there, PATCH", "I: If-Match on DELETE", "I: If-Unmodified-Since, earlier", "TestRacesOfIfNoneMatchHaveOneWinner", "TestLinearizable"}},
	{"I", "ranges", []string{"I: the first six", "I: from the sixth", "I: the last four", "I: beyond the end", "I: malformed", "I: If-Range, the tag", "I: If-Range, another"}},
	{"I", "several ranges are had as the whole", []string{"I: several ranges are had as the whole"}},
	{"I", "negotiation with weights", []string{"A10: the q that is higher", "TestNegotiation"}},

	{"J", "INSERT DATA, DELETE DATA, DELETE/INSERT/WHERE", []string{"J: INSERT DATA", "J: DELETE DATA", "J: DELETE, INSERT, WHERE"}},
	{"J", "makes", []string{"J: makes"}},
	{"J", "the modes that it takes", []string{"TestPatchTakesWhatItDoes", "J: a stranger"}},
	{"J", "what we don't do: 501; no SPARQL: 400", []string{"J: what we don't do", "J: no SPARQL"}},
}

// TestTraceability prints which tests show which requirement, and fails where none
// does.
func TestTraceability(t *testing.T) {
	names := testNames(t)
	for _, m := range musts {
		if len(m.shown) == 0 {
			t.Errorf("%s: %s: no test", m.part, m.says)
		}
		for _, shown := range m.shown {
			if !slices.Contains(names, shown) {
				t.Errorf("%s: %s: there is no test %q", m.part, m.says, shown)
			}
		}
		t.Logf("%-3s %s\n      %s", m.part, m.says, strings.Join(m.shown, "\n      "))
	}
	for _, part := range []string{"A1", "A2", "A3", "A4", "A5", "A6", "A7", "A8", "A9", "A10", "A12", "B", "F", "G", "H", "I", "J"} {
		if !slices.ContainsFunc(musts, func(m requirement) bool { return m.part == part }) {
			t.Errorf("part %s has no requirement", part)
		}
	}
}

// testNames returns the names of all test functions, and all strings that stand in
// test files: the sentences of tables are among them.
func testNames(t *testing.T) []string {
	t.Helper()
	root := filepath.Join("..", "..")
	var names []string
	for _, f := range goFiles(t, root) {
		if !strings.HasSuffix(f, "_test.go") || strings.HasSuffix(f, "trace_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, f), nil, 0)
		must(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				names = append(names, n.Name.Name)
			case *ast.BasicLit:
				if s, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
					names = append(names, s)
				}
			}
			return true
		})
	}
	return names
}
