// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/auth/dpop"
	"skrin/ldp/client"
)

// A theatre is a stage in a process of its own, to be killed and started again.
type theatre struct {
	t    *testing.T
	dir  string
	as   string // the value of asSkrin; "" for 1
	base string
	cmd  *exec.Cmd
	said bytes.Buffer
}

// start starts it, and returns what it tells and how long it took until it answers.
func (th *theatre) start(args ...string) (told stage, took time.Duration) {
	th.t.Helper()
	began := time.Now()
	th.cmd = exec.Command(os.Args[0], append([]string{"stage", "--dir", th.dir, "--newcomers", "1"}, args...)...)
	th.cmd.Env = append(os.Environ(), asSkrin+"="+cmp.Or(th.as, "1"))
	th.cmd.Stderr = &th.said
	out, err := th.cmd.StdoutPipe()
	must(th.t, err)
	must(th.t, th.cmd.Start())
	if err := json.NewDecoder(out).Decode(&told); err != nil {
		_ = th.cmd.Wait()
		th.t.Fatalf("it doesn't start: %v\n%s", err, th.said.String())
	}
	th.base = told.Base
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		resp, err := http.Get(th.base + "/healthz")
		if err == nil {
			_ = resp.Body.Close()
			return told, time.Since(began)
		}
		if time.Now().After(end) {
			th.t.Fatalf("it doesn't answer: %v", err)
		}
	}
}

func (th *theatre) kill() {
	_ = th.cmd.Process.Kill()
	_ = th.cmd.Wait()
}

// client returns the client of an app or a party.
func (th *theatre) client(id, secret string, key jose.JSONWebKey) *client.Client {
	proofs, err := dpop.NewKey()
	must(th.t, err)
	return &client.Client{HTTP: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{}}, Issuer: th.base, ID: id, Secret: secret, Key: key, DPoP: proofs, Now: time.Now}
}

// A mixed is one person's app, which writes this and that, one thing after the other,
// and knows what was acknowledged.
type mixed struct {
	app    *client.Client
	root   string
	has    map[string]string // bodies by path: what is there, by all that was acknowledged
	listed map[string]bool   // the numbers that were patched into the list
	// The write that was under way when the server was killed: it has happened or not.
	path, body string // body "" for deleted; path "" for the list
	number     string
	open       bool

	borrows string // what another lets this person read, by which that one's log grows
	reads   int    // of that, which were answered
}

// lends lets somebody read a document.
func (m *mixed) lends(t *testing.T, to string) {
	t.Helper()
	rules := fmt.Sprintf(`@prefix acl: <http://www.w3.org/ns/auth/acl#>.
<#owner> a acl:Authorization; acl:agent <%sprofile/card#me>; acl:accessTo <lent.txt>; acl:mode acl:Read, acl:Write, acl:Control.
<#other> a acl:Authorization; acl:agent <%s>; acl:accessTo <lent.txt>; acl:mode acl:Read.`, m.root, to)
	_, err := m.app.Put(t.Context(), m.root+"lent.txt", client.Content{Type: "text/plain", Body: []byte("lent")})
	must(t, err)
	_, err = m.app.Put(t.Context(), m.root+"lent.txt.acl", client.Content{Type: "text/turtle", Body: []byte(rules)})
	must(t, err)
}

// write does the nth write of a round; every sixth is a read.
func (m *mixed) write(ctx context.Context, round, n int) error {
	name := fmt.Sprintf("r%d/%d.txt", round, n)
	m.path, m.body, m.number, m.open = name, fmt.Sprintf("%d-%d", round, n), "", true
	var err error
	switch n % 6 {
	case 0: // over what was written in the round before
		m.path = "over.txt"
		_, err = m.app.Put(ctx, m.root+m.path, client.Content{Type: "text/plain", Body: []byte(m.body)})
	case 1: // too large for the store
		m.body = strings.Repeat(m.body+";", 20_000)
		_, err = m.app.Put(ctx, m.root+m.path, client.Content{Type: "text/plain", Body: []byte(m.body)})
	case 2:
		m.path, m.number = "", fmt.Sprint(round*1_000_000+n)
		patch := fmt.Sprintf("INSERT DATA { <> <urn:n> %s }", m.number)
		_, err = m.app.Patch(ctx, m.root+"list", client.Content{Type: "application/sparql-update", Body: []byte(patch)})
	case 3: // what was made two writes ago
		m.path, m.body = fmt.Sprintf("r%d/%d.txt", round, n-2), ""
		err = m.app.Delete(ctx, m.root+m.path)
	case 4:
		m.open = false
		if _, err = m.app.Get(ctx, m.borrows, ""); err == nil {
			m.reads++
		}
		return err
	default:
		_, err = m.app.Put(ctx, m.root+m.path, client.Content{Type: "text/plain", Body: []byte(m.body), IfNone: true})
	}
	if err != nil {
		return err
	}
	m.open = false
	switch {
	case m.number != "":
		m.listed[m.number] = true
	case m.body == "":
		delete(m.has, m.path)
	default:
		m.has[m.path] = m.body
	}
	return nil
}

// check holds the pod against what was acknowledged, and takes what it finds of the
// write that was under way for what is there from now on. Of earlier rounds it looks
// at some.
func (m *mixed) check(t *testing.T, round int) {
	t.Helper()
	ctx := t.Context()
	if _, ok := m.has[m.path]; m.open && m.path != "" && !ok {
		m.has[m.path] = "" // was not there
	}
	for path, want := range m.has {
		if !strings.HasPrefix(path, fmt.Sprintf("r%d/", round)) && rand.IntN(20) > 0 && path != m.path && path != "over.txt" {
			continue
		}
		body := ""
		res, err := m.app.Get(ctx, m.root+path, "")
		gone := new(client.Problem)
		if err == nil {
			body = string(res.Body)
		} else if !errors.As(err, &gone) || gone.Status != 404 {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if body != want && !(m.open && path == m.path && body == m.body) {
			t.Errorf("%s was acknowledged as %.20q, and is %.20q; under way was %s, %.20q", path, want, body, m.path, m.body)
		}
		if body == "" {
			delete(m.has, path)
		} else {
			m.has[path] = body
		}
	}
	m.checkList(t)
	m.open = false
}

func (m *mixed) checkList(t *testing.T) {
	t.Helper()
	res, err := m.app.Get(t.Context(), m.root+"list", "text/turtle")
	if err != nil {
		if len(m.listed) > 0 {
			t.Errorf("the list: %v", err)
		}
		return
	}
	_, list, _ := strings.Cut(string(res.Body), "urn:n>")
	found := map[string]bool{}
	for n := range strings.FieldsSeq(numbers(list)) {
		found[n] = true
		if !m.listed[n] && !(m.open && n == m.number) {
			t.Errorf("the list has %s, which nobody has written", n)
		}
	}
	for n := range m.listed {
		if !found[n] {
			t.Errorf("the list has lost %s", n)
		}
	}
	m.listed = found
}

// TestKillAmongWrites: the server is killed in the midst of what 32 clients write:
// new documents, over old ones, large ones, patches and deletions, while each reads
// what another lends. Each time fsck finds nothing in what is left, the logs'
// chains included, which have all these reads; and when it has been started again, all that was acknowledged is
// there, and nothing is half there. SKRIN_TEST_CRASH_ROUNDS says how many times.
func TestKillAmongWrites(t *testing.T) {
	const clients = 32
	rounds := 3
	if n, err := strconv.Atoi(os.Getenv("SKRIN_TEST_CRASH_ROUNDS")); err == nil {
		rounds = n
	}
	th := &theatre{t: t, dir: t.TempDir()}
	port := fmt.Sprint(freePorts(t))
	told, _ := th.start("--port", port, "--people", fmt.Sprint(clients))
	defer func() { th.kill() }()
	key, err := demoKey(th.dir)
	must(t, err)
	var all []*mixed
	for _, p := range told.People {
		all = append(all, &mixed{app: th.client(p.ID, p.Secret, jose.JSONWebKey{}), root: p.Pod, has: map[string]string{}, listed: map[string]bool{}})
	}
	acknowledged, reads, longest := 0, 0, time.Duration(0)
	for i, m := range all {
		m.lends(t, told.People[(i+1)%clients].WebID)
		m.borrows = told.People[(i+clients-1)%clients].Pod + "lent.txt"
	}
	for round := range rounds {
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		counts := make([]int, clients)
		for i, m := range all {
			wg.Go(func() {
				for n := 0; ; n++ {
					err := m.write(ctx, round, n)
					if refused := new(client.Problem); errors.As(err, &refused) {
						t.Errorf("a write is refused: %v", err)
					}
					if err != nil {
						return
					}
					counts[i]++
				}
			})
		}
		time.Sleep(200*time.Millisecond + rand.N(300*time.Millisecond))
		th.kill()
		wg.Wait()
		stop()
		for i, n := range counts {
			acknowledged += n
			reads += all[i].reads
			all[i].reads = 0
		}
		if o := sound(t, config{Base: th.base, Dir: th.dir, Key: key, Demo: true, Token: time.Minute}, clients); o.Checked.Entries < reads {
			t.Errorf("of %d reads by others the logs have %d entries", reads, o.Checked.Entries)
		}
		_, took := th.start("--port", port, "--people", "0")
		longest = max(longest, took)
		for _, m := range all {
			wg.Go(func() { m.check(t, round) })
		}
		wg.Wait()
	}
	t.Logf("%d rounds, %d requests answered, of which %d were reads by others; the longest start took %v", rounds, acknowledged, reads, longest.Round(time.Millisecond))
	if acknowledged < rounds*clients {
		t.Error("hardly anything was acknowledged")
	}
}
