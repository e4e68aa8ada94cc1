// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"

	"skrin/acl"
	"skrin/ldp"
)

// A record is the state of one resource, as the store keeps it.
type record struct {
	tag      tag
	modified int64  // seconds since 1970
	media    string // media type as it was sent; "" for a container
	body     []byte // the bytes; a container's own triples, as N-Triples
	digest   string // the blob that has the bytes instead
	size     int64  // bytes
}

// A tag names a state of a resource. It is random, so that it tells nothing.
type tag [12]byte

func (t tag) String() string { return base64.RawURLEncoding.EncodeToString(t[:]) }

func (r *record) time() time.Time { return time.Unix(r.modified, 0).UTC() }

// state returns the tag and the time that conditions are checked against; ""
// where there is no resource.
func (r *record) state() (string, time.Time) {
	if r == nil {
		return "", time.Time{}
	}
	return r.tag.String(), r.time()
}

// A value in the store begins with the number of its layout.
const layout = 1

var errLayout = errors.New("a value in the store can't be read: damaged, or of a newer version")

func (r *record) encode() []byte {
	b := append(make([]byte, 0, 64+len(r.media)+len(r.body)), layout)
	b = append(b, r.tag[:]...)
	b = binary.AppendVarint(b, r.modified)
	b = binary.AppendVarint(b, r.size)
	b = appendString(b, r.media)
	b = appendString(b, r.digest)
	return append(b, r.body...)
}

// decodeRecord returns nil for nil: no resource.
func decodeRecord(b []byte) (*record, error) {
	if b == nil {
		return nil, nil
	}
	in := reader{rest: b}
	in.layout()
	r := new(record)
	copy(r.tag[:], in.bytes(len(r.tag)))
	r.modified, r.size = in.varint(), in.varint()
	r.media, r.digest = in.string(), in.string()
	r.body = in.rest
	return r, in.err
}

// member returns the line that the container's listing has of the resource.
func (r *record) member() []byte {
	b := binary.AppendVarint([]byte{layout}, r.modified)
	if r.media == "" {
		return appendString(binary.AppendVarint(b, 0), "")
	}
	return appendString(binary.AppendVarint(b, r.size), r.media)
}

func decodeMember(id ldp.ID, b []byte) (ldp.Member, error) {
	in := reader{rest: b}
	in.layout()
	m := ldp.Member{ID: id, Modified: time.Unix(in.varint(), 0).UTC(), Size: in.varint(), Type: in.string()}
	return m, in.err
}

// encodeRules writes what the ACL document of a resource grants. What follows
// from the resource's path isn't written.
func encodeRules(grants []acl.Grant) []byte {
	b := binary.AppendUvarint([]byte{layout}, uint64(len(grants)))
	for _, g := range grants {
		inherit := byte(0)
		if g.Inherit {
			inherit = 1
		}
		b = append(b, inherit, byte(g.Modes))
		b = appendString(appendString(b, string(g.To)), g.Group)
		for _, list := range [][]string{g.Clients, g.Issuers, g.Origins} {
			b = appendList(b, list)
		}
	}
	return b
}

// decodeRules returns nil for nil: no ACL document, which is not the same as
// one that grants nothing.
func decodeRules(of ldp.ID, b []byte) ([]acl.Grant, error) {
	if b == nil {
		return nil, nil
	}
	in := reader{rest: b}
	in.layout()
	n := in.length()
	grants := make([]acl.Grant, 0, min(n, acl.MaxGrants))
	because := string(of) + ldp.ACLSuffix
	for range n {
		if in.err != nil {
			return nil, in.err
		}
		head := in.bytes(2)
		grants = append(grants, acl.Grant{
			On: string(of), Because: because, Inherit: head[0] == 1, Modes: acl.Mode(head[1]),
			To: acl.WebID(in.string()), Group: in.string(), Clients: in.list(), Issuers: in.list(), Origins: in.list(),
		})
	}
	return grants, in.err
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// appendList keeps nil apart from an empty list.
func appendList(b []byte, list []string) []byte {
	if list == nil {
		return append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(list)+1))
	for _, s := range list {
		b = appendString(b, s)
	}
	return b
}

// A reader takes values off the front of rest, until the first that isn't there;
// from then on it returns zero values, and err is set.
type reader struct {
	rest []byte
	err  error
}

func (in *reader) bytes(n int) []byte {
	if n > len(in.rest) {
		in.err, in.rest = errLayout, nil
		return make([]byte, min(n, 64))
	}
	b := in.rest[:n:n]
	in.rest = in.rest[n:]
	return b
}

func (in *reader) layout() {
	if in.bytes(1)[0] != layout {
		in.err, in.rest = errLayout, nil
	}
}

func (in *reader) varint() int64 {
	v, n := binary.Varint(in.rest)
	in.bytes(advance(n, len(in.rest)))
	return v
}

// length reads a count: of things that take at least a byte each, or one more.
func (in *reader) length() int {
	v, n := binary.Uvarint(in.rest)
	in.bytes(advance(n, len(in.rest)))
	if v > uint64(len(in.rest))+1 {
		in.err, in.rest = errLayout, nil
		return 0
	}
	return int(v)
}

// advance is how far to go after a number of n bytes; past the end if there was
// none.
func advance(n, rest int) int {
	if n <= 0 {
		return rest + 1
	}
	return n
}

func (in *reader) string() string { return string(in.bytes(in.length())) }

func (in *reader) list() []string {
	n := in.length()
	if n == 0 {
		return nil
	}
	list := make([]string, 0, n-1)
	for range n - 1 {
		if in.err != nil {
			return []string{}
		}
		list = append(list, in.string())
	}
	return list
}
