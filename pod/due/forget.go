// SPDX-License-Identifier: EUPL-1.2

package due

import (
	"time"

	"skrin/pod/deposit"
	"skrin/pod/store"
)

// What is kept for a time (2026-11): the marks of what was logged on a day, which
// keep it from being logged twice, and how often an agent did what has a daily limit:
// both are of no use when the day is over; and what answered an idempotency key (see
// [deposit.AnswerKept]; in the standard pod for a day or two). All are found in the
// order in which they end, so that to forget them costs what is forgotten; and the pod
// says when it is due, as for its outbox, so that nobody goes through all pods. What
// has ended counts for nothing from then on, whether it has been removed yet or not.
const (
	forgetKey  = "B"            // when to look
	MarkKept   = 24 * time.Hour // a mark, at least: then it is of a day before
	forgetMost = 256            // of a kind, in one transaction
)

// ForgetsAt returns when the pod is looked at for something to forget; zero for never.
func ForgetsAt(tx store.Tx) (time.Time, error) {
	at, err := store.Load[time.Time](tx, forgetKey)
	if err != nil || at == nil {
		return time.Time{}, err
	}
	return *at, nil
}

// ForgetBy has the pod looked at when something that is kept ends, if not before.
func ForgetBy(tx store.Tx, end time.Time) error {
	next, err := store.Load[time.Time](tx, forgetKey)
	if err != nil || next != nil && !next.After(end) {
		return err
	}
	if err := store.Save(tx, forgetKey, end.UTC()); err != nil {
		return err
	}
	return Settle(tx)
}

// Forget removes what has ended, at most so much at a time, and says when to look
// again.
func Forget(tx store.Tx, now time.Time) error {
	now = now.UTC()
	marks, err := forgetMarks(tx, now)
	if err != nil {
		return err
	}
	answers, err := forgetAnswers(tx, now)
	if err != nil {
		return err
	}
	next := earliest(marks, answers)
	if next.IsZero() {
		tx.Delete(forgetKey)
		return Settle(tx)
	}
	if err := store.Save(tx, forgetKey, next); err != nil {
		return err
	}
	return Settle(tx)
}

// forgetMarks removes what is kept for a day, of the days before, and returns when to
// look again; zero if there is nothing of today.
func forgetMarks(tx store.Tx, now time.Time) (next time.Time, err error) {
	today := now.Format(time.DateOnly)
	for _, kind := range []struct{ prefix, from string }{
		{"x", today}, {"d", today}, {"t", today}, {"j", now.AddDate(0, 0, -1).Format("20060102")},
	} {
		pairs, err := tx.Scan(kind.prefix, "", forgetMost+1)
		if err != nil {
			return next, err
		}
		for i, pair := range pairs {
			if key := pair.Key[len(kind.prefix):]; key >= kind.from {
				if key[0] <= '9' { // else what follows are subscriptions
					next = now.Add(MarkKept)
				}
				break
			}
			if i == forgetMost {
				return now, nil
			}
			tx.Delete(pair.Key)
		}
	}
	return next, nil
}

// forgetAnswers removes those that have ended, likewise.
func forgetAnswers(tx store.Tx, now time.Time) (next time.Time, err error) {
	pairs, err := tx.Scan("J", "", forgetMost+1)
	if err != nil {
		return next, err
	}
	for i, pair := range pairs {
		answer, end := deposit.LapseOf(pair.Key)
		switch {
		case end.After(now):
			return end, nil
		case i == forgetMost:
			return now, nil
		}
		tx.Delete(pair.Key)
		tx.Delete(answer)
	}
	return next, nil
}
