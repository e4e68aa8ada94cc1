// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"sort"
	"time"

	"skrin/acl"
	"skrin/pod/resource"
	"skrin/pod/store"
)

// A LogFilter says which entries are wanted. The zero LogFilter wants all.
type LogFilter struct {
	Party   string    // whom they are about
	Actions []Action  // one of these
	From    time.Time // not before
	Until   time.Time // before
}

func (f *LogFilter) wants(e *Entry) bool {
	return (f.Party == "" || e.Party == f.Party) && (f.Actions == nil || slices.Contains(f.Actions, e.Action))
}

// maxLook is how many entries are looked at for one page of those that are wanted.
const maxLook = 2048

// Find returns the entries of the owner's log that are wanted, newest first: at
// most limit that come before the entry numbered before; 0 for from the newest.
// more, if not 0, is where to go on: where little is wanted of a long log, it may
// be that few or none were found as yet.
func (p *Pod) Find(ctx context.Context, who acl.Agent, f LogFilter, before uint64, limit int) (entries []Entry, more uint64, err error) {
	err = p.viewPart(ctx, who, logPart, func(tx store.Tx) error {
		entries, more = nil, 0
		head, err := store.Load[logHead](tx, "h")
		if err != nil || head == nil {
			return err
		}
		end := head.Seq + 1
		if before != 0 {
			end = min(end, before)
		}
		if !f.Until.IsZero() {
			if end, err = firstSince(tx, f.Until, end); err != nil {
				return err
			}
		}
		first := uint64(1)
		if !f.From.IsZero() {
			if first, err = firstSince(tx, f.From, end); err != nil {
				return err
			}
		}
		entries, more, err = lookBack(tx, &f, first, end, limit)
		return err
	})
	return entries, more, err
}

// needles are bytes of which an entry has one at least, as it is stored, if it can
// be wanted: so that most that aren't needn't be decoded.
func (f *LogFilter) needles() (all [][]byte, err error) {
	if f.Party != "" {
		b, err := json.Marshal(f.Party)
		return [][]byte{append([]byte(`"party":`), b...)}, err
	}
	for _, action := range f.Actions {
		all = append(all, []byte(`"action":"`+string(action)+`"`))
	}
	return all, nil
}

// lookBack finds what is wanted before the entry numbered end, and not before the
// one numbered first.
func lookBack(tx store.Tx, f *LogFilter, first, end uint64, limit int) (entries []Entry, more uint64, err error) {
	needles, err := f.needles()
	if err != nil {
		return nil, 0, err
	}
	for looked := 0; end > first; {
		var keys []string
		for seq := end - 1; seq >= first && len(keys) < resource.Page; seq-- {
			keys = append(keys, logKey(seq))
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

// firstSince returns the number of the first entry that is not before at; end if
// there is none before the entry numbered end. Times ascend with the numbers.
func firstSince(tx store.Tx, at time.Time, end uint64) (uint64, error) {
	var err error
	i := sort.Search(int(end)-1, func(i int) bool {
		e, found := store.Load[Entry](tx, logKey(uint64(i)+1))
		err = cmp.Or(err, found)
		return e != nil && !e.Time.Before(at)
	})
	return uint64(i) + 1, err
}

// Counterparts returns the owner's spaces with every party that she has had to do
// with, by the party's id.
func (p *Pod) Counterparts(ctx context.Context, who acl.Agent) ([]Connection, error) {
	var all []Connection
	err := p.viewPart(ctx, who, partiesPart, func(tx store.Tx) error {
		var spaces []Space
		if err := store.Each(tx, spaceKey(""), func(s *Space) bool { spaces = append(spaces, *s); return true }); err != nil {
			return err
		}
		all = nil
		for _, s := range spaces {
			party, err := p.partyOrName(ctx, s.Party)
			if err != nil {
				return err
			}
			all = append(all, Connection{s, party})
		}
		return nil
	})
	slices.SortFunc(all, func(a, b Connection) int { return cmp.Compare(a.Party.ID, b.Party.ID) })
	return all, err
}
