// SPDX-License-Identifier: EUPL-1.2

package upkeep

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"skrin/pod/consent"
	"skrin/pod/deposit"
	"skrin/pod/due"
	"skrin/pod/evidence"
	"skrin/pod/store"
)

// Schema numbers what is kept in a pod under which keys. Whoever raises it has
// [Upgrade] lead there, and raises the format of pod/pebble and the version of
// pod/postgres, so that no older program opens what it would misread:
//
//	1  2026-11  the first
//	2  2026-11  consents, open requests, evidence and answers to idempotency keys are found by index
const Schema = 2

// An index finds what there is of a kind in another order than that of its ids: its
// keys are the letter by, 16 hexadecimal digits to order them, and the rest of the
// key of what they find, which begins with the letter of.
type index struct {
	by, of, what string
	// entry is the key and the value that find what is under key; "" for nothing.
	entry func(key string, value []byte) (at string, says []byte, err error)
}

// indexes are all that can be made from what they find.
func indexes() []index {
	return []index{
		{"C", "c", "consents", consent.LastingEntry},
		{"Q", "q", "open requests", consent.OpenEntry},
		{"R", "e", "evidence", evidence.NewestEntry},
		{"J", "i", "answers to idempotency keys", deposit.LapseEntry},
	}
}

// finds returns the key of what a key of the index finds; "" if it is none.
func (x *index) finds(key string) string {
	if len(key) <= len(x.by)+16 {
		return ""
	}
	return x.of + key[len(x.by)+16:]
}

// Upgrade brings a pod from whatever [Schema] came before to this one: it makes the
// indexes anew from what they find, and removes from them what finds nothing. No
// transaction is large, however much the pod holds, and each leaves it better than
// it was: what is interrupted is finished by doing it again, and a pod that is in
// order is not written. It is for whoever opens a store, and needs no agent.
func Upgrade(ctx context.Context, s store.Store, id string, now time.Time) error {
	const page = 256
	for left := upgrades(within(id, now)); len(left) > 0; {
		var then []part
		err := s.Update(ctx, store.Name("id/"+id), func(tx store.Tx) error {
			then = nil
			for _, p := range left {
				pairs, err := tx.Scan(p.prefix, p.after, page)
				if err != nil {
					return err
				}
				if len(pairs) == page {
					then = append(then, part{p.prefix, pairs[page-1].Key, p.do})
				}
				if err := p.do(tx, pairs); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("upgrade a pod: %w", err)
		}
		left = then
	}
	return nil
}

// within returns a time from a day to a week after now, another for each pod: they
// must not be due all at once.
func within(id string, now time.Time) time.Time {
	sum := sha256.Sum256([]byte(id))
	some := (deposit.AnswerKept - due.MarkKept) / (1 << 32) * time.Duration(binary.BigEndian.Uint32(sum[:]))
	return now.UTC().Add(due.MarkKept + some).Truncate(time.Second)
}

// A part of an Upgrade is what is done, page by page, to all under a prefix.
type part struct {
	prefix, after string
	do            func(store.Tx, []store.Pair) error
}

// upgrades are the parts; what was kept for ever lapses at a time.
func upgrades(lapse time.Time) []part {
	all := []part{
		{"x", "", forgetsDaily(lapse)},
		{"d", "", forgetsDaily(lapse)}, {"t2", "", forgetsDaily(lapse)}, {"j", "", forgetsDaily(lapse)},
		{"i", "", func(tx store.Tx, answers []store.Pair) error { return dateAnswers(tx, answers, lapse) }},
	}
	for _, x := range indexes() {
		all = append(all, part{x.by, "", x.prune}, part{x.of, "", x.complete})
	}
	return all
}

// forgetsDaily has a pod looked at in which there is something that is kept for a day.
func forgetsDaily(lapse time.Time) func(store.Tx, []store.Pair) error {
	return func(tx store.Tx, marks []store.Pair) error {
		if len(marks) == 0 {
			return nil
		}
		return due.ForgetBy(tx, lapse)
	}
}

// dateAnswers gives an end to what was remembered without one, and has the pod looked at
// when it comes.
func dateAnswers(tx store.Tx, answers []store.Pair, lapse time.Time) error {
	for _, pair := range answers {
		e, err := store.Decode[deposit.Earlier](pair.Key, pair.Value)
		if err != nil {
			return err
		}
		if e.Until.IsZero() {
			e.Until = lapse
			if err := e.Keep(tx, pair.Key); err != nil {
				return err
			}
		} // else dated by a newer version than the one before, which may have been brought back to that
		if err := due.ForgetBy(tx, e.Until); err != nil {
			return err
		}
	}
	return nil
}

// prune removes keys of the index that find nothing, or find it out of its order.
func (x index) prune(tx store.Tx, pairs []store.Pair) error {
	keys := make([]string, len(pairs))
	for i, pair := range pairs {
		keys[i] = x.finds(pair.Key)
	}
	values, err := tx.Get(keys...)
	if err != nil {
		return err
	}
	for i, pair := range pairs {
		at := ""
		if values[i] != nil {
			if at, _, err = x.entry(keys[i], values[i]); err != nil {
				return err
			}
		}
		if at != pair.Key {
			tx.Delete(pair.Key)
		}
	}
	return nil
}

// complete puts the keys of the index that find these, where they are missing.
func (x index) complete(tx store.Tx, pairs []store.Pair) error {
	var keys []string
	var says [][]byte
	for _, pair := range pairs {
		at, say, err := x.entry(pair.Key, pair.Value)
		if err != nil {
			return err
		}
		if at != "" {
			keys, says = append(keys, at), append(says, say)
		}
	}
	values, err := tx.Get(keys...)
	if err != nil {
		return err
	}
	for i, key := range keys {
		if !bytes.Equal(values[i], says[i]) {
			tx.Put(key, says[i])
		}
	}
	return nil
}
