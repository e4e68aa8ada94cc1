// SPDX-License-Identifier: EUPL-1.2

package podtest

import (
	"testing"
	"time"

	"skrin/pod/blob"
	"skrin/pod/pebble"
	"skrin/pod/store"
)

// New returns an empty, real Store in memory, which is lost when the test ends.
func New(t testing.TB) store.Store {
	t.Helper()
	s, err := pebble.OpenMemory(pebble.Options{Now: time.Now})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

// NewBlobs returns empty, real Blobs in a directory that is removed when the test
// ends.
func NewBlobs(t testing.TB) store.Blobs {
	t.Helper()
	d, err := blob.Open(t.TempDir())
	must(t, err)
	t.Cleanup(func() { must(t, d.Close()) })
	return d
}
