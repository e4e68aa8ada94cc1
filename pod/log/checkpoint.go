// SPDX-License-Identifier: EUPL-1.2

package log

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"skrin/pod/vouch"
)

// Checkpoints (2026-11-22). The end of an exported log is signed as a note
// (golang.org/x/mod/sumdb/note) in the form of C2SP's tlog-checkpoint:
//
//	pod.example.se/me/log                          where the log is
//	1042                                           how many entries it has
//	qINS1GRFhWHwdkUeqLEoP4yEMkTBBzxBkGwGQlVlVcs=   the root of the tree (RFC 6962) of their lines
//	chain 71be…                                    the hash of the last entry
//	issued 2026-11-21T10:04:31Z
//
//	— pod.example.se/me/log 4sHr2mV5Sm…
//
// The signature is a detached JWS (ES256, typ log-checkpoint+jwt) with the key that
// the server publishes and rotates for all that it signs, and not an Ed25519 key of
// the log's own: one key less to keep. So a witness must know this kind of
// signature; its key hash is of the name and jwsKind.
//
// The tree is made when a log is exported or verified, and not stored: a read
// appends to the chain alone. We gave up proofs of one entry without the others,
// which a log with one reader, who has all of it, has no use for.

// A Checkpoint tells how long a log was, and the hashes that commit to all of it.
type Checkpoint struct {
	Origin string // where the log is: the server's URL without its scheme, and /me/log
	Issued time.Time
	Seq    uint64
	Head   string // Hash of entry Seq; "" for an empty log
	Root   string // of the tree, in base64
}

// TypeCheckpoint is the typ of the JWS that signs a checkpoint.
const TypeCheckpoint = "log-checkpoint+jwt"

// jwsKind is what makes a note's signature one of ours.
const jwsKind = "\xffskrin detached JWS"

// text is what is signed.
func (c Checkpoint) text() string {
	return fmt.Sprintf("%s\n%d\n%s\nchain %s\nissued %s\n", c.Origin, c.Seq, c.Root, c.Head, c.Issued.UTC().Format(time.RFC3339))
}

// parseCheckpoint reads what text wrote, and nothing else.
func parseCheckpoint(text string) (c Checkpoint, err error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 6 {
		return c, errors.New("it is not of the form of one")
	}
	c.Origin, c.Root = lines[0], lines[2]
	c.Head = strings.TrimPrefix(lines[3], "chain ")
	c.Seq, err = strconv.ParseUint(lines[1], 10, 64)
	if err == nil {
		c.Issued, err = time.Parse(time.RFC3339, strings.TrimPrefix(lines[4], "issued "))
	}
	if err != nil || c.text() != text {
		return Checkpoint{}, errors.New("it is not of the form of one")
	}
	return c, nil
}

// SignCheckpoint returns c as a signed note.
func SignCheckpoint(ctx context.Context, c Checkpoint, by vouch.Signer) (string, error) {
	signed, err := note.Sign(&note.Note{Text: c.text()}, noteSigner{by, ctx, c.Origin})
	return string(signed), err
}

// openCheckpoint returns what a signed note says, if check finds that its JWS is
// good. It takes one signature, and one way to write it.
func openCheckpoint(signed string, check func(jws string) ([]byte, error)) (Checkpoint, error) {
	origin, _, _ := strings.Cut(signed, "\n")
	v := &noteVerifier{name: origin, check: check}
	n, err := note.Open([]byte(signed), note.VerifierList(v))
	switch {
	case v.why != nil:
		return Checkpoint{}, v.why
	case err != nil || len(n.Sigs) != 1 || len(n.UnverifiedSigs) != 0:
		return Checkpoint{}, errors.New("it is not a note with one signature, by who keeps the log")
	}
	if signed != n.Text+"\n— "+origin+" "+base64.StdEncoding.EncodeToString(v.sig)+"\n" {
		return Checkpoint{}, errors.New("it is not in the form that it was signed in")
	}
	return parseCheckpoint(n.Text)
}

func noteKeyHash(name string) uint32 {
	sum := sha256.Sum256([]byte(name + "\n" + jwsKind))
	return binary.BigEndian.Uint32(sum[:])
}

// A noteSigner signs notes with the key of by.
type noteSigner struct {
	By   vouch.Signer
	ctx  context.Context // of the one call of note.Sign, which takes none
	name string
}

func (s noteSigner) Name() string    { return s.name }
func (s noteSigner) KeyHash() uint32 { return noteKeyHash(s.name) }

// Sign implements note.Signer.
func (s noteSigner) Sign(msg []byte) ([]byte, error) {
	jws, err := s.By.Sign(s.ctx, TypeCheckpoint, msg)
	if err != nil {
		return nil, err
	}
	parts := strings.Split(jws, ".")
	if len(parts) != 3 {
		return nil, errors.New("the signature is not a compact JWS")
	}
	return []byte(parts[0] + ".." + parts[2]), nil
}

// A noteVerifier verifies one note, and keeps its signature, and why that was
// refused.
type noteVerifier struct {
	name  string
	check func(jws string) ([]byte, error)
	sig   []byte
	why   error
}

func (v *noteVerifier) Name() string    { return v.name }
func (v *noteVerifier) KeyHash() uint32 { return noteKeyHash(v.name) }

// Verify implements note.Verifier.
func (v *noteVerifier) Verify(msg, sig []byte) bool {
	header, signature, ok := strings.Cut(string(sig), "..")
	if !ok {
		return false
	}
	payload, err := v.check(header + "." + base64.RawURLEncoding.EncodeToString(msg) + "." + signature)
	hash := binary.BigEndian.AppendUint32(nil, v.KeyHash())
	v.sig, v.why = append(hash, sig...), err
	return err == nil && string(payload) == string(msg)
}

// A Tree is a Merkle tree (RFC 6962, section 2.1) that grows at its end. It keeps
// the roots of its whole subtrees, the largest first.
type Tree struct {
	size  uint64
	roots []tlog.Hash
}

// Add adds a line.
func (t *Tree) Add(line []byte) {
	h := tlog.RecordHash(line)
	t.size++
	for n := t.size; n%2 == 0; n /= 2 {
		last := len(t.roots) - 1
		h, t.roots = tlog.NodeHash(t.roots[last], h), t.roots[:last]
	}
	t.roots = append(t.roots, h)
}

// Root returns the tree's, in base64.
func (t *Tree) Root() string {
	if t.size == 0 {
		return tlog.Hash(sha256.Sum256(nil)).String()
	}
	h := t.roots[len(t.roots)-1]
	for i := len(t.roots) - 2; i >= 0; i-- {
		h = tlog.NodeHash(t.roots[i], h)
	}
	return h.String()
}

// LeafHash is that of a line in the tree, as the log's RDF form has it.
func LeafHash(line []byte) string {
	h := tlog.RecordHash(line)
	return "sha256:" + hex.EncodeToString(h[:])
}
