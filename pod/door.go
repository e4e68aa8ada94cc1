// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	"errors"
	"fmt"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/due"
	"skrin/pod/log"
	"skrin/pod/record"
	"skrin/pod/resource"
	"skrin/pod/store"
)

// Get implements ldp.Backend.
func (p *Pod) Get(ctx context.Context, who acl.Agent, req ldp.Get) (*ldp.Resource, error) {
	switch {
	case req.ID.First() == spaces:
		return p.spaceGet(ctx, who, req)
	case resource.IsStorageDescription(req.ID):
		return p.tree().StorageDescription(req)
	}
	var res *ldp.Resource
	var rec *record.State
	var podID string
	err := p.read(ctx, who, req.ID, func(tx store.Tx) (acl.Mode, error) {
		r, err := p.tree().Look(tx, who, req.ID, false)
		if err != nil {
			return 0, err
		}
		if err := r.MayGet(tx); err != nil {
			return 0, err
		}
		if req.Choose(resource.Offers(r)...) == "" {
			return 0, ldp.Refuse(ldp.NotAcceptable, "The resource is not to be had in any of the types that the Accept header names.")
		}
		rec, podID = r.Rec, tx.Pod()
		res = p.tree().Describe(r)
		if req.ID.IsContainer() {
			err = p.tree().List(ctx, tx, r, res, req.After, func(fn func(store.Tx) error) error { return p.view(ctx, who, req.ID, fn) })
		}
		return res.Public, err
	})
	if err != nil || req.ID.IsContainer() {
		return res, err
	}
	if res.Body, err = p.tree().Open(ctx, podID, rec); err != nil {
		return nil, fmt.Errorf("get %s: %w", req.ID, err)
	}
	return res, nil
}

// Options implements ldp.Backend. It is not a read that is logged: it tells no
// more of the content than whether that is RDF.
func (p *Pod) Options(ctx context.Context, who acl.Agent, id ldp.ID) (ldp.Description, error) {
	d := p.Describe(id)
	if id.First() == spaces || resource.IsStorageDescription(id) {
		return d, nil
	}
	err := p.view(ctx, who, id, func(tx store.Tx) error {
		r, err := p.tree().Look(tx, who, id, false)
		if err == nil {
			err = r.MayGet(tx)
		}
		if err == nil {
			d = p.tree().Description(r)
		}
		return err
	})
	switch ldp.KindOf(err) {
	case ldp.Unauthenticated, ldp.Forbidden, ldp.NotFound:
		err = nil
	}
	return d, err
}

// Put implements ldp.Backend. A blob that is replaced stays, for readers who have
// begun, until the sweep finds that no resource refers to it; so does one whose
// transaction failed.
func (p *Pod) Put(ctx context.Context, who acl.Agent, req ldp.Put) (ldp.Written, error) {
	if req.ID.First() == spaces {
		return ldp.Written{}, resource.Refusal(who)
	}
	check := func(tx store.Tx) (*resource.Right, error) {
		r, err := p.tree().Look(tx, who, req.ID, true)
		if err != nil {
			return nil, err
		}
		if err := r.MayWrite(acl.Write, acl.Append); err != nil {
			return nil, err
		}
		return r, r.Fits(req.Cond, req.Fault, req.NonRDF)
	}
	var podID string
	sends := false
	early := func(tx store.Tx) error { // before a byte of the body is read
		podID = tx.Pod()
		r, err := check(tx)
		if err == nil {
			sends, err = p.tree().Expect(tx, r, req.Type, req.ID.IsContainer(), req.Size, r.Rec)
		}
		return err
	}
	small := req.Fault == nil && p.smallOfOwner(who, req.ID, req.Size)
	if !small {
		if err := p.view(ctx, who, req.ID, early); err != nil {
			return ldp.Written{}, err
		}
	}
	c, err := p.tree().Take(ctx, podID, req.ID, req.Type, req.Body, req.Size, sends || small)
	if err != nil {
		return ldp.Written{}, err
	}
	var done ldp.Written
	err = p.write(ctx, who, req.ID, func(tx store.Tx, ch *record.Change) (log.Action, ldp.ID, error) {
		r, err := check(tx)
		if err == nil {
			done, err = p.tree().Write(ctx, tx, ch, r, c)
		}
		return log.DidWrite, req.ID, err
	})
	return done, err
}

// smallOfOwner reports whether a body of size bytes, below 0 for not known, is so
// small, and comes from whom so much may be taken before it is known that it may
// be written: from the owner, who is hardly ever refused. What is kept in Blobs
// is never so small. The transaction that writes decides in any case.
func (p *Pod) smallOfOwner(who acl.Agent, id ldp.ID, size int64) bool {
	return who.Known() && size >= 0 && size <= resource.Inline && p.ownName(who) == store.Name("pod/"+id.First())
}

// Delete implements ldp.Backend.
func (p *Pod) Delete(ctx context.Context, who acl.Agent, req ldp.Delete) error {
	if req.ID.First() == spaces {
		return resource.Refusal(who)
	}
	err := p.write(ctx, who, req.ID, func(tx store.Tx, ch *record.Change) (log.Action, ldp.ID, error) {
		return log.DidDelete, req.ID, p.delete(ctx, tx, ch, who, req)
	})
	if resource.IsEvidence(req.ID) {
		p.wake(err)
	}
	return err
}

func (p *Pod) delete(ctx context.Context, tx store.Tx, ch *record.Change, who acl.Agent, req ldp.Delete) error {
	r, err := p.tree().LookGoing(tx, who, req)
	if err != nil {
		return err
	}
	if resource.IsEvidence(req.ID) {
		if err := p.endEvidence(ctx, tx, req.ID); err != nil {
			return err
		}
	}
	return p.tree().Remove(tx, ch, r)
}

// spaces is the first segment of the paths of pairwise spaces.
const spaces = "w"

// Describe implements ldp.Backend.
func (p *Pod) Describe(id ldp.ID) ldp.Description {
	if id.First() == spaces {
		return p.spaceDescription(id)
	}
	return p.tree().Supports(id)
}

// Post implements ldp.Backend. The name is the Slug, as far as a path can have it
// and no other member has; else a random one. With a Key, a request that repeats
// one of the same agent within a day or two is answered as that was; a stranger's
// Key is ignored, since anybody might repeat it.
func (p *Pod) Post(ctx context.Context, who acl.Agent, req ldp.Post) (ldp.Written, error) {
	if req.ID.First() == spaces {
		return p.spacePost(ctx, who, req)
	}
	check := func(tx store.Tx) (*resource.Right, error) {
		r, err := p.tree().Look(tx, who, req.ID, true)
		if err != nil {
			return nil, err
		}
		return r, r.MayPost(req)
	}
	var podID string
	sends := false
	err := p.view(ctx, who, req.ID, func(tx store.Tx) error {
		podID = tx.Pod()
		r, err := check(tx)
		if err == nil {
			sends, err = p.tree().Expect(tx, r, req.Type, req.Container, req.Size, nil)
		}
		return err
	})
	if err != nil {
		return ldp.Written{}, err
	}
	like := req.ID + "new" // the name isn't known yet, and doesn't matter to whether the body can be read
	if req.Container {
		like += "/"
	}
	c, err := p.tree().Take(ctx, podID, like, req.Type, req.Body, req.Size, sends)
	if err != nil {
		return ldp.Written{}, err
	}
	var done ldp.Written
	err = p.write(ctx, who, req.ID, func(tx store.Tx, ch *record.Change) (log.Action, ldp.ID, error) {
		r, err := check(tx)
		if err != nil {
			return "", "", err
		}
		once := resource.OnceOf(who, req, c, ch)
		if done, err = p.tree().Repeated(tx, once); err != nil || done.ID != "" {
			return "", "", err
		}
		if done, err = p.tree().Add(ctx, tx, ch, r, req, c); err != nil {
			return "", "", err
		}
		first, err := once.Remember(tx, done.ID)
		if err == nil && first {
			err = due.ForgetBy(tx, p.Now().Add(2*due.MarkKept)) // until then it is yesterday's
		}
		return log.DidWrite, done.ID, err
	})
	return done, err
}

// Patch implements ldp.Backend. A patch is applied in the transaction that
// permits it, to what is there then: of patches at the same time none is lost.
func (p *Pod) Patch(ctx context.Context, who acl.Agent, req ldp.Patch) (ldp.Written, error) {
	if req.ID.First() == spaces {
		return ldp.Written{}, resource.Refusal(who)
	}
	var podID string
	err := p.view(ctx, who, req.ID, func(tx store.Tx) error { // before the patch is read
		podID = tx.Pod()
		r, err := p.tree().Look(tx, who, req.ID, true)
		if err != nil {
			return err
		}
		return r.MayWrite(acl.Append, acl.Append)
	})
	if err == nil {
		err = req.Fault
	}
	if err != nil {
		return ldp.Written{}, err
	}
	patch, err := p.tree().ReadPatch(ctx, req)
	if err != nil {
		return ldp.Written{}, err
	}
	job := p.tree().Patching(patch)
	defer job.Done()
	var done ldp.Written
	for range 100 {
		err = p.write(ctx, who, req.ID, func(tx store.Tx, ch *record.Change) (log.Action, ldp.ID, error) {
			var err error
			done, err = job.Run(ctx, tx, ch, who, req)
			return log.DidWrite, req.ID, err
		})
		var lack *resource.Lacking
		if !errors.As(err, &lack) {
			return done, err
		}
		if err := job.Supply(ctx, podID, lack); err != nil {
			return ldp.Written{}, err
		}
	}
	return ldp.Written{}, fmt.Errorf("patch %s: %w", req.ID, ldp.Unavailable)
}

// view is Store.View on the pod that a path is in. Where there is no such pod, the
// answer is the same as where there is one that the agent may not see.
func (p *Pod) view(ctx context.Context, who acl.Agent, id ldp.ID, fn func(store.Tx) error) error {
	return p.knowingly(ctx, who, fn, func(fn func(store.Tx) error) error {
		return p.Store.View(ctx, store.Name("pod/"+id.First()), fn)
	})
}

// update is Store.Update likewise.
func (p *Pod) update(ctx context.Context, who acl.Agent, id ldp.ID, fn func(store.Tx) error) error {
	return p.knowingly(ctx, who, fn, func(fn func(store.Tx) error) error {
		return p.Store.Update(ctx, store.Name("pod/"+id.First()), fn)
	})
}

// knowingly runs a transaction; and once more if whether it is permitted hangs on
// groups whose documents are elsewhere, which are asked between the two: no
// transaction waits for the network.
func (p *Pod) knowingly(ctx context.Context, who acl.Agent, fn func(store.Tx) error, run func(func(store.Tx) error) error) error {
	err := run(fn)
	if ask := (*resource.Unasked)(nil); errors.As(err, &ask) {
		found := p.find(ctx, who, ask.Groups)
		err = run(func(tx store.Tx) error { return fn(&resource.Knowing{Tx: tx, Found: found}) })
	}
	if errors.Is(err, store.ErrNoPod) {
		return resource.Refusal(who)
	}
	return err
}
