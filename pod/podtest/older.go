// SPDX-License-Identifier: EUPL-1.2

package podtest

import (
	"encoding/json"

	"skrin/pod/store"
)

// Older leaves in a pod what schema 1 wrote: nothing is found by index, and what
// answered idempotency keys has no end. It counts the records that it met by the
// first letter of their key.
func Older(tx store.Tx) (map[byte]int, error) {
	met := map[byte]int{}
	pairs, err := tx.Scan("", "", 100_000)
	if err != nil {
		return nil, err
	}
	for _, pair := range pairs {
		switch met[pair.Key[0]]++; pair.Key[0] {
		case 'C', 'Q', 'R', 'J', 'B':
			tx.Delete(pair.Key)
		case 'i':
			var answer map[string]any
			if err := json.Unmarshal(pair.Value, &answer); err != nil {
				return nil, err
			}
			delete(answer, "Until")
			if err := store.Save(tx, pair.Key, answer); err != nil {
				return nil, err
			}
		}
	}
	return met, nil
}
