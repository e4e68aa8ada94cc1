// SPDX-License-Identifier: EUPL-1.2

// Package parcel is the file in which a whole pod leaves a server, and enters
// another: a tar file (POSIX.1-2001, pax), compressed by gzip, that any computer
// can open. It is written and read in one go, and in little memory.
//
//	head.json                 first: a [Head], from where and whose
//	README.md                 this, for people
//	pod/{path}                each resource under its path in the pod, the bytes as they were
//	                          stored, its media type in the pax record SKRIN.type; a container
//	                          is a folder, what it says of itself in SKRIN.triples (N-Triples).
//	                          A document's ACL document {path}.acl stands before it
//	evidence/{id}.json        each piece of evidence with its signed forms
//	spaces/{id}.json          the pod as each counterpart knows it
//	requests/{id}.json        what was asked of the person
//	consents/{id}.json        what was answered, with the signed record
//	grants/{space}/{id}.json  what holds because of that
//	log/{number}.jsonl        joined in this order, the exported log: see "skrin log verify"
//	seal.jwt                  last: a JWS by the server that wrote it (typ pod-archive+jwt) of a [Seal]
//
// The seal is over all that stands before it. Its digest is a SHA-256 of a line
// for each member in turn: the JSON of its [Member], a space, the hexadecimal
// SHA-256 of its bytes, and a line feed.
//
// 2026-11-22: tar, and not zip. A zip's table of contents is kept in memory while it
// is written and read, and stands at its end, so that it can't be read from a
// pipe; its members may overlap, and be named twice. We gave up that one file can
// be taken out without reading those before it.
package parcel

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"path"
	"strings"
	"time"
	"unicode/utf8"
)

// Format is the format that this package writes, and the only one it reads.
const Format = 1

// The names of the members that every archive has.
const (
	headName = "head.json"
	sealName = "seal.jwt"
)

const (
	maxName    = 4096
	maxHead    = 64 << 10
	typeKey    = "SKRIN.type"
	triplesKey = "SKRIN.triples"
)

// A Head tells from where an archive comes.
type Head struct {
	Format int    `json:"format"`
	ID     string `json:"id"`     // of this archive, random
	Base   string `json:"base"`   // the origin of the server's URLs
	Issuer string `json:"issuer"` // of the tokens of its people
	Owner  string `json:"owner"`  // the WebID
	Root   string `json:"root"`   // the path of the pod: "/name/"
	Made   string `json:"made"`   // when, RFC 3339
}

// A Member is one file or folder of an archive.
type Member struct {
	Name     string `json:"name"`              // a folder's ends with a slash
	Type     string `json:"type,omitempty"`    // media type of a resource
	Triples  string `json:"triples,omitempty"` // what a container says of itself
	Modified int64  `json:"modified"`          // seconds since 1970
	Size     int64  `json:"size"`
}

// IsFolder reports whether the member is a folder.
func (m *Member) IsFolder() bool { return strings.HasSuffix(m.Name, "/") }

// A Seal is what the server that wrote an archive has signed.
type Seal struct {
	Issuer  string `json:"iss"`
	Issued  int64  `json:"iat"`
	Members int    `json:"members"`
	Digest  string `json:"digest"` // of all members before the seal
}

// TypeSeal is the typ of a seal's JWS.
const TypeSeal = "pod-archive+jwt"

// ErrFormat is that a file is no archive, is damaged, or would do harm. What
// wraps it may be shown to whoever sent the file.
var ErrFormat = errors.New("the file is not an archive of a pod that can be read here")

func faulty(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
}

// A chain is the digest of the members so far.
type chain struct {
	all  hash.Hash
	body hash.Hash
	n    int
}

func newChain() *chain { return &chain{all: sha256.New(), body: sha256.New()} }

// end takes in a member whose bytes went to body.
func (c *chain) end(m Member) error {
	line, err := json.Marshal(m)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(c.all, "%s %x\n", line, c.body.Sum(nil)) // a hash never fails
	c.body.Reset()
	c.n++
	return nil
}

func (c *chain) seal(issuer string, at time.Time) Seal {
	return Seal{Issuer: issuer, Issued: at.Unix(), Members: c.n, Digest: hex.EncodeToString(c.all.Sum(nil))}
}

// A Writer writes an archive.
type Writer struct {
	zip   *gzip.Writer
	tar   *tar.Writer
	chain *chain
	head  Head
}

// NewWriter begins an archive on w.
func NewWriter(w io.Writer, head Head) (*Writer, error) {
	zip, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	a := &Writer{zip: zip, tar: tar.NewWriter(zip), chain: newChain(), head: head}
	a.head.Format = Format
	b, err := json.MarshalIndent(a.head, "", "\t")
	if err != nil {
		return nil, err
	}
	return a, a.AddBytes(Member{Name: headName}, b)
}

// AddBytes adds a member with these bytes.
func (a *Writer) AddBytes(m Member, body []byte) error {
	m.Size = int64(len(body))
	return a.Add(m, strings.NewReader(string(body)))
}

// Add adds a member; body yields its Size bytes.
func (a *Writer) Add(m Member, body io.Reader) error {
	h := &tar.Header{Name: m.Name, Mode: 0o600, Size: m.Size, ModTime: time.Unix(m.Modified, 0), Format: tar.FormatPAX, Typeflag: tar.TypeReg, PAXRecords: map[string]string{}}
	if m.IsFolder() {
		h.Typeflag, h.Mode = tar.TypeDir, 0o700
	}
	for key, value := range map[string]string{typeKey: m.Type, triplesKey: m.Triples} {
		if value != "" {
			h.PAXRecords[key] = value
		}
	}
	if err := a.tar.WriteHeader(h); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	if n, err := io.Copy(io.MultiWriter(a.tar, a.chain.body), body); err != nil || n != m.Size {
		return fmt.Errorf("archive: a member has %d bytes, not %d: %w", n, m.Size, errors.Join(err, io.ErrUnexpectedEOF))
	}
	return a.chain.end(m)
}

// Close seals the archive, and ends it. It doesn't close what it was written to.
func (a *Writer) Close(at time.Time, sign func(payload []byte) (string, error)) error {
	payload, err := json.Marshal(a.chain.seal(a.head.Issuer, at))
	if err != nil {
		return err
	}
	jws, err := sign(payload)
	if err != nil {
		return err
	}
	if err := a.AddBytes(Member{Name: sealName, Modified: at.Unix()}, []byte(jws)); err != nil {
		return err
	}
	return errors.Join(a.tar.Close(), a.zip.Close())
}

// Limits bound what an archive may hold.
type Limits struct {
	Members int   // 0 for 10 millions
	Bytes   int64 // of all members, and what stands between them; 0 for 1 TiB
	Member  int64 // of one; 0 for 1 TiB
}

func (l Limits) orStandard() Limits {
	if l.Members == 0 {
		l.Members = 10_000_000
	}
	if l.Bytes == 0 {
		l.Bytes = 1 << 40
	}
	if l.Member == 0 {
		l.Member = 1 << 40
	}
	return l
}

// A Reader reads an archive that anybody may have made. Names are relative and
// lead nowhere else, nothing is a link, no member is named like a folder above it,
// and what it takes is bounded.
type Reader struct {
	Head Head

	limits Limits
	bytes  *bounded
	tar    *tar.Reader
	chain  *chain
	now    *Member
	jws    string
}

// bounded is an error after so many bytes.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, faulty("it is larger than what is allowed here")
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// NewReader begins to read an archive.
func NewReader(r io.Reader, limits Limits) (*Reader, error) {
	zip, err := gzip.NewReader(r)
	if err != nil {
		return nil, faulty("it is not compressed by gzip")
	}
	zip.Multistream(false)
	a := &Reader{limits: limits.orStandard(), chain: newChain()}
	a.bytes = &bounded{zip, a.limits.Bytes}
	a.tar = tar.NewReader(a.bytes)
	m, err := a.Next()
	if err != nil || m.Name != headName || m.Size > maxHead {
		return nil, errors.Join(faulty("it doesn't begin with %s", headName), err)
	}
	b, err := io.ReadAll(a)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &a.Head); err != nil {
		return nil, faulty("%s is not of the form of one", headName)
	}
	if a.Head.Format != Format {
		return nil, faulty("it has format %d, and this program reads %d", a.Head.Format, Format)
	}
	return a, nil
}

// Next goes to the next member. io.EOF is that the seal has been read, and
// nothing comes after it; an archive that was cut off is ErrFormat.
func (a *Reader) Next() (*Member, error) {
	if err := a.finish(); err != nil {
		return nil, err
	}
	h, err := a.tar.Next()
	switch {
	case errors.Is(err, io.EOF):
		return nil, faulty("its end was cut off")
	case err != nil:
		return nil, a.fault(err)
	}
	m, err := a.member(h)
	if err != nil {
		return nil, err
	}
	if m.Name != sealName {
		a.now = m
		return m, nil
	}
	b, err := io.ReadAll(io.LimitReader(a.tar, maxHead))
	if err != nil {
		return nil, a.fault(err)
	}
	a.jws = string(b)
	if _, err := a.tar.Next(); !errors.Is(err, io.EOF) {
		return nil, faulty("something stands after the seal")
	}
	return nil, io.EOF
}

// fault turns an error of the formats into one that may be shown.
func (a *Reader) fault(err error) error {
	if errors.Is(err, ErrFormat) {
		return err
	}
	return faulty("it is damaged, or was cut off")
}

// finish reads the rest of the member before.
func (a *Reader) finish() error {
	if a.now == nil {
		return nil
	}
	if _, err := io.Copy(io.Discard, a); err != nil {
		return err
	}
	m := *a.now
	a.now = nil
	return a.chain.end(m)
}

// member checks a header.
func (a *Reader) member(h *tar.Header) (*Member, error) {
	m := &Member{Name: h.Name, Type: h.PAXRecords[typeKey], Triples: h.PAXRecords[triplesKey], Modified: h.ModTime.Unix(), Size: h.Size}
	for key := range maps.Keys(h.PAXRecords) {
		if strings.HasPrefix(key, "GNU.") {
			return nil, faulty("a member has holes")
		}
	}
	clean := path.Clean(m.Name)
	if m.IsFolder() {
		clean += "/"
	}
	switch {
	case a.chain.n >= a.limits.Members:
		return nil, faulty("it has more than the %d members that are allowed here", a.limits.Members)
	case h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeDir || (h.Typeflag == tar.TypeDir) != m.IsFolder():
		return nil, faulty("a member is neither a file nor a folder")
	case m.Name != clean || path.IsAbs(clean) || clean == "./" || clean == "." || clean == ".." || strings.HasPrefix(clean, "../") ||
		len(clean) > maxName || !utf8.ValidString(clean) || strings.ContainsAny(clean, "\x00\\"):
		return nil, faulty("a member's name leads out of it")
	case m.Size < 0 || m.Size > a.limits.Member || m.IsFolder() && m.Size != 0:
		return nil, faulty("a member is larger than what is allowed here")
	}
	return m, nil
}

// Read reads the member that Next went to.
func (a *Reader) Read(p []byte) (int, error) {
	if a.now == nil {
		return 0, io.EOF
	}
	n, err := a.tar.Read(p)
	_, _ = a.chain.body.Write(p[:n]) // a hash never fails
	if err != nil && !errors.Is(err, io.EOF) {
		err = a.fault(err)
	}
	return n, err
}

// Seal returns the JWS of the seal, after Next has returned io.EOF.
func (a *Reader) Seal() string { return a.jws }

// Check holds the seal against what was read, after Next has returned io.EOF.
// check verifies the JWS and returns its payload; the seal must be by the server
// that the head names.
func (a *Reader) Check(check func(jws string) ([]byte, error)) (Seal, error) {
	var s Seal
	payload, err := check(a.jws)
	if err != nil {
		return s, fmt.Errorf("the seal: %w", err)
	}
	if err := json.Unmarshal(payload, &s); err != nil {
		return s, faulty("its seal is not of the form of one")
	}
	if s != a.chain.seal(a.Head.Issuer, time.Unix(s.Issued, 0)) {
		return s, faulty("it is not what was sealed")
	}
	return s, nil
}
