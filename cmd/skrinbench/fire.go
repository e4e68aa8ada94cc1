// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A shot is one request, written before the clock runs: what the generator does
// while it runs is write bytes and read bytes.
type shot struct {
	head []byte // request line, headers, empty line
	body []byte
	size int64 // of a body made of zeros that is not held in memory; body is nil
	want int   // status; 0 for any of 200 to 299

	media string // type that the answer must have; "" for any
}

// newShot writes a request. Headers are "Name: value".
func newShot(method, address string, body []byte, headers ...string) (shot, error) {
	u, err := url.Parse(address)
	if err != nil {
		return shot{}, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, u.RequestURI(), u.Host)
	for _, h := range headers {
		b.WriteString(h)
		b.WriteString("\r\n")
	}
	if body != nil {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n")
	return shot{head: b.Bytes(), body: body}, nil
}

// A volley is what many shots came to.
type volley struct {
	sent   int
	failed int           // answered otherwise than wanted, or not at all
	bad    []bool        // which
	why    string        // of the first that failed
	took   time.Duration // from the first to the last
	lasted []time.Duration
	bytes  int64 // of bodies received
}

func (v *volley) rate() float64 { return float64(v.sent-v.failed) / v.took.Seconds() }

// quantile returns how long the q slowest part took at least; q is 0.5 for the median.
func (v *volley) quantile(q float64) time.Duration {
	if len(v.lasted) == 0 {
		return 0
	}
	return v.lasted[min(int(q*float64(len(v.lasted))), len(v.lasted)-1)]
}

// fire sends shots, conns of them at once, each as soon as the answer before it is
// there. Of several nodes each gets every other shot, and the order is another for
// each of the users, who come in turn, the next time.
func fire(ctx context.Context, nodes []string, users int, shots []shot, conns int) (*volley, error) {
	return each(ctx, len(shots), conns, func() (func(int) (int64, error), func(), error) {
		var all []*conn
		end := func() {
			for _, c := range all {
				c.close()
			}
		}
		for _, address := range nodes {
			c, err := dial(address)
			if err != nil {
				end()
				return nil, nil, err
			}
			all = append(all, c)
		}
		return func(i int) (int64, error) { return all[nodeOf(i, users, len(nodes))].send(&shots[i]) }, end, nil
	})
}

// nodeOf returns which of n nodes gets the ith shot.
func nodeOf(i, users, n int) int { return (i%max(users, 1) + i/max(users, 1)) % n }

// each does n things, workers at a time, and times each. A worker is made before
// the clock runs.
func each(ctx context.Context, n, workers int, worker func() (do func(int) (int64, error), end func(), err error)) (*volley, error) {
	v := &volley{sent: n, lasted: make([]time.Duration, n), bad: make([]bool, n)}
	var next, got, failed atomic.Int64
	var first sync.Once
	var wg sync.WaitGroup
	start := make(chan struct{})
	for range min(workers, n) {
		do, end, err := worker()
		if err != nil {
			close(start)
			return nil, err
		}
		wg.Go(func() {
			defer end()
			<-start
			for ctx.Err() == nil {
				i := int(next.Add(1) - 1)
				if i >= n {
					return
				}
				began := time.Now()
				size, err := do(i)
				v.lasted[i] = time.Since(began)
				got.Add(size)
				if err != nil {
					v.bad[i] = true
					failed.Add(1)
					first.Do(func() { v.why = err.Error() })
				}
			}
		})
	}
	began := time.Now()
	close(start)
	wg.Wait()
	v.took, v.bytes, v.failed = time.Since(began), got.Load(), int(failed.Load())
	slices.Sort(v.lasted)
	return v, ctx.Err()
}

// A conn is one connection that is kept, and dialed again if the server closes it.
type conn struct {
	target *url.URL
	net.Conn
	in      *bufio.Reader
	discard []byte
	begin   []byte
	media   string // of the answer before
}

func dial(target string) (*conn, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	c := &conn{target: u, discard: make([]byte, 64<<10)}
	return c, c.open()
}

func (c *conn) open() error {
	host := c.target.Host
	if c.target.Port() == "" {
		host = net.JoinHostPort(host, map[string]string{"http": "80", "https": "443"}[c.target.Scheme])
	}
	raw, err := net.DialTimeout("tcp", host, 5*time.Second)
	if err != nil {
		return err
	}
	if c.target.Scheme == "https" {
		raw = tls.Client(raw, &tls.Config{ServerName: c.target.Hostname()})
	}
	c.Conn, c.in = raw, bufio.NewReaderSize(raw, 64<<10)
	return nil
}

func (c *conn) close() {
	if c.Conn != nil {
		c.Conn.Close()
	}
}

// patience is how long an answer may take.
const patience = 2 * time.Minute

// kept is how much of a body an error tells.
const kept = 300

// send sends a shot and reads the answer, and returns the size of its body.
func (c *conn) send(s *shot) (int64, error) {
	if c.Conn == nil {
		if err := c.open(); err != nil {
			return 0, err
		}
	}
	n, again, err := c.exchange(s)
	unwanted := new(errStatus)
	if err != nil && !errors.As(err, unwanted) || !again {
		c.close()
		c.Conn = nil
	}
	return n, err
}

func (c *conn) exchange(s *shot) (n int64, again bool, err error) {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return 0, false, err
	}
	if err := c.write(s); err != nil {
		return 0, false, err
	}
	a, err := c.header()
	if err != nil {
		return 0, false, err
	}
	status, length, again := a.status, a.length, a.again
	var from io.Reader
	switch {
	case status == 204 || status == 304 || bytes.HasPrefix(s.head, []byte("HEAD ")):
		from = strings.NewReader("")
	case length == chunked:
		from = httputil.NewChunkedReader(c.in)
	case length >= 0:
		from = io.LimitReader(c.in, length)
	default:
		from, again = c.in, false
	}
	body, n, err := c.read(from)
	if err == nil && length == chunked {
		_, err = c.in.Discard(2) // the end of the last chunk; trailers are not sent
	}
	switch {
	case err != nil:
	case s.want != 0 && status != s.want || s.want == 0 && status/100 != 2:
		err = errStatus{fmt.Errorf("status %d: %.300s", status, bytes.Join(bytes.Fields(body), []byte(" ")))} // on one line
	case s.media != "" && !strings.HasPrefix(a.media, s.media):
		err = errStatus{fmt.Errorf("the answer is %s, not %s", a.media, s.media)}
	}
	return n, again, err
}

// An errStatus is an answer that wasn't wanted.
type errStatus struct{ error }

func (c *conn) write(s *shot) error {
	if s.size == 0 {
		bufs := net.Buffers{s.head, s.body}
		_, err := bufs.WriteTo(c.Conn)
		return err
	}
	if _, err := c.Write(s.head); err != nil {
		return err
	}
	for left := s.size; left > 0; {
		n, err := c.Write(zeros[:min(left, int64(len(zeros)))])
		if err != nil {
			return err
		}
		left -= int64(n)
	}
	return nil
}

var zeros [256 << 10]byte

// chunked is the length of a body that says itself where it ends.
const chunked = -2

var errHeader = errors.New("the answer is not HTTP/1.1")

// An answer is what the head of one says.
type answer struct {
	status int
	length int64 // -1 if the connection's end is the body's
	again  bool  // whether the connection is kept
	media  string
}

// header reads the status line and the headers.
func (c *conn) header() (a answer, err error) {
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return a, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.")) {
		return a, errHeader
	}
	if a.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return a, errHeader
	}
	a.length, a.again = -1, true
	for {
		line, err = c.in.ReadSlice('\n')
		if err != nil {
			return a, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			return a, nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case len(name) == 14 && bytes.EqualFold(name, []byte("Content-Length")):
			if a.length, err = strconv.ParseInt(string(value), 10, 64); err != nil {
				return a, errHeader
			}
		case len(name) == 17 && bytes.EqualFold(name, []byte("Transfer-Encoding")):
			a.length = chunked
		case len(name) == 10 && bytes.EqualFold(name, []byte("Connection")):
			a.again = !bytes.EqualFold(value, []byte("close"))
		case len(name) == 12 && bytes.EqualFold(name, []byte("Content-Type")):
			a.media = c.intern(value)
		}
	}
}

// intern returns the string that a media type is, without making one each time.
func (c *conn) intern(value []byte) string {
	if string(value) != c.media {
		c.media = string(value)
	}
	return c.media
}

func (c *conn) read(from io.Reader) (begin []byte, n int64, err error) {
	c.begin = c.begin[:0]
	for {
		k, err := from.Read(c.discard)
		if len(c.begin) < kept {
			c.begin = append(c.begin, c.discard[:min(k, kept-len(c.begin))]...)
		}
		n += int64(k)
		if err == io.EOF {
			return c.begin, n, nil
		}
		if err != nil {
			return c.begin, n, err
		}
	}
}
