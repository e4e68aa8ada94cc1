// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"sync"
	"time"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/log"
	"skrin/pod/record"
	"skrin/pod/store"
)

// A ReadCount is how often, on one day, an app read and wrote in the name of the
// pod's owner; or everybody read what everybody may.
type ReadCount struct {
	Day    string // "2026-11-21", in UTC
	Client string // the app's client_id; "" for everybody
	Reads  uint64
	Writes uint64 `json:",omitempty"` // by the app
}

// useKey has the app's digest for a name, since a client_id may be long.
func useKey(day, client string) string {
	if client == "" {
		return "u" + day
	}
	sum := sha256.Sum256([]byte(client))
	return "u" + day + "\x00" + hex.EncodeToString(sum[:])
}

// errFirst ends a View in which something must be written: a read that has to be
// logged first.
var errFirst = errors.New("to be logged first")

// read runs fn, which reads the resource for who, and notes that it did. A read
// by anybody but the owner is logged in the transaction that permits it, so it
// is an Update from the start, unless it is a stranger's, who reads only what
// everybody may. That is counted. What an app reads in the owner's name is
// counted too, and its first read of a day is logged.
func (p *Pod) read(ctx context.Context, who acl.Agent, id ldp.ID, fn func(store.Tx) (public acl.Mode, err error)) error {
	var use *tallied
	run := func(writes bool) func(store.Tx) error {
		return func(tx store.Tx) error {
			if writes {
				store.Ahead(tx, log.HeadKey)
			}
			public, err := fn(tx)
			if err == nil {
				use, err = p.note(tx, who, id, public, writes)
			}
			return err
		}
	}
	var err error
	if who.Known() && p.ownName(who) != store.Name("pod/"+id.First()) {
		err = p.update(ctx, who, id, run(true))
	} else if err = p.view(ctx, who, id, run(false)); errors.Is(err, errFirst) {
		err = p.update(ctx, who, id, run(true))
	}
	if err != nil {
		return err
	}
	return p.count(ctx, use)
}

// count adds one to the tally, and settles it first if it is full.
func (p *Pod) count(ctx context.Context, use *tallied) error {
	if use == nil || p.tally.add(*use) {
		return nil
	}
	err := p.Settle(ctx)
	p.tally.add(*use)
	return err
}

// write runs fn, which changes a resource for who, by ch, and says what it did to which;
// and notes that in the same transaction. A write by anybody but the owner is
// logged: a stranger's once a day for each container, since it may be anybody's
// doing to fill the log. What an app writes in the owner's name is counted, and
// its first use of a day logged.
func (p *Pod) write(ctx context.Context, who acl.Agent, id ldp.ID, fn func(tx store.Tx, ch *record.Change) (did log.Action, to ldp.ID, err error)) error {
	ch, err := record.NewChange(p.Now(), p.Rand)
	if err != nil {
		return err
	}
	var use *tallied
	err = p.update(ctx, who, id, func(tx store.Tx) error {
		use = nil
		if p.ownName(who) != store.Name("pod/"+id.First()) {
			store.Ahead(tx, log.HeadKey)
		}
		did, to, err := fn(tx, &ch)
		if err == nil && did != "" {
			use, err = p.noteWrite(tx, who, did, to)
		}
		return err
	})
	if err != nil {
		return err
	}
	return p.count(ctx, use)
}

func (p *Pod) noteWrite(tx store.Tx, who acl.Agent, did log.Action, to ldp.ID) (*tallied, error) {
	switch own := p.ownName(who) == store.Name("pod/"+to.First()); {
	case !who.Known():
		return nil, p.marked(tx)(log.EnterDaily(tx, p.Now(), log.Entry{Action: did, Path: string(to.Parent())}))
	case !own:
		return nil, log.Enter(tx, p.Now(), log.Entry{Action: did, Agent: who.ID, Client: who.Client, Path: string(to)})
	case who.Client == "":
		return nil, nil // the person, on the pages of this server
	}
	return p.noteUse(tx, tallied{pod: tx.Pod(), day: p.Now().UTC().Format(time.DateOnly), client: who.Client, wrote: true}, true)
}

// note logs a read that was permitted, or says how it is to be counted.
func (p *Pod) note(tx store.Tx, who acl.Agent, id ldp.ID, public acl.Mode, writes bool) (*tallied, error) {
	use := &tallied{pod: tx.Pod(), day: p.Now().UTC().Format(time.DateOnly)}
	owner := who.Known() && p.ownName(who) == store.Name("pod/"+id.First())
	switch {
	case owner && who.Client == "":
		return nil, nil // the person, on the pages of this server
	case !owner && (public.Has(acl.Read) || !who.Known()):
		return use, nil
	case !owner:
		return nil, log.Enter(tx, p.Now(), log.Entry{Action: log.DidVisit, Agent: who.ID, Client: who.Client, Path: string(id)})
	}
	use.client = who.Client
	return p.noteUse(tx, *use, writes)
}

// noteUse logs an app's first use of a day.
func (p *Pod) noteUse(tx store.Tx, use tallied, writes bool) (*tallied, error) {
	if p.tally.has(use) {
		return &use, nil
	}
	known, err := store.Load[ReadCount](tx, useKey(use.day, use.client))
	switch {
	case err != nil || known != nil:
		return &use, err
	case !writes:
		return nil, errFirst
	}
	if err := store.Save(tx, useKey(use.day, use.client), ReadCount{Day: use.day, Client: use.client}); err != nil {
		return nil, err
	}
	return &use, log.Enter(tx, p.Now(), log.Entry{Action: log.DidUse, Client: use.client})
}

// A tally counts reads until they are added to what the store has.
type tally struct {
	mu     sync.Mutex
	counts map[tallied]uint64
}

type tallied struct {
	pod, day, client string
	wrote            bool
}

const maxTally = 100_000 // counts that wait

// add counts one; false if there is no place for one more.
func (t *tally) add(use tallied) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.counts[use]; !ok && len(t.counts) >= maxTally {
		return false
	}
	if t.counts == nil {
		t.counts = map[tallied]uint64{}
	}
	t.counts[use]++
	return true
}

func (t *tally) has(use tallied) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts[use] > 0
}

// take empties the tally.
func (t *tally) take() map[tallied]uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	counts := t.counts
	t.counts = nil
	return counts
}

// give puts back what could not be stored.
func (t *tally) give(use tallied, n uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = map[tallied]uint64{}
	}
	t.counts[use] += n
}

// Settle adds the reads and writes that were counted since it was last called to what the
// store has. Whoever runs the server calls it every minute or so, and at the end:
// a crash loses the counts since, and never an entry of the log. It tells nobody
// anything, and so needs no agent.
func (p *Pod) Settle(ctx context.Context) error {
	var errs []error
	for use, n := range p.tally.take() {
		err := p.Store.Update(ctx, store.Name("id/"+use.pod), func(tx store.Tx) error {
			key := useKey(use.day, use.client)
			u, err := store.Load[ReadCount](tx, key)
			if err != nil {
				return err
			}
			if u == nil {
				u = &ReadCount{Day: use.day, Client: use.client}
			}
			if use.wrote {
				u.Writes += n
			} else {
				u.Reads += n
			}
			return store.Save(tx, key, u)
		})
		switch {
		case errors.Is(err, store.ErrNoPod): // erased meanwhile
		case err != nil:
			p.tally.give(use, n)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// ReadCounts returns what was counted of the owner's pod since a day, the oldest day
// first.
func (p *Pod) ReadCounts(ctx context.Context, who acl.Agent, since time.Time) (all []ReadCount, err error) {
	err = p.viewOwn(ctx, who, func(tx store.Tx) error {
		all = nil
		first := "u" + since.UTC().AddDate(0, 0, -1).Format(time.DateOnly) + "\xff"
		return store.EachAfter(tx, "u", first, func(u *ReadCount) bool { all = append(all, *u); return true })
	})
	return all, err
}

// Log returns the owner's log, newest first: at most limit entries that come
// before the entry numbered before; 0 for from the newest.
func (p *Pod) Log(ctx context.Context, who acl.Agent, before uint64, limit int) ([]log.Entry, error) {
	var entries []log.Entry
	err := p.viewOwn(ctx, who, func(tx store.Tx) error {
		head, err := store.Load[log.Head](tx, "h")
		if err != nil || head == nil {
			return err
		}
		if before == 0 || before > head.Seq {
			before = head.Seq + 1
		}
		var keys []string
		for seq := before - 1; seq > 0 && len(keys) < limit; seq-- {
			keys = append(keys, log.Key(seq))
		}
		values, err := tx.Get(keys...)
		if err != nil {
			return err
		}
		for i, value := range values {
			e, err := store.Decode[log.Entry](keys[i], value)
			if err != nil {
				return err
			}
			entries = append(entries, *e)
		}
		return nil
	})
	return entries, err
}

// Renumbered tells the person, in her log, that she has another number than before,
// as party has said; "" for her eID. Neither number comes here. Who has no pod has no
// log.
func (p *Pod) Renumbered(ctx context.Context, person, party string) error {
	who, err := p.Owner(ctx, person)
	if errors.Is(err, store.ErrNoPod) {
		return nil
	}
	if err != nil {
		return err
	}
	return p.updateOwn(ctx, who, func(tx store.Tx) error {
		return log.Enter(tx, p.Now(), log.Entry{Action: log.DidRenumber, Party: party})
	})
}
