// SPDX-License-Identifier: EUPL-1.2

package archive

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/consent"
	"skrin/pod/evidence"
	"skrin/pod/log"
	"skrin/pod/parcel"
	"skrin/pod/record"
	"skrin/pod/registry"
	"skrin/pod/resource"
	"skrin/pod/space"
	"skrin/pod/store"
	"skrin/pod/vouch"
)

// takingKey holds the import that is under way.
const takingKey = "I"

// A taking is an import under way.
type taking struct {
	Archive string
	Seed    []byte
}

// An Imported tells what came of an import.
type Imported struct {
	Root    string            // the URL of the pod that it came to be
	From    string            // that of the pod it was
	Vouched bool              // a server that is trusted here has sealed it
	Spaces  map[string]string // the new ids of spaces, by the old
	Count   map[string]int    // what was taken, by the folder of the archive
	Left    int               // members that were not taken, because nobody vouches for them
}

const maxThing = 1 << 20 // bytes of a member that is no document

// Import fills a pod from an archive, as the Import of package pod does.
func Import(ctx context.Context, d *Desk, file io.ReadSeeker, vouching *jose.JSONWebKeySet) (*Imported, error) {
	i := &takein{Desk: d, ctx: ctx, limits: parcel.Limits{Member: resource.LimitOf(d.Tree.MaxBytes, resource.DefaultBytes)}}
	for _, step := range []func() error{
		func() error { return i.survey(file, vouching) },
		i.begin,
		func() error { return i.takeAll(file) },
		i.finish,
	} {
		if err := step(); err != nil {
			return nil, importFault(err)
		}
	}
	return &i.done, nil
}

// importFault tells the sender what is wrong with a file.
func importFault(err error) error {
	var told *ldp.Fault
	if errors.Is(err, parcel.ErrFormat) && !errors.As(err, &told) {
		return ldp.Refuse(ldp.Unprocessable, "The import can't be done: "+err.Error()+".")
	}
	return fmt.Errorf("import: %w", err)
}

// A takein is an import under way.
type takein struct {
	*Desk
	ctx    context.Context
	limits parcel.Limits
	head   parcel.Head
	log    log.Checkpoint // where the archive's log ends
	done   Imported
	change record.Change // of the whole import
	podID  string
	root   ldp.ID // of the pod here
	from   *mover
	aux    []doc // what stands before the document that it belongs to
	docs   []doc // to be written in the next transaction
	bytes  int   // of docs
}

// survey reads the archive once, and finds out whether it is whole and who
// vouches for it.
func (i *takein) survey(file io.ReadSeeker, vouching *jose.JSONWebKeySet) error {
	a, err := i.open(file)
	if err != nil {
		return err
	}
	i.head = a.Head
	whole := a.Long("log")
	for m, err := a.Next(); !errors.Is(err, io.EOF); m, err = whole.Next() {
		if err != nil {
			return err
		}
		if whole.Apart(m) {
			return ldp.Refuse(ldp.Unprocessable, "The import can't be done: the log stands in more than one place.")
		}
		if vouching == nil || !whole.Begins(m) {
			continue
		}
		i.log, err = log.VerifyExport(whole, func(jws string) ([]byte, error) { return vouch.Check(jws, log.TypeCheckpoint, *vouching) }, nil)
		if err != nil {
			return ldp.Refuse(ldp.Unprocessable, "The import can't be done: the log is not whole: "+err.Error()+".")
		}
	}
	if vouching == nil {
		return nil
	}
	if _, err := a.Check(func(jws string) ([]byte, error) { return vouch.Check(jws, parcel.TypeSeal, *vouching) }); err != nil {
		return ldp.Refuse(ldp.Unprocessable, "The import can't be done: "+err.Error()+".")
	}
	i.done.Vouched = true
	return nil
}

func (i *takein) open(file io.ReadSeeker) (*parcel.Reader, error) {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	a, err := parcel.NewReader(file, i.limits)
	if err != nil {
		return nil, err
	}
	root, err := ldp.ParseID(a.Head.Root)
	if err != nil || !root.IsContainer() || !strings.HasPrefix(a.Head.Base, "http") || strings.HasSuffix(a.Head.Base, "/") {
		return nil, fmt.Errorf("%w: its head doesn't name a pod", parcel.ErrFormat)
	}
	return a, nil
}

// begin notes that the import is under way, and puts the end of the log where new
// entries go on from it.
func (i *takein) begin() error {
	ch, err := record.NewChange(i.Now(), i.Tree.Rand)
	if err != nil {
		return err
	}
	var own record.Home
	err = i.Update(func(tx store.Tx) error {
		i.podID = tx.Pod()
		var err error
		if own, err = record.HomeOf(tx); err != nil {
			return err
		}
		under, err := store.Load[taking](tx, takingKey)
		switch {
		case err != nil:
			return err
		case under != nil && under.Archive == i.head.ID && len(under.Seed) == len(ch.Seed):
			copy(ch.Seed[:], under.Seed)
			return nil
		case under != nil:
			return ldp.Refuse(ldp.Conflict, "Another import has begun. Finish that first, with the same file.")
		}
		if err := store.Save(tx, takingKey, taking{i.head.ID, ch.Seed[:]}); err != nil || !i.done.Vouched {
			return err
		}
		if err := untouched(tx); err != nil || i.log.Seq == 0 {
			return err
		}
		return store.Save(tx, "h", log.Head{Seq: i.log.Seq, Hash: i.log.Head})
	})
	i.change, i.root = ch, ldp.ID("/"+own.Name+"/")
	i.from = &mover{Desk: i.Desk, seed: &i.change, base: i.head.Base, root: i.head.Root, owner: i.head.Owner, me: string(own.Owner), to: i.url(i.root)}
	i.done.Root, i.done.From = i.url(i.root), i.head.Base+i.head.Root
	i.done.Spaces, i.done.Count = map[string]string{}, map[string]int{}
	return err
}

// untouched refuses a pod that has evidence, counterparts or a past of its own.
func untouched(tx store.Tx) error {
	for _, prefix := range []string{"e", "w", "c", "q", "h", "l"} {
		found, err := tx.Scan(prefix, "", 1)
		if err != nil {
			return err
		}
		if len(found) > 0 {
			return ldp.Refuse(ldp.Conflict, "This pod is in use: it has evidence, requests or a log of its own. Import into a new one.")
		}
	}
	return nil
}

// takeAll reads the archive again, and takes each member.
func (i *takein) takeAll(file io.ReadSeeker) error {
	a, err := i.open(file)
	if err != nil {
		return err
	}
	if a.Head != i.head {
		return errors.New("the file has changed while it was read")
	}
	entries := &entryTaker{takein: i}
	for {
		m, err := a.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := i.take1(m, a, entries); err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
	}
	if len(i.aux) > 0 {
		return fmt.Errorf("%w: %s belongs to nothing", parcel.ErrFormat, i.aux[0].name)
	}
	return errors.Join(entries.flush(), i.write())
}

// take1 takes one member.
func (i *takein) take1(m *parcel.Member, body io.Reader, entries *entryTaker) error {
	folder, rest, _ := strings.Cut(m.Name, "/")
	takers := map[string]func(b []byte) error{
		"spaces": i.space, "evidence": i.evidence, "requests": i.request, "consents": i.consent, "grants": i.grant,
	}
	switch taker := takers[folder]; {
	case folder == "pod":
		return i.document(m, rest, body)
	case folder == "log" && i.done.Vouched:
		_, err := io.Copy(entries, body)
		return err
	case taker == nil:
		return nil
	case !i.done.Vouched:
		i.done.Left++
		return nil
	default:
		b, err := resource.ReadAll(body, maxThing)
		if err != nil {
			return err
		}
		i.done.Count[folder]++
		return taker(b)
	}
}

// finish says in the log that the pod was imported, and ends the import.
func (i *takein) finish() error {
	return i.Update(func(tx store.Tx) error {
		tx.Delete(takingKey)
		return log.Enter(tx, i.Now(), log.Entry{Action: log.DidImport, Path: i.done.From})
	})
}

// An entryTaker stores the lines of a log as they are.
type entryTaker struct {
	*takein
	line  []byte
	seqs  []uint64
	lines [][]byte
}

// Write implements io.Writer.
func (e *entryTaker) Write(b []byte) (int, error) {
	all := len(b)
	for len(b) > 0 {
		line, rest, whole := bytes.Cut(b, []byte("\n"))
		if e.line, b = append(e.line, line...), rest; len(e.line) > maxThing {
			return 0, fmt.Errorf("%w: a line of the log is too long", parcel.ErrFormat)
		}
		if !whole {
			break
		}
		var l struct{ Seq uint64 }
		if err := json.Unmarshal(e.line, &l); err != nil {
			return 0, err
		}
		if l.Seq > 0 && l.Seq <= e.log.Seq {
			e.seqs, e.lines = append(e.seqs, l.Seq), append(e.lines, e.line)
			e.done.Count["log"]++
		}
		e.line = nil
		if len(e.lines) == 500 {
			if err := e.flush(); err != nil {
				return 0, err
			}
		}
	}
	return all, nil
}

func (e *entryTaker) flush() error {
	if len(e.lines) == 0 {
		return nil
	}
	err := e.Update(func(tx store.Tx) error {
		for n, seq := range e.seqs {
			tx.Put(log.Key(seq), e.lines[n])
		}
		return nil
	})
	e.seqs, e.lines = nil, nil
	return err
}

// into reads one thing of an archive.
func into[T any](b []byte) (*T, error) {
	t := new(T)
	if err := json.Unmarshal(b, t); err != nil {
		return nil, fmt.Errorf("%w: a member is not of the form of one", parcel.ErrFormat)
	}
	return t, nil
}

var errID = fmt.Errorf("%w: an id is not of the form of one", parcel.ErrFormat)

func (i *takein) space(b []byte) error {
	s, err := into[space.Space](b)
	if err != nil {
		return err
	}
	if !store.IsID(s.ID) || s.Party == "" {
		return errID
	}
	old := s.ID
	s.Moved = ""
	s.ID, s.Key = i.from.spaceFor(old), i.change.Derive("space key", old)
	i.done.Spaces[old] = s.ID
	return i.Update(func(tx store.Tx) error {
		tx.Claim(store.Name("w/" + s.ID))
		return errors.Join(store.Save(tx, space.Key(s.ID), s), store.Save(tx, space.PartyKey(s.Party), s.ID))
	})
}

func (i *takein) evidence(b []byte) error {
	k, err := into[evidence.Kept](b)
	if err != nil {
		return err
	}
	e := &k.Evidence
	if !store.IsID(e.ID) || len(k.Free)+len(k.Given) > evidence.MaxForms {
		return errID
	}
	e.Path = i.root + ldp.ID(resource.EvidenceFolder+e.ID)
	if err := k.DropUnprovable(); err != nil {
		return fmt.Errorf("%w: a signed form is none", parcel.ErrFormat)
	}
	err = i.Update(func(tx store.Tx) error { return k.Unpack(tx, i.Statuses, i.from.spaceFor) })
	if errors.Is(err, store.ErrTaken) {
		return ldp.Refuse(ldp.Conflict, "The evidence is in another pod of this server already.")
	}
	return err
}

// request takes what was answered. Nobody waits here for an answer to the others.
func (i *takein) request(b []byte) error {
	r, err := into[consent.Request](b)
	if err != nil || r.State == consent.Open {
		return err
	}
	if !store.IsID(r.ID) {
		return errID
	}
	r.Key = ""
	return i.Update(func(tx store.Tx) error { return consent.KeepRequest(tx, r) })
}

func (i *takein) consent(b []byte) error {
	c, err := into[consent.Consent](b)
	if err != nil {
		return err
	}
	if !store.IsID(c.ID) || c.Space != "" && !store.IsID(c.Space) {
		return errID
	}
	c.Request.Key = ""
	if c.Space != "" {
		c.Space = i.from.spaceFor(c.Space)
	}
	return i.Update(func(tx store.Tx) error { return consent.Keep(tx, c) })
}

// grant takes a grant for the party as it is registered here. Where it is not,
// nobody is let in by it.
func (i *takein) grant(b []byte) error {
	g, err := into[consent.Grant](b)
	if err != nil {
		return err
	}
	old := ldp.ID(g.Rule.On)
	if !store.IsID(g.ID) || space.IDIn(old) == "" || !store.IsID(g.Rule.Because) || len(g.Rule.Clients) != 1 {
		return errID
	}
	space := space.Space{ID: i.from.spaceFor(space.IDIn(old))}
	party, err := i.Registry.Party(i.ctx, g.Rule.Clients[0])
	if err != nil && !errors.Is(err, registry.ErrNoParty) {
		return err
	}
	g.Rule.On, g.Rule.To, g.Rule.Issuers = string(space.Evidence(g.ID)), party.WebID, []string{i.Issuer}
	if party.ID == "" {
		g.Rule.To = acl.WebID("urn:skrin:unregistered:" + hex.EncodeToString([]byte(g.Rule.Clients[0])))
	}
	return i.Update(func(tx store.Tx) error { return store.Save(tx, consent.GrantKey(space.ID, g.ID), g) })
}
