// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"encoding/base64"
	"encoding/binary"
	"time"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/store"
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

func (r *record) encode() []byte {
	b := append(make([]byte, 0, 64+len(r.media)+len(r.body)), store.Layout)
	b = append(b, r.tag[:]...)
	b = binary.AppendVarint(b, r.modified)
	b = binary.AppendVarint(b, r.size)
	b = store.AppendString(b, r.media)
	b = store.AppendString(b, r.digest)
	return append(b, r.body...)
}

// decodeRecord returns nil for nil: no resource.
func decodeRecord(b []byte) (*record, error) {
	if b == nil {
		return nil, nil
	}
	in := store.Reader{Rest: b}
	in.Layout()
	r := new(record)
	copy(r.tag[:], in.Bytes(len(r.tag)))
	r.modified, r.size = in.Varint(), in.Varint()
	r.media, r.digest = mediaIn(&in), in.Text()
	r.body = in.Rest
	return r, in.Err
}

// mediaIn reads a media type. Those of most resources are not made anew each time.
func mediaIn(in *store.Reader) string {
	switch b := in.Bytes(in.Count()); string(b) {
	case "text/turtle":
		return "text/turtle"
	case "text/plain":
		return "text/plain"
	case "application/ld+json":
		return "application/ld+json"
	case "application/octet-stream":
		return "application/octet-stream"
	default:
		return string(b)
	}
}

// member returns the line that the container's listing has of the resource.
func (r *record) member() []byte {
	b := binary.AppendVarint([]byte{store.Layout}, r.modified)
	if r.media == "" {
		return store.AppendString(binary.AppendVarint(b, 0), "")
	}
	return store.AppendString(binary.AppendVarint(b, r.size), r.media)
}

func decodeMember(id ldp.ID, b []byte) (ldp.Member, error) {
	in := store.Reader{Rest: b}
	in.Layout()
	m := ldp.Member{ID: id, Modified: time.Unix(in.Varint(), 0).UTC(), Size: in.Varint(), Type: mediaIn(&in)}
	return m, in.Err
}

// encodeRules writes what the ACL document of a resource grants. What follows
// from the resource's path isn't written.
func encodeRules(grants []acl.Grant) []byte {
	b := binary.AppendUvarint([]byte{store.Layout}, uint64(len(grants)))
	for _, g := range grants {
		inherit := byte(0)
		if g.Inherit {
			inherit = 1
		}
		b = append(b, inherit, byte(g.Modes))
		b = store.AppendString(store.AppendString(b, string(g.To)), g.Group)
		for _, list := range [][]string{g.Clients, g.Issuers, g.Origins} {
			b = store.AppendList(b, list)
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
	in := store.NewReader(b)
	in.Layout()
	n := in.Count()
	grants := make([]acl.Grant, 0, min(n, acl.MaxGrants))
	because := string(of) + ldp.ACLSuffix
	for range n {
		if in.Err != nil {
			return nil, in.Err
		}
		head := in.Bytes(2)
		grants = append(grants, acl.Grant{
			On: string(of), Because: because, Inherit: head[0] == 1, Modes: acl.Mode(head[1]),
			To: acl.WebID(in.Text()), Group: in.Text(), Clients: in.List(), Issuers: in.List(), Origins: in.List(),
		})
	}
	return grants, in.Err
}
