// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"skrin/pod/store"
	"skrin/pod/upkeep"
	"skrin/pod/web"
)

// accounts shows on a person's pages how she signs in. It implements
// web.Accounts.
type accounts struct{ *server }

func (a accounts) Ways(ctx context.Context, person string) ([]web.Way, error) {
	ids, err := a.vault.Known(ctx, person)
	if err != nil {
		return nil, err
	}
	var all []web.Way
	for _, id := range ids {
		all = append(all, web.Way{Scheme: id.Scheme, Until: id.Until})
	}
	keys, err := a.passkeys.List(ctx, person)
	for _, k := range keys {
		all = append(all, web.Way{ID: k.ID, Added: k.Added, Used: k.Used})
	}
	return all, err
}

func (a accounts) RemovePasskey(ctx context.Context, person, id string) error {
	return a.passkeys.Remove(ctx, person, id)
}

func (a accounts) Visits(r *http.Request) ([]web.Visit, error) {
	all, err := a.sessions.SignIns(r)
	var out []web.Visit
	for _, s := range all {
		out = append(out, web.Visit{ID: s.ID, Browser: s.Browser, System: s.System, Since: s.Since, Used: s.Used, Current: s.Current})
	}
	return out, err
}

func (a accounts) EndVisit(r *http.Request, id string) error {
	if id == "" {
		return a.sessions.EndOthers(r)
	}
	return a.sessions.End(r, id)
}

// farewell erases, every minute until ctx is done, the pods whose owners' time to
// think again has passed.
func (s *server) farewell(ctx context.Context) {
	every := time.NewTicker(time.Minute)
	defer every.Stop()
	for {
		if err := s.eraseLeavers(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("who has left is not erased", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}

// eraseLeavers forgets how each of them signs in, and then erases her pod: what a
// crash interrupts is done again from the beginning.
func (s *server) eraseLeavers(ctx context.Context) error {
	all, err := s.pod.Leavers(ctx, 100)
	for _, l := range all {
		err = errors.Join(err, s.forget(ctx, l.Person))
		if err == nil {
			err = upkeep.Erase(ctx, s.store, s.blobs, s.keys, l.Pod)
		}
		if errors.Is(err, store.ErrNoPod) { // another node was faster
			err = nil
		}
		if err != nil {
			return err
		}
		s.log.Info("a pod was erased, as its owner wished") // whose, is nobody's business
	}
	return err
}

// forget removes all by which a person could sign in, or somebody else in her
// name.
func (s *server) forget(ctx context.Context, person string) error {
	owner, err := s.pod.Owner(ctx, person)
	if errors.Is(err, store.ErrNoPod) {
		return nil // it was done before
	}
	if err != nil {
		return err
	}
	helpers := apps{s.provider, s.pod, s.hub}
	approved, err := helpers.Apps(ctx, owner.ID)
	for _, a := range approved {
		err = errors.Join(err, helpers.RemoveApp(ctx, owner.ID, a.ID))
	}
	scripts, more := helpers.Scripts(ctx, person)
	for _, one := range scripts {
		more = errors.Join(more, helpers.RemoveScript(ctx, person, one.ID))
	}
	return errors.Join(err, more, s.sessions.EndAll(ctx, person), s.passkeys.Forget(ctx, person), s.vault.Forget(ctx, person))
}
