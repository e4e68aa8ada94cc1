// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"skrin/ldp/client"
)

// TestREADME runs the README's guides for an authority and a third party, as they
// stand there, against the demo: from nothing to a receipt, and from nothing to a
// verified answer, each in 40 lines of shell.
func TestREADME(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	guides, parts := map[string]string{}, map[string]string{}
	for _, m := range regexp.MustCompile("(?s)<!-- run: (\\w+)-(\\w+) -->\n```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		guides[m[1]] += m[3]
		parts[m[1]+" "+m[2]] = m[3]
	}
	if len(parts) != 7 || len(guides) != 2 {
		t.Fatalf("the README has %d guides of %d parts", len(guides), len(parts))
	}
	for name, guide := range guides {
		if n := strings.Count(guide, "\n"); n > 40 {
			t.Errorf("the guide for a %s has %d lines", name, n)
		}
	}
	if n := strings.Count(parts["provider push"], "cat > "); n != 2 {
		t.Errorf("a table needs %d files", n)
	}
	work := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", work, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	r := startDemo(t, t.TempDir())
	b := newBrowser(t)
	out := r.follows(work, guides["provider"]+parts["provider push"], func(to string) {
		b.open(to)
		b.signIn("Alva Lindqvist")
		b.sees("Vill du ansluta dig till Exempelverket?")
		b.press("Ja, anslut")
		b.sees("You can close this window")
	})
	for _, want := range []string{"201", "1 sent, 0 sent before", "0 sent, 1 sent before"} {
		if !strings.Contains(out, want) {
			t.Errorf("the provider's guide lacks %q: %s", want, out)
		}
	}
	keys := exec.CommandContext(t.Context(), filepath.Join(work, "skrin"), "jwks", filepath.Join(work, "authority.key"))
	set, err := keys.Output()
	must(t, err)
	must(t, os.WriteFile(filepath.Join(work, "authority.jwks"), set, 0o600))
	out = r.follows(work, guides["consumer"], func(to string) {
		b.open(to)
		b.sees("Vill du dela detta med Exempelkassan?")
		b.press("Ja, dela")
		b.sees("You can close this window")
	}, "JWKS=authority.jwks", "ISSUER=https://exempelverket.example")
	if n := strings.Count(out, "{\n  \"registered_at_least_30_days\": true\n}"); n != 2 {
		t.Errorf("the consumer's guide reads: %s", out)
	}
	r.asksElsewhere(work, b)
}

// asksElsewhere asks as a web site would, where the browser comes back to another
// machine, and then the person whom it knows since, in her inbox.
func (r *running) asksElsewhere(work string, b *browser) {
	r.t.Helper()
	const as = `skrin consumer $1 --server "$SERVER" --id exempelkassan --key consumer.key`
	var came string
	site := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) { came = q.URL.String() }))
	var err error
	site.Listener, err = net.Listen("tcp", strings.TrimSuffix(strings.TrimPrefix(r.back, "http://"), "/return"))
	must(r.t, err)
	site.Start()
	defer site.Close()
	r.follows(work, strings.Replace(as, "$1", "ask", 1)+` --return "$RETURN" --pending pending request.json`, func(to string) {
		b.open(to)
		b.press("Ja, dela")
	})
	out := r.follows(work, strings.Replace(as, "$1", "finish", 1)+` --pending pending - <<< "$CAME"; test ! -e pending`, nil, "CAME="+site.URL+came)
	var answer personalAnswer
	if err := json.Unmarshal([]byte(out), &answer); err != nil || !strings.HasPrefix(answer.WebID, r.Base+"/w/") || !strings.Contains(string(answer.Granted), "/evidence/") {
		r.t.Fatalf("finish prints %s: %v", out, err)
	}
	out = r.follows(work, strings.Replace(as, "consumer $1", "token", 1)+" --json", nil)
	var token struct {
		Access string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(out), &token); err != nil || len(token.Access) < 100 {
		r.t.Errorf("a token in JSON: %s", out)
	}
	inbox := strings.Replace(as, "$1", "ask", 1) + ` --inbox "$WEBID" --reference case/2 request.json`
	place := strings.Fields(r.follows(work, inbox+"; "+inbox+" --json", nil, "WEBID="+answer.WebID))
	if len(place) != 2 || fmt.Sprintf(`{"location":%q}`, place[0]) != place[1] || !strings.HasPrefix(place[0], strings.TrimSuffix(answer.WebID, "card#me")+"inbox/") {
		r.t.Errorf("the inbox: %q", place)
	}
}

// TestComeBack: only what answers the question that was asked is an answer.
func TestComeBack(t *testing.T) {
	for _, row := range []struct {
		is, at string
		status int
		ends   bool
	}{
		{"an answer to another question", "/return?state=other&code=x", 404, false},
		{"no answer", "/return", 404, false},
		{"another path", "/?state=mine&code=x", 404, false},
		{"a no is an answer", "/return?state=mine&error=access_denied", 200, true},
		{"an answer", "/return?state=mine&code=x", 200, true},
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		base := "http://" + l.Addr().String()
		back, err := url.Parse(base + "/return")
		must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		came := make(chan url.Values, 1)
		go func() {
			q, _, _ := comeBackOn(ctx, l, back, time.Hour, func() (client.Pending, error) { return client.Pending{State: "mine"}, nil })
			came <- q
		}()
		resp, err := http.Get(base + row.at)
		must(t, err)
		resp.Body.Close()
		if !row.ends {
			cancel()
		}
		if q := <-came; resp.StatusCode != row.status || (q != nil) != row.ends {
			t.Errorf("%s: %d, %v", row.is, resp.StatusCode, q)
		}
		cancel()
	}
}

// follows runs a guide, and sends a person's browser where it says.
func (r *running) follows(work, guide string, send func(to string), env ...string) string {
	r.t.Helper()
	if r.back == "" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(r.t, err)
		r.back = fmt.Sprintf("http://localhost:%d/return", l.Addr().(*net.TCPAddr).Port)
		l.Close()
	}
	cmd := exec.CommandContext(r.t.Context(), "bash", "-euo", "pipefail", "-c", guide)
	cmd.Dir = work
	cmd.Env = append(os.Environ(), append(env, "PATH="+work+":"+os.Getenv("PATH"), "SERVER="+r.Base, "RETURN="+r.back,
		"OPERATOR="+filepath.Join(r.dir, "operator", "TEST-key.pem"))...)
	var out lockedBuffer
	cmd.Stdout = &out
	trouble, err := cmd.StderrPipe()
	must(r.t, err)
	must(r.t, cmd.Start())
	lines := bufio.NewScanner(trouble)
	for lines.Scan() {
		if to, ok := strings.CutPrefix(lines.Text(), "Send the person to "); ok {
			send(to)
			continue
		}
		fmt.Fprintln(&out, lines.Text())
	}
	if err := cmd.Wait(); err != nil {
		r.t.Fatalf("%v\n%s", err, out.String())
	}
	return out.String()
}

// TestREADMEPoints: what the README names is there.
func TestREADMEPoints(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range regexp.MustCompile("`((?:acl|auth|ldp|pod|cmd|fixtures|docker)\\b[\\w./-]*\\.?\\w*)`").FindAllStringSubmatch(string(text), -1) {
		if _, err := os.Stat(filepath.Join("..", "..", path[1])); err != nil {
			t.Errorf("the README names %s: %v", path[1], err)
		}
	}
}
