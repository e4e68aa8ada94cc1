// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"time"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/store"
)

// The keys of a standard pod; package pod's documentation has them all.
const (
	homeKey = "p"
	onceKey = "j"
)

func recordKey(id ldp.ID) string { return "r" + string(id) }
func rulesKey(id ldp.ID) string  { return "a" + string(id) }

// membersKey is what the keys of a container's members begin with; a member's
// name follows.
func membersKey(container ldp.ID) string { return "m" + string(container) + "\x00" }

// spaces is the first segment of the paths of pairwise spaces.
const spaces = "w"

// rootOf returns the root container of the pod that a path is in, "/{pod}/".
func rootOf(id ldp.ID) ldp.ID {
	first := id.First()
	if n := len("/") + len(first) + len("/"); len(id) >= n {
		return id[:n]
	}
	return "/" + ldp.ID(first) + "/"
}

// A home is what a pod knows about itself.
type home struct {
	Owner  acl.WebID
	Name   string    // the first segment of its URLs
	Person string    // the internal id of its owner
	Leaves time.Time // when it is erased; zero while it isn't to be

	// Until when somebody may be subscribed to the pod, in seconds since 1970:
	// by connecting, and by webhooks. Each write looks here.
	Pulls, Hooks int64
	Moved        string // the URL of its root elsewhere; "" while it is here
}

// ownerOf returns whose pod it is.
func ownerOf(tx store.Tx) (home, error) {
	values, err := tx.Get(homeKey)
	if err != nil {
		return home{}, err
	}
	return decodeHome(values[0])
}

func (h home) encode() []byte {
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

func decodeHome(b []byte) (home, error) {
	in := store.NewReader(b)
	in.Layout()
	h := home{Owner: acl.WebID(in.Text()), Name: in.Text(), Person: in.Text()}
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

// A change is the time and the randomness of one write. Both are drawn before
// its transaction, so that a transaction that is run twice does the same.
type change struct {
	at   time.Time
	seed [16]byte
}

func (p *Pod) change() (change, error) {
	c := change{at: p.Now().UTC().Truncate(time.Second)}
	if _, err := io.ReadFull(p.Rand, c.seed[:]); err != nil {
		return c, fmt.Errorf("random bytes: %w", err)
	}
	return c, nil
}

// tag returns the tag of the state that the change gives to a resource.
func (c *change) tag(id ldp.ID) (t tag) {
	copy(t[:], c.derive("tag", string(id)))
	return t
}

func (c *change) derive(use, of string) []byte {
	h := sha256.New()
	h.Write(c.seed[:])
	io.WriteString(h, use+"\x00"+of)
	return h.Sum(nil)
}

// reservedPath reports whether the server itself answers for a path of a pod, or
// keeps there what others delivered.
func reservedPath(id ldp.ID) bool {
	name, _, _ := strings.Cut(strings.TrimPrefix(string(id), string(rootOf(id))), "/")
	return name == ".well-known" || name+"/" == evidences
}
