// SPDX-License-Identifier: EUPL-1.2

package record

import (
	"time"

	"skrin/ldp"
)

// The kinds of [Activity], of Activity Streams.
const (
	Created = "Create"
	Updated = "Update"
	Deleted = "Delete"
	Added   = "Add"
	Removed = "Remove"

	// Ended is that a channel was ended by who may; State is its id. Nobody is
	// told, but who listens to it hears no more.
	Ended = "End"
)

// An Activity is one thing that happened to one resource: its topic.
type Activity struct {
	Seq    uint64 // in the pod
	Kind   string
	Object ldp.ID
	Target ldp.ID    `json:",omitempty"` // the container, of Added and Removed
	State  string    `json:",omitempty"` // ETag that the topic has now; "" if it is deleted
	At     time.Time // to the second

	// Rules are those of a Deleted object's own ACL document, which went with it: who
	// might read it by them is told that it is gone.
	Rules []byte `json:",omitempty"`
}

// MostRules is how large they may be, in bytes; with larger ones nobody is told by
// them.
const MostRules = 16 << 10

// Topic returns the resource whose subscribers are told.
func (a Activity) Topic() ldp.ID {
	if a.Target != "" {
		return a.Target
	}
	return a.Object
}

// Tells reports whether subscribers of the topic are told of the activity.
func (a Activity) Tells(topic ldp.ID) bool { return a.Kind != Ended && a.Topic() == topic }
