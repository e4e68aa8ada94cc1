// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// certified is the host of the base URL of newShell.
const certified = "pod.example.se"

// TestACME: an authority that speaks ACME (Pebble, by Let's Encrypt) certifies the host
// of the base URL when somebody first connects to it, after it has asked the server
// there for proof; no other host; and the certificate is kept over a restart.
func TestACME(t *testing.T) {
	s := newShell(t)
	ca := newCertifier(t, s.port, s.port+1)
	f, err := os.OpenFile(filepath.Join(s.dir, "skrin.yaml"), os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = fmt.Fprintf(f, "redirect: 127.0.0.1:%d\ntls:\n  acme: %s\n", s.port+1, ca.directory)
	must(t, err)
	must(t, f.Close())
	serve := func() (end func()) {
		cmd := s.command(context.WithoutCancel(t.Context()), "serve --config skrin.yaml")
		cmd.Env, cmd.Stderr = append(cmd.Env, "SSL_CERT_FILE="+ca.trusted), os.Stderr
		must(t, cmd.Start())
		until(t, "plain http is sent on", func() bool {
			c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			resp, err := c.Get(fmt.Sprintf("http://127.0.0.1:%d/x?y", s.port+1))
			if err != nil {
				return false
			}
			resp.Body.Close()
			return resp.StatusCode == 301 && resp.Header.Get("Location") == "https://"+certified+"/x?y"
		})
		return func() {
			must(t, cmd.Process.Signal(syscall.SIGTERM))
			must(t, cmd.Wait())
		}
	}
	connect := func(host string) (*x509.Certificate, error) {
		conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 30 * time.Second}, "tcp", fmt.Sprintf("127.0.0.1:%d", s.port), &tls.Config{ServerName: host, RootCAs: ca.roots(t)})
		if err != nil {
			return nil, err
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0], nil
	}
	end := serve()
	first, err := connect(certified)
	if err != nil {
		end()
		t.Fatalf("no certificate: %v", err)
	}
	if _, err := connect("other.example.se"); err == nil {
		t.Error("a host that isn't the base URL's is certified")
	}
	end()
	roots := ca.roots(t)
	ca.end()
	ca.known = roots
	end = serve()
	defer end()
	if again, err := connect(certified); err != nil || !again.Equal(first) {
		t.Errorf("after a restart, without the authority: %v", err)
	}
}

// A certifier is an ACME server that runs.
type certifier struct {
	directory string         // the URL of its directory
	trusted   string         // file with what certifies itself
	manage    string         // its address for whoever runs it
	known     *x509.CertPool // what it certifies by; nil while it can be asked
	end       func()
}

// newCertifier starts Pebble, which looks for the hosts that it certifies on this
// machine: for https at one port, for http at another.
func newCertifier(t *testing.T, https, http int) *certifier {
	t.Helper()
	program, err := filepath.Glob(filepath.Join("..", "..", "bin", "pebble-v*"))
	must(t, err)
	if len(program) == 0 {
		if os.Getenv("SKRIN_TEST_ALL") != "" {
			t.Fatal("no Pebble: make deps")
		}
		t.Skip("no Pebble: make deps")
	}
	dir, port := t.TempDir(), freePorts(t)
	own := writeCertificate(t, dir, 1)
	c := &certifier{directory: fmt.Sprintf("https://localhost:%d/dir", port), trusted: own.Cert, manage: fmt.Sprintf("127.0.0.1:%d", port+1)}
	config := filepath.Join(dir, "pebble.json")
	write(t, config, map[string]any{"pebble": map[string]any{
		"listenAddress": fmt.Sprintf("127.0.0.1:%d", port), "managementListenAddress": c.manage,
		"certificate": own.Cert, "privateKey": own.Key, "httpPort": http, "tlsPort": https,
	}})
	cmd := exec.Command(program[0], "-config", config, "-dnsserver", localNames(t))
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1")
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	must(t, cmd.Start())
	ended := false
	c.end = func() {
		if !ended {
			ended = true
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	t.Cleanup(func() {
		c.end()
		if t.Failed() {
			t.Logf("Pebble: %s", said.String())
		}
	})
	return c
}

// roots returns what it certifies by: another for each run.
func (c *certifier) roots(t *testing.T) *x509.CertPool {
	t.Helper()
	if c.known != nil {
		return c.known
	}
	pool := x509.NewCertPool()
	asker := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // it is on this machine
	until(t, "the authority tells its root", func() bool {
		resp, err := asker.Get("https://" + c.manage + "/roots/0")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		return err == nil && pool.AppendCertsFromPEM(text)
	})
	return pool
}

// localNames starts a name server by which every host is on this machine, and returns
// its address. It answers over TCP (RFC 7766): each message is preceded by its length.
func localNames(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			_ = answerName(conn) // whoever asked asks again
			_ = conn.Close()
		}
	}()
	return l.Addr().String()
}

// answerName answers one question.
func answerName(conn net.Conn) error {
	length := make([]byte, 2)
	if _, err := io.ReadFull(conn, length); err != nil {
		return err
	}
	text := make([]byte, binary.BigEndian.Uint16(length))
	if _, err := io.ReadFull(conn, text); err != nil {
		return err
	}
	var m dnsmessage.Message
	if err := m.Unpack(text); err != nil {
		return err
	}
	m.Response, m.Authoritative, m.Additionals = true, true, nil
	if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
		m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1}, Body: &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}}}}
	}
	text, err := m.Pack()
	if err != nil {
		return err
	}
	_, err = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(text))), text...))
	return err
}
