// SPDX-License-Identifier: EUPL-1.2

package record

import (
	"encoding/base64"
	"encoding/binary"
	"time"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/store"
)

// A State is the state of one resource, as the store keeps it.
type State struct {
	Tag      Tag
	Modified int64  // seconds since 1970
	Media    string // media type as it was sent; "" for a container
	Body     []byte // the bytes; a container's own triples, as N-Triples
	Digest   string // the blob that has the bytes instead
	Size     int64  // bytes
}

// A Tag names a state of a resource. It is random, so that it tells nothing.
type Tag [12]byte

// String returns the tag as an ETag has it.
func (t Tag) String() string { return base64.RawURLEncoding.EncodeToString(t[:]) }

func (r *State) time() time.Time { return time.Unix(r.Modified, 0).UTC() }

// Validators returns the tag and the time that conditions are checked against; ""
// where there is no resource.
func (r *State) Validators() (string, time.Time) {
	if r == nil {
		return "", time.Time{}
	}
	return r.Tag.String(), r.time()
}

// Encode writes what [DecodeState] reads.
func (r *State) Encode() []byte {
	b := append(make([]byte, 0, 64+len(r.Media)+len(r.Body)), store.Layout)
	b = append(b, r.Tag[:]...)
	b = binary.AppendVarint(b, r.Modified)
	b = binary.AppendVarint(b, r.Size)
	b = store.AppendString(b, r.Media)
	b = store.AppendString(b, r.Digest)
	return append(b, r.Body...)
}

// DecodeState reads a state. It returns nil for nil: no resource.
func DecodeState(b []byte) (*State, error) {
	if b == nil {
		return nil, nil
	}
	in := store.Reader{Rest: b}
	in.Layout()
	r := new(State)
	copy(r.Tag[:], in.Bytes(len(r.Tag)))
	r.Modified, r.Size = in.Varint(), in.Varint()
	r.Media, r.Digest = media(&in), in.Text()
	r.Body = in.Rest
	return r, in.Err
}

// media reads a media type. Those of most resources are not made anew each time.
func media(in *store.Reader) string {
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

// Member returns the line that the container's listing has of the resource.
func (r *State) Member() []byte {
	b := binary.AppendVarint([]byte{store.Layout}, r.Modified)
	if r.Media == "" {
		return store.AppendString(binary.AppendVarint(b, 0), "")
	}
	return store.AppendString(binary.AppendVarint(b, r.Size), r.Media)
}

// DecodeMember reads the line of the member with that id.
func DecodeMember(id ldp.ID, b []byte) (ldp.Member, error) {
	in := store.Reader{Rest: b}
	in.Layout()
	m := ldp.Member{ID: id, Modified: time.Unix(in.Varint(), 0).UTC(), Size: in.Varint(), Type: media(&in)}
	return m, in.Err
}

// EncodeRules writes what the ACL document of a resource grants. What follows
// from the resource's path isn't written.
func EncodeRules(grants []acl.Grant) []byte {
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

// DecodeRules reads the rules of a resource. It returns nil for nil: no ACL document, which is not the same as
// one that grants nothing.
func DecodeRules(of ldp.ID, b []byte) ([]acl.Grant, error) {
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

// Overhead is how many bytes are kept of a resource beside its content.
const Overhead = 512

// Cost is what a resource counts for; nil for none.
func (r *State) Cost() int64 {
	if r == nil {
		return 0
	}
	return Overhead + max(r.Size, int64(len(r.Body)))
}
