// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"bytes"
	"encoding/binary"
	"hash/fnv"
	"io"

	"skrin/ldp"
	"skrin/pod/evidence"
	"skrin/pod/record"
	"skrin/pod/resource"
	"skrin/pod/space"
	"skrin/pod/store"
)

// A Leak is a channel through which a Pod lets two parties find out that they
// know the same person. It exists so that the program that measures whether they
// can ("skrin unlink") is known to see it when they can. No configuration sets
// it: a test of package main holds that nothing but that program does.
type Leak string

// The leaks, each by one channel.
const (
	LeakTag       Leak = "etag"      // one ETag for all recipients of an evidence
	LeakTime      Leak = "time"      // the second at which the evidence was received, in Last-Modified
	LeakStatus    Leak = "status"    // one index in a status list for all forms of an evidence
	LeakSignature Leak = "signature" // one signed form for all recipients
	LeakPath      Leak = "path"      // the path in the person's own pod, in a Link
	LeakIDs       Leak = "ids"       // spaces numbered in sequence
	LeakSize      Leak = "size"      // bodies of a length of the person's own
	LeakList      Leak = "list"      // all forms of an evidence in one of an issuer's many status lists
	LeakHolder    Leak = "holder"    // one holder key for all forms of an evidence
)

// Leaks returns all of them.
func Leaks() []Leak {
	return []Leak{LeakTag, LeakTime, LeakStatus, LeakSignature, LeakPath, LeakIDs, LeakSize, LeakList, LeakHolder}
}

// leak adds to an answer what it must never have.
func (p *Pod) leak(res *ldp.Resource, e *evidence.Evidence) error {
	switch p.Leak {
	case LeakTag:
		res.Tag = e.ID
	case LeakTime:
		res.Modified = e.Received
	case LeakPath:
		res.DescribedBy = e.Path
	case LeakSize:
		h := fnv.New32a()
		io.WriteString(h, string(record.RootOf(e.Path)))
		body, err := io.ReadAll(res.Body)
		if err != nil {
			return err
		}
		resource.SetBody(res, append(body, bytes.Repeat([]byte("\n"), int(h.Sum32()%4096))...))
	}
	return nil
}

// formFor returns for whom a space's signed form is: for it alone.
func (p *Pod) formFor(s *space.Space) string {
	if p.Leak == LeakSignature {
		return "everybody"
	}
	return s.ID
}

// nextSpaceID returns the id that follows that of another of the person's
// spaces; id if there is none. For LeakIDs alone.
func nextSpaceID(tx store.Tx, id string) (string, error) {
	var last []byte
	err := store.Each(tx, space.Key(""), func(s *space.Space) bool {
		if b, err := store.IDEncoding.DecodeString(s.ID); err == nil && bytes.Compare(b, last) > 0 {
			last = b
		}
		return true
	})
	if err != nil || last == nil {
		return id, err
	}
	binary.BigEndian.PutUint32(last[12:], binary.BigEndian.Uint32(last[12:])+1)
	return store.IDEncoding.EncodeToString(last), nil
}
