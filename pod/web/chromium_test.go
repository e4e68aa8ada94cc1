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
)

// TestChromiumStates shows every page in every state in a real browser: what axe, the
// HTML standard and the driver in fixtures/browser say of it.
func TestChromiumStates(t *testing.T) {
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
	b := newBench(t)
	stranger := map[string]bool{}
	var paths []string
	for _, c := range every {
		if c.form == nil && !strings.Contains(c.path, "known-app") { // which goes on by itself
			paths, stranger[c.path] = append(paths, c.path), c.stranger
		}
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
