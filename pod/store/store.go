// SPDX-License-Identifier: EUPL-1.2

package store

import (
	"context"
	"errors"
	"io"
	"time"
)

// What a Store or Blobs answers when it can't do what was asked.
var (
	ErrNoPod  = errors.New("no such pod")
	ErrTaken  = errors.New("the name is taken")
	ErrNoBlob = errors.New("no such blob")
)

// A Name finds a pod: "id/" and the pod's id; "pod/" and the first segment of its
// URLs; "w/" and the id of a pairwise space in it;
// "s/" and a keyed digest of a credential's place in a status list; "person/" and its owner's id;
// "help/" and a digest of an invitation's code.
// At most 256 bytes. A Name belongs to at most one pod.
type Name string

// A Store keeps pods: small values under ordered keys. A pod is the unit of
// transaction, of sharding, of backup and of erasure. A Store judges nothing and
// knows no meaning of any key. It is safe for concurrent use. All its methods
// stop when ctx is done; an Update that returns nil is durable (it survives a
// power cut), whole, and seen by every View that begins later, on any node.
type Store interface {
	// View runs fn on a snapshot of the pod that has claimed name, or returns
	// ErrNoPod, whatever fn returns: an engine may find out only when fn reads, which
	// then fails. The Tx fails the program (panics) if fn writes.
	View(ctx context.Context, name Name, fn func(Tx) error) error

	// Update runs fn on the pod that has claimed name (else it is ErrNoPod, as in
	// View), as if it were alone on that pod, and commits if fn returns nil; else nothing has happened and
	// fn's error is returned as it is. It may run fn more than once, so fn must
	// do nothing but through its Tx. An error of Update that is not fn's own
	// may mean that the commit happened all the same.
	Update(ctx context.Context, name Name, fn func(Tx) error) error

	// Create is Update on a new pod. It claims "id/"+id, and ErrTaken if that is
	// taken; fn should claim more.
	Create(ctx context.Context, id string, fn func(Tx) error) error

	// Due returns the ids of pods whose Tx.Due time is not after before,
	// earliest first, at most limit.
	Due(ctx context.Context, before time.Time, limit int) ([]string, error)
}

// A Tx reads and writes one pod, inside View, Update or Create, and is of no use
// after. It reads its own writes. Keys are at most 4096 bytes, values at most
// 1 MiB (an engine takes 64 bytes more, for a seal); callers don't change slices that they got or gave.
type Tx interface {
	// Pod returns the pod's id; "" where there turns out to be none.
	Pod() string
	// Get returns the values under keys, in that order, nil where there is none.
	// One call is one round trip, so ask for all at once.
	Get(keys ...string) ([][]byte, error)
	// Scan returns, ascending, at most limit pairs whose keys begin with prefix
	// and come after the key after ("" for from the first).
	Scan(prefix, after string, limit int) ([]Pair, error)
	// Put sets the value under key. Delete removes it, if it is there.
	Put(key string, value []byte)
	Delete(key string)
	// Claim gives name to this pod. The commit fails with ErrTaken if another
	// has it. Release gives it up, if this pod has it.
	Claim(name Name)
	Release(name Name)
	// Due sets the time at which somebody should look at this pod's outbox; zero
	// for never.
	Due(at time.Time)
	// Stir has every node that follows the [Feed] told of this pod, once the
	// transaction has been committed.
	Stir()
}

// A Foreseeing Tx is one whose reads are round trips.
type Foreseeing interface {
	// Ahead says which keys will be asked for soon: their values may come with those
	// that are asked for next. It reads nothing by itself.
	Ahead(keys ...string)
}

// Ahead tells tx which keys will be asked for soon, if that makes a difference to it.
func Ahead(tx Tx, keys ...string) {
	if f, ok := tx.(Foreseeing); ok {
		f.Ahead(keys...)
	}
}

// A Feed tells which pods were stirred. Every engine provides it.
type Feed interface {
	// Follow calls told with the ids of pods in which, since Follow was called, an
	// Update that called Tx.Stir was committed, on whatever node: soon after, and
	// perhaps more than once. No ids are that it may be any. told must not block.
	// Follow returns when ctx is done.
	Follow(ctx context.Context, told func(ids ...string)) error
}

// A Pair is a key with its value.
type Pair struct {
	Key   string
	Value []byte
}

// A Digested body names itself, when it has been read to its end.
type Digested interface {
	io.Reader
	Digest() string
}

// Blobs keeps large immutable bytes, apart from the Store, under keys made of
// the pod's id and a digest of the content. It is safe for concurrent use.
type Blobs interface {
	// Put stores the content that body yields, at most limit bytes (else
	// an error that wraps ldp.TooLarge, and nothing is stored). It is durable
	// when Put returns, and nobody sees it before. digest is 64 lower-case
	// hexadecimal digits that follow from the content: its SHA-256, or what a
	// body that is Digested says. Storing the same content twice in a pod is
	// storing it once.
	Put(ctx context.Context, pod string, body io.Reader, limit int64) (digest string, size int64, err error)
	// Open returns the content; the caller closes it. ErrNoBlob if it isn't there.
	Open(ctx context.Context, pod, digest string) (io.ReadSeekCloser, error)
	// Delete removes it. To remove what isn't there is no error.
	Delete(ctx context.Context, pod, digest string) error
	// List yields the digests that a pod has, with the time of their storing.
	// For the sweep of what no resource refers to.
	List(ctx context.Context, pod string, each func(digest string, stored time.Time) error) error
}

// Pods tells which pods there are, for what must go through all of them. Every
// engine provides it.
type Pods interface {
	// Pods returns the ids of pods, ascending, that come after the id after, at
	// most limit.
	Pods(ctx context.Context, after string, limit int) ([]string, error)
}

// Keys destroys the key under which a pod is encrypted; what is left of the pod
// anywhere can't be read any more.
type Keys interface {
	Destroy(ctx context.Context, pod string) error
}

// ErrNoKey is that a pod's key has been destroyed: it can be erased, and no more.
var ErrNoKey = errors.New("the pod has no key: it was erased")
