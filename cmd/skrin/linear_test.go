// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"cmp"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/podtest"
)

// as is an Identifier that takes everybody for one agent.
type as struct{ who acl.Agent }

func (a as) Identify(*http.Request) (acl.Agent, error) { return a.who, nil }
func (a as) Challenge(error) string                    { return "" }

// An op is one request about one of the resources; n is what it writes.
type op struct {
	resource int
	method   string
	n        int
	match    string // If-Match
	none     bool   // If-None-Match: *
}

// An answered is what it was answered.
type answered struct {
	status int
	etag   string
	body   string // the numbers in it, ascending
}

// A state is what one resource is: the numbers in it, "" for none, and its tag.
type state struct {
	exists bool
	etag   string
	body   string
}

// resourceModel is one resource as HTTP has it.
var resourceModel = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		parts := map[int][]porcupine.Operation{}
		for _, o := range history {
			r := o.Input.(op).resource
			parts[r] = append(parts[r], o)
		}
		var all [][]porcupine.Operation
		for _, part := range parts {
			all = append(all, part)
		}
		return all
	},
	Init: func() any { return state{} },
	Step: func(s, in, out any) (bool, any) { return step(s.(state), in.(op), out.(answered)) },
	DescribeOperation: func(in, out any) string {
		return fmt.Sprintf("%+v: %+v", in, out)
	},
}

func step(s state, in op, out answered) (bool, state) {
	failed := in.match != "" && in.match != s.etag || in.none && s.exists
	next := state{true, out.etag, fmt.Sprint(in.n)}
	made := map[bool]int{true: http.StatusNoContent, false: http.StatusCreated}[s.exists]
	switch {
	case in.method == "GET" && s.exists:
		return out == answered{200, s.etag, s.body}, s
	case !s.exists && (in.method == "GET" || in.method == "DELETE"):
		return out.status == 404, s
	case failed:
		return out.status == 412, s
	case in.method == "DELETE":
		return out.status == 204, state{}
	case in.method == "PATCH" && s.exists:
		next.body = numbers(s.body + " " + next.body)
	}
	return out.status == made && out.etag != "" && out.etag != s.etag, next
}

var number = regexp.MustCompile(`\b\d+\b`)

// numbers returns the numbers in a text, ascending.
func numbers(text string) string {
	found := number.FindAllString(text, -1)
	slices.SortFunc(found, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
	return strings.Join(slices.Compact(found), " ")
}

// TestLinearizable: whatever 32 clients do at once to few resources, there is an
// order in which each had been answered the same had it come alone.
func TestLinearizable(t *testing.T) {
	w := newWorld(t)
	linearizable(t, 125, string(w.root), &ldp.Handler{Backend: w.pod, Identifier: as{w.owner}, Base: w.Base, Log: w.log})
}

// TestClusterLinearizable is the same with two nodes on one database and one bucket,
// of which each request takes the one or the other.
func TestClusterLinearizable(t *testing.T) {
	k := clusterOf(t, podtest.NewPostgres(t), podtest.NewS3(t))
	var nodes []http.Handler
	var owner acl.Agent
	for range 2 {
		c := config{Base: "https://pod.example.se", Dir: t.TempDir(), Key: make([]byte, keySize), Token: time.Minute, keep: k}
		s, err := newServer(t.Context(), c, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		if owner, err = s.pod.Make(t.Context(), "somebody"); err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, &ldp.Handler{Backend: s.pod, Identifier: as{owner}, Base: s.Base, Log: s.log})
	}
	root := strings.TrimSuffix(strings.TrimPrefix(string(owner.ID), "https://pod.example.se"), "profile/card#me")
	linearizable(t, 25, root, nodes...)
}

// linearizable lets 32 clients ask the nodes for this and that, each so many times.
func linearizable(t *testing.T, each int, root string, nodes ...http.Handler) {
	const clients, resources = 32, 8
	begun := time.Now()
	histories := make([][]porcupine.Operation, clients)
	var all sync.WaitGroup
	for c := range clients {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(c), 1))
			var known [resources]string // tags that were seen
			for i := range each {
				in := op{resource: random.IntN(resources), n: c*each + i + 1}
				in.method = []string{"GET", "GET", "PUT", "PUT", "PATCH", "PATCH", "PATCH", "DELETE"}[random.IntN(8)]
				switch {
				case in.method == "GET":
				case random.IntN(2) == 0:
					in.match = known[in.resource]
				case in.method == "PUT":
					in.none = random.IntN(2) == 0
				}
				call := time.Since(begun)
				out := ask(nodes[random.IntN(len(nodes))], root, in)
				if out.etag != "" {
					known[in.resource] = out.etag
				}
				histories[c] = append(histories[c], porcupine.Operation{ClientId: c, Input: in, Call: int64(call), Output: out, Return: int64(time.Since(begun))})
			}
		})
	}
	all.Wait()
	history := slices.Concat(histories...)
	count := map[string]int{}
	for _, o := range history {
		count[fmt.Sprint(o.Input.(op).method, " ", o.Output.(answered).status)]++
	}
	t.Log(len(history), count, time.Since(begun))
	for _, k := range []string{"GET 200", "GET 404", "PUT 201", "PUT 204", "PUT 412", "PATCH 204", "PATCH 412", "DELETE 204", "DELETE 404"} {
		if count[k] == 0 {
			t.Errorf("no %s among them: the history says too little", k)
		}
	}
	if got := porcupine.CheckOperationsTimeout(resourceModel, history, time.Minute); got != porcupine.Ok {
		t.Errorf("linearizable: %v", got)
	}
}

// TestLinearizableSees: the check sees what is wrong.
func TestLinearizableSees(t *testing.T) {
	put := porcupine.Operation{Input: op{method: "PUT", n: 1}, Output: answered{201, "a", ""}, Call: 0, Return: 1}
	patch := porcupine.Operation{Input: op{method: "PATCH", n: 2, match: "a"}, Output: answered{204, "b", ""}, Call: 2, Return: 3}
	other := porcupine.Operation{ClientId: 1, Input: op{method: "PATCH", n: 3, match: "a"}, Output: answered{204, "c", ""}, Call: 2, Return: 3}
	get := func(etag, body string) porcupine.Operation {
		return porcupine.Operation{Input: op{method: "GET"}, Output: answered{200, etag, body}, Call: 4, Return: 5}
	}
	for _, c := range []struct {
		says    string
		history []porcupine.Operation
		ok      bool
	}{
		{"a read of what was written", []porcupine.Operation{put, patch, get("b", "1 2")}, true},
		{"a read of what was before", []porcupine.Operation{put, patch, get("a", "1")}, false},
		{"a patch that is lost", []porcupine.Operation{put, patch, get("b", "2")}, false},
		{"two winners of one If-Match", []porcupine.Operation{put, patch, other}, false},
	} {
		if got := porcupine.CheckOperations(resourceModel, c.history); got != c.ok {
			t.Errorf("%s: %v", c.says, got)
		}
	}
}

func ask(h http.Handler, root string, in op) answered {
	body := map[string]string{
		"PUT":   fmt.Sprintf("<> <urn:n> %d .", in.n),
		"PATCH": fmt.Sprintf("INSERT DATA { <> <urn:n> %d }", in.n),
	}[in.method]
	r := httptest.NewRequest(in.method, fmt.Sprintf("%slinear-%s", root, string(rune('a'+in.resource))), strings.NewReader(body))
	switch in.method {
	case "PUT":
		r.Header.Set("Content-Type", turtle)
	case "PATCH":
		r.Header.Set("Content-Type", "application/sparql-update")
	}
	if in.match != "" {
		r.Header.Set("If-Match", in.match)
	}
	if in.none {
		r.Header.Set("If-None-Match", "*")
	}
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	out := answered{status: answer.Code}
	if out.status < 300 && in.method != "DELETE" {
		out.etag = answer.Header().Get("Etag")
	}
	if in.method == "GET" && out.status == 200 {
		_, list, _ := strings.Cut(answer.Body.String(), "urn:n>")
		out.body = numbers(list)
	}
	return out
}
