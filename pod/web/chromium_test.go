// SPDX-License-Identifier: EUPL-1.2

package web_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"skrin/pod/evidence"
	"skrin/pod/registry"
)

// TestChromiumStates shows every page in every state in a real browser: what axe, the
// HTML standard and the driver in fixtures/browser say of it.
func TestChromiumStates(t *testing.T) {
	stranger := map[string]bool{}
	var paths []string
	for _, c := range every {
		if c.form == nil && !strings.Contains(c.path, "known-app") { // which goes on by itself
			paths, stranger[c.path] = append(paths, c.path), c.stranger
		}
	}
	lookAt(t, newBench(t), paths, stranger)
}

// TestChromiumLongNames shows pages on which every name and value is as long as it can
// be, without a space, or written from right to left: nothing is wider than the page.
func TestChromiumLongNames(t *testing.T) {
	b := newBench(t)
	long := strings.Repeat("Försäkringsmyndighet", 10)
	for _, id := range []string{af, ink} {
		was := parties[id]
		defer func() { parties[id] = was }()
		p := was
		p.Name = registry.Text{"sv": long, "nb": "חברת ביטוח " + strings.Repeat("ם", 150)}
		p.Number, p.Contact, p.Home = "SE."+strings.Repeat("1", 60), "mailto:"+strings.Repeat("a", 60)+"@example.se", "https://"+strings.Repeat("b", 60)+".example.se"
		parties[id] = p
	}
	t2, _ := b.site.Types.Type(typeID)
	facts := []evidence.Fact{{Field: "office", Value: strings.Repeat("x", 300)}, {Field: "registrationDate", Value: "2026-10-01"}}
	for id, o := range b.pod.offers {
		o.Party = parties[o.Party.ID]
		for i := range o.Choices {
			o.Choices[i].Released, o.Choices[i].Optional = facts, facts
		}
		for i := range o.Suppliers {
			o.Suppliers[i].Party = parties[o.Suppliers[i].Party.ID]
		}
		b.pod.offers[id] = o
	}
	for i := range b.pod.shares {
		b.pod.shares[i].Party, b.pod.shares[i].Type = parties[ink], t2
	}
	for i := range b.pod.holdings {
		b.pod.holdings[i].Facts = facts
	}
	for i := range b.pod.conns {
		b.pod.conns[i].Party = parties[af]
	}
	b.pod.own.Name = strings.Repeat("W", 60)
	lookAt(t, b, []string{
		"/me/", "/me/evidence", "/me/evidence/e1", "/me/sharing", "/me/sharing/c1", "/me/log", "/me/log/118", "/me/connections", "/me/answer/consent", "/me/answer/choose",
		"/me/answer/connect", "/me/answer/missing", "/me/answer/waiting", "/me/answer/away", "/me/answer/trouble", "/me/answer/much", "/me/settings/", "/me/files/",
	}, nil)
}

// lookAt opens pages of a bench in a real browser.
func lookAt(t *testing.T, b *bench, paths []string, stranger map[string]bool) {
	t.Helper()
	const drivers = "../../fixtures/browser"
	if testing.Short() {
		t.Skip("a real browser takes its time")
	}
	for _, file := range []string{"/usr/bin/chromium", "/usr/bin/node", drivers + "/node_modules/axe-core"} {
		if _, err := os.Stat(file); err == nil {
			continue
		}
		if os.Getenv("SKRIN_TEST_ALL") != "" {
			t.Fatalf("%s is missing: run fixtures/browser/install.sh", file)
		}
		t.Skipf("%s is missing: run fixtures/browser/install.sh", file)
	}
	server := httptest.NewUnstartedServer(nil)
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !stranger[r.URL.RequestURI()] {
			r.Header.Set("X-Person", "alva")
		}
		b.h.ServeHTTP(w, r)
	})
	server.Start()
	defer server.Close()
	b.site.Base = server.URL
	var err error
	if b.h, err = b.site.Handler(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 9*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/usr/bin/node", "states.mjs")
	cmd.Dir, cmd.Stdin = drivers, strings.NewReader(strings.Join(paths, "\n"))
	cmd.Env = append(os.Environ(), "SKRIN_ORIGINS="+server.URL)
	cmd.WaitDelay = 10 * time.Second
	var out, trouble bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &trouble
	if err := cmd.Run(); err != nil {
		t.Errorf("states.mjs: %v\n%s", err, trouble.String())
	}
	for lines := bufio.NewScanner(&out); lines.Scan(); {
		var says struct {
			Name, Detail string
			OK           bool
		}
		if json.Unmarshal(lines.Bytes(), &says) != nil || !says.OK {
			t.Errorf("%s: %s", says.Name, says.Detail)
		}
	}
	t.Logf("%d pages", len(paths))
}
