// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/auth/dpop"
	"skrin/auth/login"
	"skrin/ldp/client"
	"skrin/pod/credential"
	"skrin/pod/podtest"
)

// asSkrin, in the environment, makes the test binary the program.
const asSkrin = "SKRIN_TEST_AS_SKRIN"

// A machine is what docker-compose.yml starts, on loopback: its nodes' processes, with
// the commands that it says, in front of them a proxy that ends TLS.
type machine struct {
	t     *testing.T
	base  string
	nodes []*exec.Cmd
	ports []string
	args  [][]string
	env   []string
	proxy *httptest.Server

	answered sync.Map // how many requests, as an *atomic.Int64, by port
}

// here turns an argument of the compose file into one for this machine. What it
// names and isn't known here fails the test.
func here(t *testing.T, arg string, known map[string]string) string {
	t.Helper()
	arg = regexp.MustCompile(`\$\{[A-Z0-9_]+:-(.*)\}`).ReplaceAllString(arg, "$1")
	flag, value, ok := strings.Cut(arg, "=")
	if !ok {
		return arg
	}
	if to, ok := known[value]; ok {
		return flag + "=" + to
	}
	if strings.ContainsAny(value, "/$") && flag != "--base" {
		t.Errorf("the compose file says %s, of which this test knows nothing", arg)
	}
	return arg
}

func newMachine(t *testing.T, known, secrets map[string]string) *machine {
	t.Helper()
	file := readCompose(t)
	m := &machine{t: t}
	for name, value := range secrets {
		if _, ok := file.Services["skrin1"].Environment[name]; !ok {
			t.Errorf("the compose file doesn't set %s", name)
		}
		m.env = append(m.env, name+"="+value)
	}
	for _, name := range []string{"skrin1", "skrin2"} {
		port := strconv.Itoa(freePorts(t))
		known["0.0.0.0:8080"] = "127.0.0.1:" + port
		var args []string
		for _, arg := range file.Services[name].Command {
			args = append(args, here(t, arg, known))
			if base, ok := strings.CutPrefix(args[len(args)-1], "--base="); ok {
				m.base = base
			}
		}
		m.args, m.ports, m.nodes = append(m.args, args), append(m.ports, port), append(m.nodes, nil)
	}
	return m
}

// start starts a node and waits until it is ready.
func (m *machine) start(i int) {
	m.t.Helper()
	cmd := exec.Command(os.Args[0], m.args[i]...)
	cmd.Env = append(append(os.Environ(), asSkrin+"=1"), m.env...)
	var said strings.Builder
	cmd.Stderr = &said
	must(m.t, cmd.Start())
	m.nodes[i] = cmd
	if err := m.ready(i); err != nil {
		m.kill(i)
		m.t.Fatalf("node %d is not ready: %v\n%s", i, err, said.String())
	}
}

// ready waits until a node is ready, by the compose file's own check.
func (m *machine) ready(i int) (err error) {
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err = (&readyCommand{URL: "http://127.0.0.1:" + m.ports[i] + "/readyz"}).Run(m.t.Context()); err == nil {
			return nil
		}
	}
	return err
}

// kill ends a node as a power cut would.
func (m *machine) kill(i int) {
	if m.nodes[i] != nil {
		_ = m.nodes[i].Process.Kill()
		_ = m.nodes[i].Wait()
	}
	m.nodes[i] = nil
}

// balance returns what asks the nodes in turn, the next one where one can't be
// reached, and says who asks and by what scheme.
func (m *machine) balance() http.Handler {
	var next atomic.Int64
	dial := func() *http.Transport { return &http.Transport{MaxIdleConnsPerHost: 32} }
	return &httputil.ReverseProxy{
		ErrorLog: log.New(io.Discard, "", 0),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", "127.0.0.1:"+m.ports[int(next.Add(1))%len(m.ports)]
			r.Out.Host = r.In.Host
			r.SetXForwarded()
		},
		Transport: &nextNode{dial(), m},
		ModifyResponse: func(r *http.Response) error {
			n, _ := m.answered.LoadOrStore(r.Request.URL.Port(), new(atomic.Int64))
			n.(*atomic.Int64).Add(1)
			return nil
		},
	}
}

// front starts the proxy.
func (m *machine) front() {
	m.proxy = httptest.NewUnstartedServer(m.balance())
	files := writeCertificate(m.t, m.t.TempDir(), 7)
	cert, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	must(m.t, err)
	m.proxy.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	m.proxy.StartTLS()
	m.t.Cleanup(m.proxy.Close)
}

// A nextNode asks another node where one can't be reached, for as long as the
// compose file's proxy does.
type nextNode struct {
	http.RoundTripper
	m *machine
}

// RoundTrip implements http.RoundTripper.
func (n *nextNode) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
		for _, port := range n.m.ports {
			resp, err = n.RoundTripper.RoundTrip(r)
			if err == nil || !errors.Is(err, syscall.ECONNREFUSED) {
				return resp, err
			}
			r.URL.Host = "127.0.0.1:" + port
		}
	}
	return resp, err
}

// http returns what reaches the proxy by the names of the machine.
func (m *machine) http() *http.Client {
	roots := x509.NewCertPool()
	cert, err := x509.ParseCertificate(m.proxy.TLS.Certificates[0].Certificate[0])
	must(m.t, err)
	roots.AddCert(cert)
	address := strings.TrimPrefix(m.proxy.URL, "https://")
	dialer := tls.Dialer{NetDialer: new(net.Dialer), Config: &tls.Config{RootCAs: roots, ServerName: "skrin.localhost"}}
	return &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DialTLSContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, address)
	}}}
}

// client returns the client of somebody at this machine.
func (m *machine) client(id, secret string, key jose.JSONWebKey) *client.Client {
	proofs, err := dpop.NewKey()
	must(m.t, err)
	return &client.Client{HTTP: m.http(), Issuer: m.base, ID: id, Secret: secret, Key: key, DPoP: proofs, Now: time.Now}
}

// TestTopology: the two nodes of docker-compose.yml, as processes with the command
// that it gives them, behind a proxy that ends TLS, on a PostgreSQL and an S3 server.
// A person's app writes, small and large, and a consumer reads what was granted,
// while one node is killed and then the other. What was acknowledged is there, read
// by way of either node; and fsck finds nothing.
func TestTopology(t *testing.T) {
	db, s3 := podtest.NewPostgres(t), podtest.NewS3(t)
	k := clusterOf(t, db, s3)
	k.PostgresKeys = ""
	dir := t.TempDir()
	folder := func(name string) string {
		must(t, os.MkdirAll(filepath.Join(dir, name), 0o700))
		return filepath.Join(dir, name)
	}
	must(t, os.WriteFile(filepath.Join(dir, "master.key"), []byte(newKey(false)), 0o600))
	key, err := readKey(filepath.Join(dir, "master.key"), false)
	must(t, err)
	m := newMachine(t, map[string]string{
		"/data": folder("data"), "/run/secrets/master.key": filepath.Join(dir, "master.key"), "/parties": folder("parties"), "/eids": folder("eids"),
		"postgres://skrin@database/skrin?sslmode=disable": k.Postgres, "http://bucket:9000/skrin": k.S3,
	}, map[string]string{"SKRIN_S3_ACCESS_KEY": k.S3Access, "SKRIN_S3_SECRET_KEY": k.S3Secret, "SKRIN_POSTGRES_PASSWORD": "none is asked for"})
	told := furnishMachine(t, config{Base: m.base, Dir: t.TempDir(), Key: key, Demo: true, Token: time.Minute, keep: k}, dir)

	m.front()
	for i := range m.nodes {
		m.start(i)
		defer func() { m.kill(i) }()
	}
	var acknowledged sync.Map
	var count atomic.Int64
	stop := make(chan struct{})
	var load sync.WaitGroup
	for w, p := range told.People {
		app := m.client(p.ID, p.Secret, jose.JSONWebKey{})
		load.Go(func() { m.writes(app, p.Pod, w, stop, &acknowledged, &count) })
	}
	consumer := m.client(told.Consumer.ID, "", told.Consumer.Key)
	reads := 0
	more := func() {
		t.Helper()
		for from, end := count.Load(), time.Now().Add(40*time.Second); count.Load() < from+12; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("nothing more is acknowledged")
			}
		}
		if _, err := consumer.Get(t.Context(), told.People[0].Evidence, credential.MediaType); err == nil {
			reads++
		}
	}
	for i := range m.nodes {
		more()
		m.kill(i)
		more() // by the other
		m.start(i)
	}
	more()
	close(stop)
	load.Wait()
	if reads < 3 {
		t.Errorf("the consumer has read %d times of 5", reads)
	}
	m.finds(told.People, &acknowledged)
	t.Logf("%d writes were acknowledged", count.Load())
	for i := range m.nodes {
		m.kill(i)
	}
	sound(t, config{Base: m.base, Dir: t.TempDir(), Key: key, Demo: true, Token: time.Minute, keep: k}, len(told.People))
}

// furnishMachine makes people, and registers the consumer where nodes look.
func furnishMachine(t *testing.T, c config, dir string) *stage {
	t.Helper()
	stages := &stageCommand{People: 3}
	for i := range stages.People {
		c.Cast = append(c.Cast, login.Persona{Name: fmt.Sprint("Person ", i), Scheme: stageScheme, Number: fmt.Sprintf("%09d", i)})
	}
	s, err := newServer(t.Context(), c, slog.New(slog.DiscardHandler))
	must(t, err)
	told, err := stages.furnish(t.Context(), s)
	must(t, errors.Join(err, s.Close()))
	f, err := registrationOf(t, "exempel-forsakring")
	must(t, err)
	f.Keys = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{told.Consumer.Key.Public()}}
	text, err := json.Marshal(f)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "parties", "insurer.json"), text, 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "eids", "a.json"), []byte(`{"id":"x","name":"X","issuer":"https://x.example","client_id":"x","client_secret":"TEST","profile":"generic","scheme":"oidc:x"}`), 0o600))
	return told
}

// machineBody is what a writer writes: each seventh is too large for the database.
func machineBody(w, n int) string {
	if n%7 == 3 {
		return strings.Repeat(fmt.Sprintf("%d-%d;", w, n), 40_000)
	}
	return fmt.Sprintf("%d-%d", w, n)
}

// writes has an app write new documents until stop is closed.
func (m *machine) writes(app *client.Client, root string, w int, stop chan struct{}, acknowledged *sync.Map, count *atomic.Int64) {
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		default:
		}
		url := fmt.Sprintf("%snotes/%d.txt", root, n)
		if _, err := app.Put(m.t.Context(), url, client.Content{Type: "text/plain", Body: []byte(machineBody(w, n))}); err != nil {
			time.Sleep(5 * time.Millisecond) // it may have been done, and may not
			continue
		}
		acknowledged.Store(url, machineBody(w, n))
		count.Add(1)
	}
}

// finds reads all that was acknowledged.
func (m *machine) finds(people []stagePerson, acknowledged *sync.Map) {
	for _, p := range people {
		app := m.client(p.ID, p.Secret, jose.JSONWebKey{})
		acknowledged.Range(func(url, body any) bool {
			if !strings.HasPrefix(url.(string), p.Pod) {
				return true
			}
			res, err := app.Get(m.t.Context(), url.(string), "")
			if err != nil || string(res.Body) != body.(string) {
				m.t.Errorf("%s was acknowledged, and is %v", url, err)
			}
			return true
		})
	}
}
