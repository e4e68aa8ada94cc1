// SPDX-License-Identifier: EUPL-1.2

package archive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"skrin/ldp"
	"skrin/pod/evidence"
	"skrin/pod/extract"
	"skrin/pod/log"
	"skrin/pod/parcel"
	"skrin/pod/record"
	"skrin/pod/space"
	"skrin/pod/store"
)

// Export writes a whole pod as an archive, as the Export of package pod does.
func Export(ctx context.Context, d *Desk, by string, w io.Writer) error {
	var own record.Home
	var podID string
	err := d.Update(func(tx store.Tx) (err error) {
		podID = tx.Pod()
		if own, err = record.HomeOf(tx); err != nil {
			return err
		}
		return log.Enter(tx, d.Now(), log.Entry{Action: log.DidExport, Why: by})
	})
	if err != nil {
		return err
	}
	id, err := store.NewID(d.Tree.Rand)
	if err != nil {
		return err
	}
	head := parcel.Head{ID: id, Base: d.Base, Issuer: d.Issuer, Owner: string(own.Owner), Root: "/" + own.Name + "/", Made: d.Now().UTC().Format(time.RFC3339)}
	a, err := parcel.NewWriter(w, head)
	if err != nil {
		return err
	}
	o := &takeout{Desk: d, ctx: ctx, pod: podID, root: ldp.ID(head.Root), out: a}
	for _, step := range []func() error{
		func() error { return a.AddBytes(parcel.Member{Name: "README.md"}, parcel.Readme) },
		o.log, o.documents, o.spaces, o.evidence, o.records,
	} {
		if err := step(); err != nil {
			return fmt.Errorf("export: %w", err)
		}
	}
	return a.Close(d.Now(), func(payload []byte) (string, error) { return d.Sign.Sign(ctx, parcel.TypeSeal, payload) })
}

// A takeout is an export under way.
type takeout struct {
	*Desk
	ctx  context.Context
	pod  string
	root ldp.ID
	out  *parcel.Writer
}

// takeoutPage is how many values are in memory at once.
const takeoutPage = 64

// log writes the exported log, cut into members.
func (o *takeout) log() error {
	all := o.out.Long("log", ".jsonl")
	if err := extract.Write(o.ctx, o.Book, o.View, extract.Lines, all); err != nil {
		return err
	}
	return all.Close()
}

// A kept is a resource with what belongs to it.
type kept struct {
	id  ldp.ID
	rec *record.State
	aux []kept
}

// auxiliaries are the suffixes of what belongs to a resource.
var auxiliaries = []ldp.ID{ldp.ACLSuffix, ldp.MetaSuffix}

// documents writes all resources.
func (o *takeout) documents() error {
	for after, more := "", true; more; {
		var page []kept
		err := o.View(func(tx store.Tx) (err error) {
			page, after, more, err = pageOf(tx, after)
			return err
		})
		if err != nil {
			return err
		}
		for _, k := range page {
			for _, x := range append(k.aux, k) {
				if err := o.document(x.id, x.rec); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// pageOf reads a page of resources.
func pageOf(tx store.Tx, after string) (page []kept, last string, more bool, err error) {
	pairs, err := tx.Scan("r", after, takeoutPage)
	if err != nil || len(pairs) == 0 {
		return nil, after, false, err
	}
	var keys []string
	for _, pair := range pairs {
		id := ldp.ID(pair.Key[1:])
		if _, aux := id.Subject(); aux != "" {
			continue
		}
		rec, err := record.DecodeState(pair.Value)
		if err != nil {
			return nil, "", false, err
		}
		page = append(page, kept{id: id, rec: rec})
		for _, suffix := range auxiliaries {
			keys = append(keys, record.RecordKey(id+suffix))
		}
	}
	if len(keys) > 0 {
		values, err := tx.Get(keys...)
		if err != nil {
			return nil, "", false, err
		}
		for i, value := range values {
			rec, err := record.DecodeState(value)
			if err != nil {
				return nil, "", false, err
			}
			if rec != nil {
				of := &page[i/len(auxiliaries)]
				of.aux = append(of.aux, kept{id: ldp.ID(keys[i][1:]), rec: rec})
			}
		}
	}
	return page, pairs[len(pairs)-1].Key, len(pairs) == takeoutPage, nil
}

// document writes one resource; nothing if it was removed meanwhile.
func (o *takeout) document(id ldp.ID, rec *record.State) error {
	for rec != nil {
		m := parcel.Member{Name: "pod/" + strings.TrimPrefix(string(id), string(o.root)), Type: rec.Media, Modified: rec.Modified, Size: rec.Size}
		if id.IsContainer() {
			m.Triples, m.Size = string(rec.Body), 0
			return o.out.AddBytes(m, nil)
		}
		body, err := o.Tree.Open(o.ctx, o.pod, rec)
		if errors.Is(err, store.ErrNoBlob) { // replaced, and swept, since the page was read
			if rec, err = o.again(id, rec.Digest); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		return errors.Join(o.out.Add(m, body), body.Close())
	}
	return nil
}

// again reads a resource whose blob wasn't there; it is an error if it still
// refers to that.
func (o *takeout) again(id ldp.ID, digest string) (rec *record.State, err error) {
	err = o.View(func(tx store.Tx) error {
		values, err := tx.Get(record.RecordKey(id))
		if err != nil {
			return err
		}
		if rec, err = record.DecodeState(values[0]); err == nil && rec != nil && rec.Digest == digest {
			err = store.ErrNoBlob
		}
		return err
	})
	return rec, err
}

// each writes a member for each value whose key begins with prefix.
func (o *takeout) each(prefix string, name func(rest string) string, body func(tx store.Tx, value []byte) ([]byte, error)) error {
	for after, more := "", true; more; {
		var names []string
		var bodies [][]byte
		err := o.View(func(tx store.Tx) error {
			names, bodies = nil, nil
			pairs, err := tx.Scan(prefix, after, takeoutPage)
			if err != nil {
				return err
			}
			for _, pair := range pairs {
				b, err := body(tx, pair.Value)
				if err != nil {
					return err
				}
				after, names, bodies = pair.Key, append(names, name(strings.TrimPrefix(pair.Key, prefix))), append(bodies, b)
			}
			more = len(pairs) == takeoutPage
			return nil
		})
		if err != nil {
			return err
		}
		for i, b := range bodies {
			if err := o.out.AddBytes(parcel.Member{Name: names[i], Modified: o.Now().Unix()}, b); err != nil {
				return err
			}
		}
	}
	return nil
}

// asIs writes values as they are stored: as JSON.
func asIs(_ store.Tx, value []byte) ([]byte, error) {
	var out bytes.Buffer
	err := json.Indent(&out, value, "", "\t")
	return out.Bytes(), err
}

func named(folder string) func(string) string {
	return func(rest string) string { return folder + strings.ReplaceAll(rest, "\x00", "/") + ".json" }
}

// spaces writes the pod as each counterpart knows it, without the key by which it
// makes the tags that only that counterpart knows.
func (o *takeout) spaces() error {
	return o.each("w", named("spaces/"), func(_ store.Tx, value []byte) ([]byte, error) {
		s, err := store.Decode[space.Space]("w", value)
		if err != nil {
			return nil, err
		}
		s.Key = nil
		return json.MarshalIndent(s, "", "\t")
	})
}

// evidence writes evidence with its signed forms.
func (o *takeout) evidence() error {
	return o.each("e", named("evidence/"), func(tx store.Tx, value []byte) ([]byte, error) {
		e, err := store.Decode[evidence.Evidence]("e", value)
		if err != nil {
			return nil, err
		}
		k, err := e.Pack(tx)
		if err != nil {
			return nil, err
		}
		return json.MarshalIndent(k, "", "\t")
	})
}

// records writes what was asked and answered.
func (o *takeout) records() error {
	return errors.Join(o.each("q", named("requests/"), asIs), o.each("c", named("consents/"), asIs), o.each("g", named("grants/"), asIs))
}
