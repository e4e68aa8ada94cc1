// SPDX-License-Identifier: EUPL-1.2

package resource

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"skrin/ldp"
	"skrin/pod/store"
)

// A Daily limit counts what agents do in a pod each day, under keys that begin
// with prefix.
type Daily struct {
	Prefix      string
	Total, Each int // of all agents; of one WebID
	Detail      string
}

// Count counts one more, and refuses one too many. first says that it is the first of
// the day: what counts it is of no use when that is over.
func (d Daily) Count(tx store.Tx, r *Right) (first bool, err error) {
	today := d.Prefix + r.Now.UTC().Format(time.DateOnly)
	keys, limits := []string{today}, []int{d.Total}
	if r.who.Known() {
		sum := sha256.Sum256([]byte(r.who.ID))
		keys, limits = append(keys, today+"\x00"+hex.EncodeToString(sum[:])), append(limits, d.Each)
	}
	for i, key := range keys {
		n, err := store.Load[int](tx, key)
		if err != nil {
			return false, err
		}
		first = first || i == 0 && n == nil
		if n == nil {
			n = new(int)
		}
		if *n++; *n > limits[i] {
			return false, &ldp.Fault{Kind: ldp.TooMany, Detail: d.Detail, Header: "Retry-After: 86400"}
		}
		if err := store.Save(tx, key, *n); err != nil {
			return false, err
		}
	}
	old, err := tx.Scan(d.Prefix, "", 8)
	for _, pair := range old {
		if pair.Key < today {
			tx.Delete(pair.Key)
		}
	}
	return first, err
}
