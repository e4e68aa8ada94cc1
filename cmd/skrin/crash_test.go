// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"skrin/ldp/client"
	"skrin/pod/credential"
)

// asDemo, in the environment, makes the test binary be the demo, so that there is
// a process to kill. Its value is the directory and the port.
const asDemo = "SKRIN_TEST_AS_DEMO"

func TestMain(m *testing.M) {
	if os.Getenv(asSkrin) == ordinary {
		fmt.Fprintln(os.Stderr, becomeOrdinary())
		os.Exit(1)
	}
	if os.Getenv(asSkrin) != "" {
		main()
		os.Exit(0)
	}
	if text := os.Getenv(asMember); text != "" {
		fmt.Fprintln(os.Stderr, serveAsMember(text))
		os.Exit(1)
	}
	if at := os.Getenv(asCrowd); at != "" {
		crowdAt(at)
	}
	if os.Getenv(asListeners) != "" {
		if err := listenAll(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if conf := os.Getenv(asUpgrade); conf != "" {
		if err := upgradeAsTold(conf); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if conf := os.Getenv(asNode); conf != "" {
		writeAsNode(conf)
	}
	dir, port := os.Getenv(asDemo), os.Getenv(asDemo+"_PORT")
	if dir == "" {
		os.Exit(m.Run())
	}
	n, err := strconv.Atoi(port)
	if err == nil {
		err = (&demoCommand{Dir: dir, Port: n}).Run(context.Background())
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// A process is a demo that can be killed.
type process struct {
	t         *testing.T
	dir, base string
	port      int
	cmd       *exec.Cmd
}

func (p *process) start() {
	p.t.Helper()
	p.cmd = exec.Command(os.Args[0])
	p.cmd.Env = append(os.Environ(), asDemo+"="+p.dir, asDemo+"_PORT="+strconv.Itoa(p.port))
	p.cmd.Stderr = os.Stderr
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	began := time.Now()
	for {
		resp, err := http.Get(p.base + "/healthz")
		if err == nil {
			resp.Body.Close()
			break
		}
		if time.Since(began) > 20*time.Second {
			p.t.Fatalf("the demo doesn't start: %v", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	p.t.Logf("started in %v", time.Since(began).Round(time.Millisecond))
}

// kill ends the process as a power cut would.
func (p *process) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// check fails unless fsck finds all as it must be in what a killed process left: also
// that the log of each pod is whole.
func (p *process) check(pods int) {
	p.t.Helper()
	key, err := demoKey(p.dir)
	must(p.t, err)
	if o := sound(p.t, config{Base: p.base, Dir: p.dir, Key: key, Demo: true, Token: time.Minute}, pods); o.Checked.Entries == 0 {
		p.t.Errorf("fsck has seen no log: %+v", o.Checked)
	}
}

// freePorts returns the first of three ports that nobody listens on.
func freePorts(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 20000 + rand.IntN(20000)
		free := true
		for i := range 3 {
			l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port+i)))
			if err != nil {
				free = false
				break
			}
			l.Close()
		}
		if free {
			return port
		}
	}
	t.Fatal("no free ports")
	return 0
}

// TestKill: the process is killed in the midst of deliveries, again and again,
// and started on the same directory, in which fsck finds nothing. All that was acknowledged is there, once;
// the person is still signed in, and the journey goes on.
func TestKill(t *testing.T) {
	p := &process{t: t, dir: t.TempDir(), port: freePorts(t)}
	p.base = fmt.Sprintf("http://localhost:%d", p.port)
	p.start()
	defer func() { p.kill() }()
	r := &running{t: t, dir: p.dir, town: &town{server: &server{config: config{Base: p.base}}}}
	for i := range 3 {
		r.origins = append(r.origins, fmt.Sprintf("http://localhost:%d", p.port+i))
	}
	b := newBrowser(t)
	r.connect(b, "Alva Lindqvist")
	r.ask(b)
	request := b.at.String()
	r.fetch(b)

	deposit := depositOf(t, p.dir)
	authority := r.party("arbetsformedlingen")
	acknowledged := map[string]string{} // location by key
	rounds := 5
	if testing.Short() {
		rounds = 2
	}
	for round := range rounds {
		for key, location := range r.deliverUntilKilled(p, authority, deposit, round) {
			acknowledged[key] = location
		}
		p.check(1)
		p.start()
	}
	if len(acknowledged) < rounds {
		t.Fatalf("only %d deliveries were acknowledged", len(acknowledged))
	}
	t.Logf("%d deliveries were acknowledged in %d lives", len(acknowledged), rounds)
	for key, location := range acknowledged {
		again, err := authority.Post(t.Context(), deposit, client.Content{Type: credential.MediaType, Body: bodies.get(key), Key: key})
		if err != nil || again.Location != location {
			t.Errorf("delivery %s was acknowledged at %s, and is now %+v, %v", key, location, again, err)
		}
	}
	b.open(request)
	b.press("Ja, dela")
	b.sees("Du uppfyller villkoret")
	p.kill()
	p.start()
	b.press("Läs igen")
	b.sees("Du uppfyller villkoret")
}

// bodies remembers what was sent under each key.
var bodies = &sent{of: map[string][]byte{}}

type sent struct {
	mu sync.Mutex
	of map[string][]byte
}

func (s *sent) put(key string, body []byte) { s.mu.Lock(); s.of[key] = body; s.mu.Unlock() }
func (s *sent) get(key string) []byte       { s.mu.Lock(); defer s.mu.Unlock(); return s.of[key] }

// deliverUntilKilled lets four workers deliver, kills the process in their
// midst, and returns what was acknowledged.
func (r *running) deliverUntilKilled(p *process, authority *client.Client, deposit string, round int) map[string]string {
	r.t.Helper()
	acknowledged := map[string]string{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				key := fmt.Sprintf("%d-%d-%d", round, worker, i)
				holders, err := authority.HolderKeys(r.t.Context(), deposit, 1)
				if err != nil {
					return // the process was killed
				}
				since := time.Now().AddDate(0, 0, -40-3000*round-700*worker-i) // no two say the same, or they would be forms of one
				form, err := credential.Issue(authority.Key, credential.Statement{
					Type: "https://af.example.se/vct/arbetsloshetsintyg/1", Issuer: r.origins[1], Issued: time.Now(), Expires: time.Now().AddDate(0, 1, 0),
					Claims: []credential.Claim{{Name: "registered", Value: true}, {Name: "registered_at_least_30_days", Value: true},
						{Name: "registration_date", Value: since.Format(time.DateOnly)}},
					HolderKey: &holders[0],
				})
				if err != nil {
					r.t.Error(err)
					return
				}
				bodies.put(key, []byte(form))
				done, err := authority.Post(r.t.Context(), deposit, client.Content{Type: credential.MediaType, Body: []byte(form), Key: key})
				if refused := new(client.Problem); errors.As(err, &refused) {
					r.t.Errorf("delivery %s is refused: %v", key, err)
					return
				}
				if err != nil {
					return // the process was killed
				}
				mu.Lock()
				acknowledged[key] = done.Location
				mu.Unlock()
			}
		})
	}
	time.Sleep(time.Duration(100+rand.IntN(400)) * time.Millisecond)
	p.kill()
	wg.Wait()
	return acknowledged
}

var depositURL = regexp.MustCompile(`http://[^"]*/w/[a-z2-7]{26}/deposit/`)

// depositOf finds where the authority deposits, in what it has noted.
func depositOf(t *testing.T, dir string) string {
	t.Helper()
	noted := map[string][]byte{}
	files(t, filepath.Join(dir, "parties", "arbetsformedlingen"), noted)
	for _, b := range noted {
		if found := depositURL.Find(b); found != nil {
			return string(found)
		}
	}
	t.Fatal("the authority has noted no address")
	return ""
}
