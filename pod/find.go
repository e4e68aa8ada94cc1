// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"cmp"
	"context"
	"slices"

	"skrin/acl"
	"skrin/pod/log"
	"skrin/pod/registry"
	"skrin/pod/space"
	"skrin/pod/store"
)

// Find returns the entries of the owner's log that are wanted, newest first: at
// most limit that come before the entry numbered before; 0 for from the newest.
// more, if not 0, is where to go on: where little is wanted of a long log, it may
// be that few or none were found as yet.
func (p *Pod) Find(ctx context.Context, who acl.Agent, f log.Filter, before uint64, limit int) (entries []log.Entry, more uint64, err error) {
	err = p.viewPart(ctx, who, logPart, func(tx store.Tx) error {
		entries, more = nil, 0
		head, err := store.Load[log.Head](tx, "h")
		if err != nil || head == nil {
			return err
		}
		end := head.Seq + 1
		if before != 0 {
			end = min(end, before)
		}
		if !f.Until.IsZero() {
			if end, err = log.FirstSince(tx, f.Until, end); err != nil {
				return err
			}
		}
		first := uint64(1)
		if !f.From.IsZero() {
			if first, err = log.FirstSince(tx, f.From, end); err != nil {
				return err
			}
		}
		entries, more, err = log.LookBack(tx, &f, first, end, limit)
		return err
	})
	return entries, more, err
}

// Counterparts returns the owner's spaces with every party that she has had to do
// with, by the party's id.
func (p *Pod) Counterparts(ctx context.Context, who acl.Agent) ([]space.Connection, error) {
	var all []space.Connection
	err := p.viewPart(ctx, who, partiesPart, func(tx store.Tx) error {
		var spaces []space.Space
		if err := store.Each(tx, space.Key(""), func(s *space.Space) bool { spaces = append(spaces, *s); return true }); err != nil {
			return err
		}
		all = nil
		for _, s := range spaces {
			party, err := registry.PartyOrName(ctx, p.Registry, s.Party)
			if err != nil {
				return err
			}
			all = append(all, space.Connection{Space: s, Party: party})
		}
		return nil
	})
	slices.SortFunc(all, func(a, b space.Connection) int { return cmp.Compare(a.Party.ID, b.Party.ID) })
	return all, err
}
