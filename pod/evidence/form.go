// SPDX-License-Identifier: EUPL-1.2

package evidence

import (
	"fmt"
	"slices"
	"strings"

	"skrin/pod/credential"
	"skrin/pod/status"
	"skrin/pod/store"
)

func formKey(id string, i int) string { return fmt.Sprintf("f%s\x00%04d", id, i) }

// FormKey is the key of the signed form of evidence that a space was given.
func FormKey(id, space string) string { return "f" + id + "\x00w" + space }

// A Form is a signed form that a space was given, with the top-level claim of each
// of its disclosures: so that a read needn't parse it.
type Form struct {
	Compact   string // "" for none
	Disclosed []string
}

// encode writes the form, a line's end and the claims, between NULs.
func (f Form) encode() []byte {
	return []byte(f.Compact + "\n" + strings.Join(f.Disclosed, "\x00"))
}

func decodeForm(b []byte) Form {
	compact, rest, _ := strings.Cut(string(b), "\n")
	f := Form{Compact: compact}
	if rest != "" {
		f.Disclosed = strings.Split(rest, "\x00")
	}
	return f
}

// Give gives a space a signed form of e that nobody else was given; an empty one if
// all are given away; or the one that it has, and had is true.
func (e *Evidence) Give(tx store.Tx, space string) (f Form, had bool, err error) {
	key := FormKey(e.ID, space)
	values, err := tx.Get(key)
	if err != nil {
		return f, false, err
	}
	if values[0] != nil {
		return decodeForm(values[0]), true, nil
	}
	if values, err = tx.Get(formKey(e.ID, e.Given)); err != nil || values[0] == nil {
		return f, false, err
	}
	c, err := credential.Parse(string(values[0]))
	if err != nil {
		return f, false, err
	}
	f = Form{string(values[0]), c.Disclosed()}
	tx.Put(key, f.encode())
	tx.Delete(formKey(e.ID, e.Given))
	e.Given++
	return f, false, store.Save(tx, Key(e.ID), e)
}

// eachForm visits the signed forms of evidence, given or not.
func eachForm(tx store.Tx, id string, visit func(key string, form []byte) error) error {
	const page = 64
	for after := ""; ; {
		pairs, err := tx.Scan("f"+id+"\x00", after, page)
		if err != nil {
			return err
		}
		for _, pair := range pairs {
			if err := visit(pair.Key, []byte(decodeForm(pair.Value).Compact)); err != nil {
				return err
			}
			after = pair.Key
		}
		if len(pairs) < page {
			return nil
		}
	}
}

// AddForms adds signed forms that were delivered, which have places in status lists.
func (e *Evidence) AddForms(tx store.Tx, forms []string, lists *status.Lists, places status.Places) error {
	for _, form := range forms {
		tx.Put(formKey(e.ID, e.Forms), []byte(form))
		e.Forms++
	}
	return e.Occupy(tx, lists, places)
}

// Had returns which of some signed forms was delivered before, or shares a mark by
// which it could be matched with one that was: the first; -1 for none.
func (e *Evidence) Had(tx store.Tx, forms []string) (int, error) {
	marks := map[string]bool{}
	err := eachForm(tx, e.ID, func(_ string, form []byte) error {
		c, err := credential.Parse(string(form))
		if err != nil {
			return err
		}
		for _, m := range c.Marks() {
			marks[m] = true
		}
		return nil
	})
	if err != nil {
		return -1, err
	}
	for i, form := range forms {
		c, err := credential.Parse(form)
		if err != nil {
			return -1, err
		}
		if slices.ContainsFunc(c.Marks(), func(m string) bool { return marks[m] }) {
			return i, nil
		}
	}
	return -1, nil
}
