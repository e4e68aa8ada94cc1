// SPDX-License-Identifier: EUPL-1.2

package deposit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"skrin/ldp"
	"skrin/pod/space"
	"skrin/pod/store"
)

// AnswerKept is for how long the answer to a deposit that carried an idempotency key
// is remembered: as long as a provider may still repeat it, because it hasn't got the
// answer. Its queue may wait for a weekend and a holiday; after that the key is as
// good as new, and what was delivered before is refused as such.
const AnswerKept = 7 * 24 * time.Hour

// An Earlier is what is remembered of a deposit that carried an idempotency
// key.
type Earlier struct {
	Body    []byte // SHA-256
	ID      ldp.ID
	Receipt []byte
	Until   time.Time // whole seconds
}

// Good reports whether it is still to be answered so; e may be nil.
func (e *Earlier) Good(now time.Time) bool { return e != nil && now.Before(e.Until) }

// lapseKey finds what is remembered under a key by when it ends.
func (e *Earlier) lapseKey(key string) string { return fmt.Sprintf("J%016x", e.Until.Unix()) + key[1:] }

func earlierKey(s *space.Space, key string) string {
	sum := sha256.Sum256([]byte(key))
	return "i" + s.ID + "\x00" + hex.EncodeToString(sum[:])
}

// Repeated returns what answered an earlier deposit with the same idempotency
// key, nil if there was none. It need not be good any more.
func Repeated(tx store.Tx, s *space.Space, key string, body []byte, now time.Time) (*Earlier, error) {
	if key == "" {
		return nil, nil
	}
	e, err := store.Load[Earlier](tx, earlierKey(s, key))
	if err != nil || e == nil {
		return nil, err
	}
	if sum := sha256.Sum256(body); e.Good(now) && !bytes.Equal(e.Body, sum[:]) {
		return nil, ldp.Refuse(ldp.Unprocessable, "This Idempotency-Key was used for another body.")
	}
	return e, nil
}

// Remember notes what answers a deposit, in the place of what has lapsed, and returns
// when that is to be forgotten.
func Remember(tx store.Tx, s *space.Space, key string, body []byte, done ldp.Written, lapsed *Earlier, now time.Time) (time.Time, error) {
	at, sum := earlierKey(s, key), sha256.Sum256(body)
	if lapsed != nil {
		tx.Delete(lapsed.lapseKey(at))
	}
	e := &Earlier{sum[:], done.ID, done.Receipt, now.UTC().Truncate(time.Second).Add(AnswerKept)}
	return e.Until, e.Keep(tx, at)
}

// Keep stores it under a key, so that it is found when it has lapsed.
func (e *Earlier) Keep(tx store.Tx, key string) error {
	tx.Put(e.lapseKey(key), []byte{store.Layout})
	return store.Save(tx, key, e)
}

// LapseEntry is what finds the answer under a key by when it ends.
func LapseEntry(key string, value []byte) (at string, says []byte, err error) {
	e, err := store.Decode[Earlier](key, value)
	if err != nil {
		return "", nil, err
	}
	return e.lapseKey(key), []byte{store.Layout}, nil
}

// LapseOf reads a key that finds an answer by when it ends; one that can't be read
// finds none, and has ended.
func LapseOf(key string) (answer string, end time.Time) {
	if len(key) <= 1+16 {
		return "", end
	}
	at, err := strconv.ParseInt(key[1:1+16], 16, 64)
	if err != nil {
		return "", end
	}
	return "i" + key[1+16:], time.Unix(at, 0).UTC()
}
