// SPDX-License-Identifier: EUPL-1.2

package extract

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"

	"skrin/pod/consent"
	"skrin/pod/log"
	"skrin/pod/store"
)

// A Form is a form in which a log is exported.
type Form int

// The forms of a log.
const (
	Lines Form = iota // all entries and a checkpoint: what [log.VerifyExport] reads
	TS10              // JSON lines in the form of the EUDI wallet's TS10; holds what has such a form, and proves nothing
	RDF               // Turtle, in the terms of PROV and DPV; with the hashes by which Lines are verified
)

// A View runs a function on a snapshot of a pod, for its owner.
type View func(func(store.Tx) error) error

// Write writes the whole log of a pod, oldest first, as it is now.
func Write(ctx context.Context, b *consent.Book, view View, form Form, w io.Writer) error {
	l := &writer{b, view}
	head := new(log.Head)
	err := view(func(tx store.Tx) error {
		h, err := store.Load[log.Head](tx, "h")
		if h != nil {
			head = h
		}
		return err
	})
	if err != nil {
		return err
	}
	var all log.Tree
	for seq := uint64(1); seq <= head.Seq; seq += page {
		lines, err := l.entries(ctx, form, seq, min(seq+page-1, head.Seq), &all)
		if err != nil {
			return err
		}
		if _, err := w.Write(lines); err != nil {
			return err
		}
	}
	if form == TS10 {
		return nil
	}
	signed, err := log.SignCheckpoint(ctx, log.Checkpoint{Origin: l.origin(), Issued: b.Now(), Seq: head.Seq, Head: head.Hash, Root: all.Root()}, b.Sign)
	if err != nil {
		return err
	}
	end := log.CheckpointLine(signed) + "\n"
	if form == RDF {
		if end, err = l.treeHead(signed); err != nil {
			return err
		}
	}
	_, err = io.WriteString(w, end)
	return err
}

// page is how many entries are read at once.
const page = 1000

// A writer writes a log.
type writer struct {
	*consent.Book
	view View
}

// entries returns the entries from first to last in a form, and adds them to the
// tree.
func (l *writer) entries(ctx context.Context, form Form, first, last uint64, all *log.Tree) ([]byte, error) {
	var out bytes.Buffer
	var rdf graph
	var values [][]byte
	err := l.view(func(tx store.Tx) error {
		out.Reset()
		rdf = graph{Book: l.Book}
		var keys []string
		for seq := first; seq <= last; seq++ {
			keys = append(keys, log.Key(seq))
		}
		var err error
		if values, err = tx.Get(keys...); err != nil {
			return err
		}
		for i, value := range values {
			line := value
			if form != Lines {
				e, err := store.Decode[log.Entry](keys[i], value)
				if err == nil && form == TS10 {
					line, err = l.ts10(ctx, tx, e)
				} else if err == nil {
					line, err = nil, rdf.add(ctx, tx, e, value)
				}
				if err != nil {
					return err
				}
			}
			if line != nil {
				out.Write(append(slices.Clip(line), '\n'))
			}
		}
		return nil
	})
	for _, value := range values {
		all.Add(value)
	}
	if err != nil || form != RDF {
		return out.Bytes(), err
	}
	return rdf.turtle()
}

// origin names the log of a pod here.
func (l *writer) origin() string {
	_, host, _ := strings.Cut(l.Base, "://")
	return host + "/me/log"
}
