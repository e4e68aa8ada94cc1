// SPDX-License-Identifier: EUPL-1.2

package record

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/store"
)

// HomeKey is the key of the [Home]; package pod's documentation has all keys.
const HomeKey = "p"

// RecordKey is the key of a resource's [State].
func RecordKey(id ldp.ID) string { return "r" + string(id) }

// RulesKey is the key of the rules that the ACL document of a resource makes.
func RulesKey(id ldp.ID) string { return "a" + string(id) }

// MembersKey is what the keys of a container's members begin with; a member's
// name follows.
func MembersKey(container ldp.ID) string { return "m" + string(container) + "\x00" }

// RootOf returns the root container of the pod that a path is in, "/{pod}/".
func RootOf(id ldp.ID) ldp.ID {
	first := id.First()
	if n := len("/") + len(first) + len("/"); len(id) >= n {
		return id[:n]
	}
	return "/" + ldp.ID(first) + "/"
}

// A Home is what a pod knows about itself.
type Home struct {
	Owner  acl.WebID
	Name   string    // the first segment of its URLs
	Person string    // the internal id of its owner
	Leaves time.Time // when it is erased; zero while it isn't to be

	// Until when somebody may be subscribed to the pod, in seconds since 1970:
	// by connecting, and by webhooks. Each write looks here.
	Pulls, Hooks int64
	Moved        string // the URL of its root elsewhere; "" while it is here
}

// HomeOf returns whose pod it is.
func HomeOf(tx store.Tx) (Home, error) {
	values, err := tx.Get(HomeKey)
	if err != nil {
		return Home{}, err
	}
	return DecodeHome(values[0])
}

// Encode writes what [DecodeHome] reads.
func (h Home) Encode() []byte {
	b := []byte{store.Layout}
	for _, s := range []string{string(h.Owner), h.Name, h.Person} {
		b = store.AppendString(b, s)
	}
	listened := h.Pulls|h.Hooks != 0
	if !h.Leaves.IsZero() || listened || h.Moved != "" {
		b = binary.AppendVarint(b, leaving(h.Leaves))
	}
	if listened || h.Moved != "" {
		b = binary.AppendVarint(binary.AppendVarint(b, h.Pulls), h.Hooks)
	}
	if h.Moved != "" {
		b = store.AppendString(b, h.Moved)
	}
	return b
}

// DecodeHome reads a home. One that isn't there is store.ErrLayout.
func DecodeHome(b []byte) (Home, error) {
	in := store.NewReader(b)
	in.Layout()
	h := Home{Owner: acl.WebID(in.Text()), Name: in.Text(), Person: in.Text()}
	if in.Err == nil && len(in.Rest) > 0 {
		if at := in.Varint(); at != 0 {
			h.Leaves = time.Unix(at, 0).UTC()
		}
	}
	if in.Err == nil && len(in.Rest) > 0 {
		h.Pulls, h.Hooks = in.Varint(), in.Varint()
	}
	if in.Err == nil && len(in.Rest) > 0 {
		h.Moved = in.Text()
	}
	return h, in.Err
}

// leaving is a time as a home keeps it: 0 for none.
func leaving(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.Unix()
}

// A Change is the time and the randomness of one write. Both are drawn before
// its transaction, so that a transaction that is run twice does the same.
type Change struct {
	At   time.Time
	Seed [16]byte
}

// NewChange draws the change that is made at the time now.
func NewChange(now time.Time, random io.Reader) (Change, error) {
	c := Change{At: now.UTC().Truncate(time.Second)}
	if _, err := io.ReadFull(random, c.Seed[:]); err != nil {
		return c, fmt.Errorf("random bytes: %w", err)
	}
	return c, nil
}

// Tag returns the tag of the state that the change gives to a resource.
func (c *Change) Tag(id ldp.ID) (t Tag) {
	copy(t[:], c.Derive("tag", string(id)))
	return t
}

// Derive returns 32 random bytes for a use, of what is named.
func (c *Change) Derive(use, of string) []byte {
	h := sha256.New()
	h.Write(c.Seed[:])
	io.WriteString(h, use+"\x00"+of)
	return h.Sum(nil)
}

// Watched reports whether anybody may have subscribed to the pod.
func (h *Home) Watched(now time.Time) bool { return max(h.Pulls, h.Hooks) >= now.Unix() }
