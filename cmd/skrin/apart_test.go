// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"
	"time"

	"skrin/acl"
)

// hostile tries what a program on a person's pages could do, and tells whether it
// ran.
const hostile = `<!doctype html><title>quiet</title><p id="what">nothing ran</p><img src="data:," onerror="ran('an image')">
<script>
function ran(what) { document.title = "ran"; document.getElementById("what").textContent = what + " " + document.cookie; }
ran("a script");
fetch("/me/").then(r => r.text()).then(ran);
</script>`

const hostileSVG = `<svg xmlns="http://www.w3.org/2000/svg"><title>quiet</title><script>document.querySelector("title").textContent = "ran"; fetch("/me/")</script></svg>`

// newApart is a world with a pod origin, and hostile content in what everybody
// may read.
func newApart(t *testing.T) *world {
	t.Helper()
	w := newWorldOf(t, func(c *config) { c.Apart = strings.Replace(c.Base, "localhost", "127.0.0.1", 1) })
	w.put("/public/page.html", "text/html", hostile)
	w.put("/public/picture.svg", "image/svg+xml", hostileSVG)
	w.put("/public/frame.html", "text/html", `<!doctype html><title>quiet</title><iframe src="page.html"></iframe>`)
	w.put("/private.html", "text/html", hostile)
	w.allow("/public/", grant{w.owner.ID, "RWC", "RWC"}, grant{acl.Public, "R", "R"})
	return w
}

// TestApart: a browser that is signed in never sees content of a pod on the origin
// of the pages, nor its cookies go to the origin of the content; and Solid clients
// don't notice.
func TestApart(t *testing.T) {
	w := newApart(t)
	jar, err := cookiejar.New(nil)
	must(t, err)
	var asked []*http.Request
	b := newBrowser(t)
	b.client.Jar = jar
	b.client.Transport = recording{func(r *http.Request, resp *http.Response) {
		asked = append(asked, r)
		for _, c := range resp.Cookies() {
			if c.Domain != "" {
				t.Errorf("the cookie %s is for all of %s", c.Name, c.Domain)
			}
			if r.URL.Host != strings.TrimPrefix(w.Base, "http://") {
				t.Errorf("%s sets the cookie %s", r.URL, c.Name)
			}
		}
	}}
	b.open(w.Base + "/me/")
	b.signIn("Alva")
	b.open(w.Base + "/me/")
	if c := asked[len(asked)-1].Header.Get("Cookie"); c == "" {
		t.Fatal("the browser isn't signed in")
	}

	for _, row := range []struct {
		says, at, dest string
		status         int
		sent           bool // to the pod origin
		attached       bool
	}{
		{"a page is shown apart", "/public/page.html", "document", 200, true, false},
		{"a frame too", "/public/page.html", "iframe", 200, true, false},
		{"a picture that is a program", "/public/picture.svg", "image", 200, true, false},
		{"an old browser saves it", "/public/page.html", "", 200, false, true},
		{"a program of the same origin saves it", "/public/page.html", "empty", 200, false, true},
		{"a container is shown apart", "/public/", "document", 200, true, false},
		{"a session is no right to a pod", "/private.html", "document", 401, true, false},
		{"also where no browser tells", "/private.html", "", 401, false, false},
	} {
		t.Run(row.says, func(t *testing.T) {
			asked = nil
			req, err := http.NewRequest("GET", w.Base+string(w.id(row.at)), nil)
			must(t, err)
			if row.dest != "" {
				req.Header.Set("Sec-Fetch-Dest", row.dest)
			}
			resp, err := b.client.Do(req)
			must(t, err)
			resp.Body.Close()
			last := asked[len(asked)-1]
			if resp.StatusCode != row.status || (last.URL.Host == strings.TrimPrefix(w.Apart, "http://")) != row.sent {
				t.Errorf("%s answers %d", last.URL, resp.StatusCode)
			}
			if row.sent && last.Header.Get("Cookie") != "" {
				t.Errorf("%s is sent the cookie %s", last.URL, last.Header.Get("Cookie"))
			}
			if attached := resp.Header.Get("Content-Disposition") == "attachment"; attached != row.attached {
				t.Errorf("attachment: %v", attached)
			}
			if csp := resp.Header.Get("Content-Security-Policy"); resp.StatusCode == 200 && !strings.Contains(csp, "default-src 'none'") {
				t.Errorf("Content-Security-Policy: %s", csp)
			}
			if resp.StatusCode == 200 && resp.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Error("a browser may guess what it is")
			}
		})
	}

	there := *w
	there.server = &server{config: w.config}
	there.Base = w.Apart
	for _, row := range []struct {
		says, method, path string
		who                *person
		status             int
	}{
		{"no page of a person's is there", "GET", "/me/", nil, 401},
		{"nor where to sign in", "POST", "/me/sign-in/demo", nil, 308},
		{"nor the OpenID provider", "GET", "/.oidc/authorize", nil, 401},
		{"nor its keys", "GET", "/.well-known/openid-configuration", nil, 401},
		{"nor the registry", "GET", "/.parties/", nil, 401},
		{"nor the way to the pages", "GET", "/", nil, 401},
		{"what everybody may read is", "GET", string(w.id("/public/page.html")), nil, 200},
		{"who shows a token is sent back", "GET", string(w.id("/private.html")), w.alice, 308},
		{"so is a write", "DELETE", string(w.id("/public/page.html")), nil, 308},
	} {
		t.Run(row.says, func(t *testing.T) {
			req, err := http.NewRequest(row.method, w.Apart+row.path, nil)
			must(t, err)
			a := there.send(row.who, req)
			if a.StatusCode != row.status || row.status == 308 && a.Header.Get("Location") != w.Base+row.path {
				t.Errorf("%d to %s: %s", a.StatusCode, a.Header.Get("Location"), a.body)
			}
			if a.Header.Get("Set-Cookie") != "" {
				t.Error("it sets a cookie")
			}
		})
	}

	w.run([]row{
		{"a Solid client does not notice: it writes", "PUT x.ttl alice" + asTurtle + "<> <urn:a> 1.", 201, []string{"Location: $x.ttl"}, nil},
		{"reads", "GET x.ttl alice", 200, []string{"body ~ urn:a", "Link ~ <$x.ttl.acl>"}, []string{"PUT x.ttl alice" + asTurtle + "<> <urn:a> 1."}},
		{"from a script in a browser", "GET doc.ttl alice\nOrigin: https://app.example\nSec-Fetch-Dest: empty", 200, []string{"Access-Control-Allow-Origin: https://app.example"}, nil},
	})
}

// recording tells seen of every exchange.
type recording struct {
	seen func(*http.Request, *http.Response)
}

func (r recording) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err == nil {
		r.seen(req, resp)
	}
	return resp, err
}

// TestApartInChromium: hostile content of a pod, in a real browser that is signed
// in.
func TestApartInChromium(t *testing.T) {
	if testing.Short() {
		t.Skip("a real browser takes its time")
	}
	needBrowser(t)
	w := newApart(t)
	root := string(w.root)
	driveAt(t, time.Minute, []string{w.Base, w.Apart, w.Apart}, nil, "apart.mjs", root+"public/", root+"private.html")
}

// TestPodOrigin: what is no origin of its own is none.
func TestPodOrigin(t *testing.T) {
	for _, row := range []struct {
		says, apart string
		demo, ok    bool
	}{
		{"another host", "https://skrin-data.example", false, true},
		{"none", "", false, true},
		{"the same host", "https://pod.example.se", false, false},
		{"the same host, by another port", "https://pod.example.se:8443", false, false},
		{"in capitals", "https://POD.example.se", false, false},
		{"with a path", "https://skrin-data.example/", false, false},
		{"plain http", "http://skrin-data.example", false, false},
		{"no URL", "skrin-data.example", false, false},
	} {
		t.Run(row.says, func(t *testing.T) {
			c := config{Base: "https://pod.example.se", Apart: row.apart, Dir: "x", Key: make([]byte, keySize)}
			if err := c.check(); (err == nil) != row.ok {
				t.Errorf("%v", err)
			}
		})
	}
}
