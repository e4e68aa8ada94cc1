// SPDX-License-Identifier: EUPL-1.2

// Package leak links people on purpose, for the program that must see it.
package leak

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

// A Channel is one through which a Pod lets two parties find out that they
// know the same person. It exists so that the program that measures whether they
// can ("skrin unlink") is known to see it when they can. No configuration sets
// it: a test of package main holds that nothing but that program does.
type Channel string

// The leaks, each by one channel.
const (
	Tag       Channel = "etag"      // one ETag for all recipients of an evidence
	Time      Channel = "time"      // the second at which the evidence was received, in Last-Modified
	Status    Channel = "status"    // one index in a status list for all forms of an evidence
	Signature Channel = "signature" // one signed form for all recipients
	Path      Channel = "path"      // the path in the person's own pod, in a Link
	IDs       Channel = "ids"       // spaces numbered in sequence
	Size      Channel = "size"      // bodies of a length of the person's own
	List      Channel = "list"      // all forms of an evidence in one of an issuer's many status lists
	Holder    Channel = "holder"    // one holder key for all forms of an evidence
)

// All returns all of them.
func All() []Channel {
	return []Channel{Tag, Time, Status, Signature, Path, IDs, Size, List, Holder}
}

// Into adds to an answer what it must never have.
func (c Channel) Into(res *ldp.Resource, e *evidence.Evidence) error {
	switch c {
	case Tag:
		res.Tag = e.ID
	case Time:
		res.Modified = e.Received
	case Path:
		res.DescribedBy = e.Path
	case Size:
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

// FormFor returns for whom a space's signed form is: for it alone.
func (c Channel) FormFor(s *space.Space) string {
	if c == Signature {
		return "everybody"
	}
	return s.ID
}

// NextID returns the id that follows that of another of the person's
// spaces; id if there is none. For IDs alone.
func NextID(tx store.Tx, id string) (string, error) {
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
