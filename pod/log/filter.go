// SPDX-License-Identifier: EUPL-1.2

package log

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"sort"
	"time"

	"skrin/pod/store"
)

// A Filter says which entries are wanted. The zero Filter wants all.
type Filter struct {
	Party   string    // whom they are about
	Actions []Action  // one of these
	From    time.Time // not before
	Until   time.Time // before
}

func (f *Filter) wants(e *Entry) bool {
	return (f.Party == "" || e.Party == f.Party) && (f.Actions == nil || slices.Contains(f.Actions, e.Action))
}

// maxLook is how many entries are looked at for one page of those that are wanted.
const maxLook = 2048

// page is how many are read at once.
const page = 256

// needles are bytes of which an entry has one at least, as it is stored, if it can
// be wanted: so that most that aren't needn't be decoded.
func (f *Filter) needles() (all [][]byte, err error) {
	if f.Party != "" {
		b, err := json.Marshal(f.Party)
		return [][]byte{append([]byte(`"party":`), b...)}, err
	}
	for _, action := range f.Actions {
		all = append(all, []byte(`"action":"`+string(action)+`"`))
	}
	return all, nil
}

// LookBack finds what is wanted before the entry numbered end, and not before the
// one numbered first.
func LookBack(tx store.Tx, f *Filter, first, end uint64, limit int) (entries []Entry, more uint64, err error) {
	needles, err := f.needles()
	if err != nil {
		return nil, 0, err
	}
	for looked := 0; end > first; {
		var keys []string
		for seq := end - 1; seq >= first && len(keys) < page; seq-- {
			keys = append(keys, Key(seq))
		}
		values, err := tx.Get(keys...)
		if err != nil {
			return nil, 0, err
		}
		for i, value := range values {
			if len(entries) == limit || looked == maxLook {
				return entries, end, nil
			}
			end, looked = end-1, looked+1
			if needles != nil && !slices.ContainsFunc(needles, func(n []byte) bool { return bytes.Contains(value, n) }) {
				continue
			}
			e, err := store.Decode[Entry](keys[i], value)
			if err != nil {
				return nil, 0, err
			}
			if f.wants(e) {
				entries = append(entries, *e)
			}
		}
	}
	return entries, 0, nil
}

// FirstSince returns the number of the first entry that is not before at; end if
// there is none before the entry numbered end. Times ascend with the numbers.
func FirstSince(tx store.Tx, at time.Time, end uint64) (uint64, error) {
	var err error
	i := sort.Search(int(end)-1, func(i int) bool {
		e, found := store.Load[Entry](tx, Key(uint64(i)+1))
		err = cmp.Or(err, found)
		return e != nil && !e.Time.Before(at)
	})
	return uint64(i) + 1, err
}
