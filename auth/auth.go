// SPDX-License-Identifier: EUPL-1.2

// Package auth says who is asking.
//
// [Verifier.Identify] turns a request's token and its DPoP proof into an
// acl.Agent, or an error that a client can act on. Below it, auth/provider is
// the OpenID provider that makes such tokens, auth/login is how a person signs
// in, and auth/dpop makes and checks proofs. Nothing here decides what anybody
// may do.
package auth

import (
	"context"
	"errors"
	"time"
)

// What a [Records] answers when it can't do what was asked.
var (
	ErrNoRecord = errors.New("no such record")
	ErrChanged  = errors.New("the record has changed")
)

// A Record is a small value (at most 64 KiB; an engine takes 64 bytes more, for a
// seal) with a version and an end.
type Record struct {
	Value   []byte
	Version uint64    // 0 for one that isn't stored yet; each Save adds one
	Until   time.Time // it is gone from this moment on; zero for never
}

// Records keeps what sign-in and the OpenID provider must remember beside the
// pods: sessions, codes, tokens' hashes, the identity vault. Keys are short
// strings without NUL; whatever is secret is hashed before it becomes a key.
// Every storage engine provides it. It is safe for concurrent use, and shared
// by all nodes of a cluster.
type Records interface {
	// Load returns the record, or ErrNoRecord if there is none or it has ended.
	Load(ctx context.Context, kind, key string) (Record, error)
	// Save stores r.Value and r.Until if the stored version is r.Version (0: if
	// there is none, or it has ended), else it returns ErrChanged and changes
	// nothing. It is durable when Save returns. Of several concurrent Saves
	// with one version exactly one succeeds.
	Save(ctx context.Context, kind, key string, r Record) error
	// Delete removes the record. To remove what isn't there is no error.
	Delete(ctx context.Context, kind, key string) error
	// List returns the keys of a kind that begin with prefix, come after the key
	// after, and have not ended; ascending, at most limit of them.
	List(ctx context.Context, kind, prefix, after string, limit int) ([]string, error)
}
