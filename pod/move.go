// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/archive"
	"skrin/pod/evidence"
	"skrin/pod/log"
	"skrin/pod/mandate"
	"skrin/pod/outbox"
	"skrin/pod/record"
	"skrin/pod/resource"
	"skrin/pod/space"
	"skrin/pod/store"
	"skrin/pod/upkeep"
)

// How a pod moves (2026-11-22): it is exported here, imported there, and then told
// here where it went. From that moment on whoever asks for anything in it is sent
// to the same place there (308), without being told whether it exists; each
// counterpart is told its own new address by a notification, which this server signs,
// and sent there too if it asks at the old. What was in the pod is removed here; its
// name, its owner and its log stay, until the owner leaves. We gave up that a
// move can be undone: it is a move back.

// MoveTo says that the owner's pod is another now, at a server that has imported
// it. to is what the import came to. To say it twice is no error, and finishes
// what was interrupted.
func (p *Pod) MoveTo(ctx context.Context, who acl.Agent, to archive.Imported) error {
	u, err := url.Parse(to.Root)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || !strings.HasSuffix(u.Path, "/") || u.RawQuery+u.Fragment != "" {
		return ldp.Refuse(ldp.Invalid, "Say where the pod is now: the URL of its root, with a slash at the end.")
	}
	var id string
	err = p.updateOwn(ctx, who, func(tx store.Tx) error {
		id = tx.Pod()
		h, err := record.HomeOf(tx)
		switch {
		case err != nil || h.Moved == to.Root:
			return err
		case h.Moved != "":
			return ldp.Refuse(ldp.Conflict, "The pod has moved already, to "+h.Moved+".")
		case to.From != p.url(ldp.ID("/"+h.Name+"/")) || to.Root == to.From:
			return ldp.Refuse(ldp.Conflict, "What was imported there is not this pod.")
		}
		h.Moved = to.Root
		tx.Put(record.HomeKey, h.Encode())
		if err := p.moveSpaces(ctx, tx, u.Scheme+"://"+u.Host, to.Spaces); err != nil {
			return err
		}
		return log.Enter(tx, p.Now(), log.Entry{Action: log.DidMove, Path: to.Root})
	})
	if err != nil {
		return err
	}
	p.wake(nil)
	return errors.Join(p.emptyMoved(ctx, id), upkeep.EmptyBlobs(ctx, p.Blobs, id))
}

// moveSpaces says of each space where it is now, and tells who knows it.
func (p *Pod) moveSpaces(ctx context.Context, tx store.Tx, base string, ids map[string]string) error {
	var all []*space.Space
	if err := store.Each(tx, space.Key(""), func(s *space.Space) bool { all = append(all, s); return true }); err != nil {
		return err
	}
	for _, s := range all {
		to := ids[s.ID]
		if !store.IsID(to) {
			continue // it was made since; nobody is there
		}
		s.Moved = base + "/w/" + to + "/"
		if err := store.Save(tx, space.Key(s.ID), s); err != nil {
			return err
		}
		if err := p.tell(ctx, tx, outbox.Notification{Party: s.Party, Space: s.ID, Event: outbox.SpaceMoved, Location: s.Moved}); err != nil {
			return err
		}
	}
	return nil
}

// emptyMoved removes what was in a pod that has moved, so much at a time that no
// commit is large.
func (p *Pod) emptyMoved(ctx context.Context, id string) error {
	const page = 500
	for _, prefix := range []string{"r", "m", "a", "e", "f", "k", "q", "Q", "c", "C", "g", "i", "J", "j", "u", "x", "d", "tp", "th", "v", "z", "R", settingsKey, resource.UsedKey, mandate.NotesKey} {
		for n := page; n == page; {
			err := p.Store.Update(ctx, store.Name("id/"+id), func(tx store.Tx) error {
				pairs, err := tx.Scan(prefix, "", page)
				n = len(pairs)
				for _, pair := range pairs {
					if prefix == "e" {
						e, err := store.Decode[evidence.Evidence](pair.Key, pair.Value)
						if err != nil {
							return err
						}
						p.Statuses.Vacate(tx, e.Places)
					}
					tx.Delete(pair.Key)
				}
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
