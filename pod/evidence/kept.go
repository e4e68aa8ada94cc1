// SPDX-License-Identifier: EUPL-1.2

package evidence

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"skrin/pod/status"
	"skrin/pod/store"
)

// A Kept is a piece of evidence in an archive.
type Kept struct {
	Evidence Evidence
	Current  bool              // it is what a standing grant gives
	Free     map[int]string    // signed forms that have no recipient yet, by number
	Given    map[string]string // by space

	// Keys are the private keys that the forms are bound to, by thumbprint: the
	// archive is the person's, and so are they.
	Keys map[string]HolderKey `json:",omitempty"`
}

// keepKey adds the holder key of a form, if it is bound to one.
func (k *Kept) keepKey(tx store.Tx, form []byte) error {
	thumb, err := HolderIn(string(form))
	if err != nil || thumb == "" {
		return err
	}
	key, err := store.Load[HolderKey](tx, boundKey(thumb))
	if err == nil && key != nil {
		k.Keys[thumb] = *key
	}
	return err
}

// Unpack stores evidence that an archive has, unless it is there: an import may be
// done again. Its places in status lists are taken if there are lists; to whom a form
// was given has the id here that to returns.
func (k *Kept) Unpack(tx store.Tx, lists *status.Lists, to func(space string) string) error {
	e := k.Evidence
	if there, err := store.Load[Evidence](tx, Key(e.ID)); err != nil || there != nil {
		return err
	}
	if lists != nil {
		e.Places = nil
		if err := e.Occupy(tx, lists, k.Evidence.Places); err != nil {
			return err
		}
	}
	e.Forms = e.Given
	for _, n := range slices.Sorted(maps.Keys(k.Free)) {
		tx.Put(formKey(e.ID, e.Forms), []byte(k.Free[n]))
		e.Forms++
	}
	for thumb, key := range k.Keys {
		if err := store.Save(tx, boundKey(thumb), key); err != nil {
			return err
		}
	}
	for space, form := range k.Given {
		tx.Put(FormKey(e.ID, to(space)), []byte(form))
	}
	if k.Current {
		if err := store.Save(tx, currentKey(e.Type, e.Issuer), e.ID); err != nil {
			return err
		}
	}
	return Keep(tx, &e)
}

// DropUnprovable drops the forms that are bound to a key which isn't in the
// archive, and the keys that are in no form: with such a form nothing could be
// proved to anybody. Its recipient gets another, or the issuer is asked for more.
// It is an error if a form can't be read.
func (k *Kept) DropUnprovable() error {
	used := map[string]bool{}
	provable := func(form string) (bool, error) {
		thumb, err := HolderIn(form)
		if err != nil {
			return false, err
		}
		used[thumb] = true
		return thumb == "" || k.Keys[thumb].fits(thumb), nil
	}
	for n, form := range k.Free {
		if ok, err := provable(form); err != nil {
			return err
		} else if !ok {
			delete(k.Free, n)
		}
	}
	for space, form := range k.Given {
		if ok, err := provable(form); err != nil {
			return err
		} else if !ok {
			delete(k.Given, space)
		}
	}
	maps.DeleteFunc(k.Keys, func(thumb string, key HolderKey) bool { return !used[thumb] || !key.fits(thumb) })
	return nil
}

// Pack returns the evidence as an archive has it.
func (e *Evidence) Pack(tx store.Tx) (k *Kept, err error) {
	k = &Kept{Evidence: *e, Free: map[int]string{}, Given: map[string]string{}, Keys: map[string]HolderKey{}}
	if k.Current, err = e.IsCurrent(tx); err != nil {
		return nil, err
	}
	prefix := "f" + e.ID + "\x00"
	forms, err := tx.Scan(prefix, "", MaxForms)
	for _, f := range forms {
		if err := k.keepKey(tx, f.Value); err != nil {
			return nil, err
		}
		n := 0
		if space, ok := strings.CutPrefix(f.Key, prefix+"w"); ok {
			k.Given[space] = string(f.Value)
		} else if _, err := fmt.Sscanf(strings.TrimPrefix(f.Key, prefix), "%04d", &n); err == nil {
			k.Free[n] = string(f.Value)
		}
	}
	return k, err
}
