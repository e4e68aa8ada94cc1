// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"skrin/auth"
	"skrin/pod/sealed"
	"skrin/pod/store"
	"skrin/pod/upkeep"
)

// An upgrade brings all pods of a store to this version's upkeep.Schema, before anybody
// is served: page by page, each noted when it is done, so that what is killed goes on
// from there. Several nodes may do it at once; each starts to serve when all pods are
// done. Nodes of the version before must not run any more, since they would write what
// no index finds.
type upgrade struct {
	Schema int    `json:"schema"` // what the pods up to After have, in the order of their ids
	After  string `json:"after,omitempty"`
	Seen   int64  `json:"seen,omitempty"` // how many these are
	Done   bool   `json:"done"`           // all have it

	version uint64
	of      int64 // how many pods there are
	damaged atomic.Int64
	shown   time.Time
	log     *slog.Logger
	told    func(pace) // may be nil
}

const (
	upgradeKind = "pod schema" // of the record that says how far it is; migration 5 of pod/postgres knows it
	upgradeKey  = "pods"
	upgradePage = 512
	upgradeSays = 2 * time.Second
)

// upgrade brings all pods to this version's schema, if they don't have it.
func (s *chest) upgrade(ctx context.Context, u *upgrade) error {
	for began := time.Now(); ; {
		err := s.loadUpgrade(ctx, u)
		switch {
		case err != nil:
			return err
		case u.Done && u.damaged.Load() > 0:
			u.log.Error("some pods could not be brought to the new schema: see what fsck says of them", "pods", u.damaged.Load())
			return nil
		case u.Done && u.of > 0:
			u.log.Info("all pods have the new schema", "schema", u.Schema, "pods", u.Seen, "took", time.Since(began).Round(time.Millisecond))
			return nil
		case u.Done:
			return nil
		}
		if err := s.upgradePage(ctx, u); err != nil {
			return fmt.Errorf("bring the pods to schema %d: %w", upkeep.Schema, err)
		}
	}
}

// loadUpgrade reads how far it is.
func (s *chest) loadUpgrade(ctx context.Context, u *upgrade) error {
	u.Schema, u.After, u.Seen, u.Done = 0, "", 0, false
	r, err := s.records.Load(ctx, upgradeKind, upgradeKey)
	if err == nil {
		err = json.Unmarshal(r.Value, u)
	} else if errors.Is(err, auth.ErrNoRecord) {
		err = nil
	}
	u.version = r.Version
	switch {
	case errors.Is(err, sealed.ErrDamaged): // the first that is read of all
		return fmt.Errorf("it can't be read: is the master key (key-file) the one with which it was made? %w", err)
	case err != nil:
		return fmt.Errorf("which schema the pods have: %w", err)
	case u.Schema > upkeep.Schema:
		return fmt.Errorf("the pods have schema %d, written by a newer skrin; this one knows up to %d. Start the newer version", u.Schema, upkeep.Schema)
	case u.Schema < upkeep.Schema:
		u.Schema, u.After, u.Seen, u.Done = upkeep.Schema, "", 0, false
	}
	return nil
}

// upgradePage does the next pods, and notes that they are done.
func (s *chest) upgradePage(ctx context.Context, u *upgrade) error {
	if u.of == 0 {
		if err := s.walk(ctx, func(string) error { u.of++; return nil }); err != nil {
			return err
		}
	}
	ids, err := s.engine.Pods(ctx, u.After, upgradePage)
	if err != nil {
		return err
	}
	if err := abreast(len(ids), func(i int) error { return s.upgradePod(ctx, u, ids[i]) }); err != nil {
		return err
	}
	if u.Done = len(ids) < upgradePage; len(ids) > 0 {
		u.After = ids[len(ids)-1]
	}
	u.Seen += int64(len(ids))
	text, err := json.Marshal(u)
	if err != nil {
		return err
	}
	err = s.records.Save(ctx, upgradeKind, upgradeKey, auth.Record{Value: text, Version: u.version})
	if err != nil && !errors.Is(err, auth.ErrChanged) { // which it is when another node was faster
		return err
	}
	u.tell()
	return nil
}

// upgradePod does one pod. One that is damaged keeps nobody else's from being served:
// it is counted, and fsck tells what is amiss.
func (s *chest) upgradePod(ctx context.Context, u *upgrade, id string) error {
	err := upkeep.Upgrade(ctx, s.store, id, time.Now())
	switch {
	case err == nil, errors.Is(err, store.ErrNoPod), errors.Is(err, store.ErrNoKey): // erased, or half
		return nil
	case !errors.Is(err, sealed.ErrDamaged) && !errors.Is(err, store.ErrLayout):
		return err
	}
	u.damaged.Add(1)
	u.log.Warn("a pod could not be brought to the new schema", "pod", id, "error", err)
	return nil
}

// tell says how far it is.
func (u *upgrade) tell() {
	of := max(u.of, u.Seen)
	if of == 0 {
		return
	}
	if u.told != nil {
		u.told(pace{u.Seen, of, "pods"})
	}
	if time.Since(u.shown) > upgradeSays {
		u.shown = time.Now()
		u.log.Info("the pods are brought to a new schema", "schema", u.Schema, "done", u.Seen, "of", of)
	}
}
