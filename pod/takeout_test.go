// SPDX-License-Identifier: EUPL-1.2

package pod_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/acl"
	"skrin/fixtures"
	"skrin/ldp"
	"skrin/ldp/rdf"
	"skrin/pod"
	"skrin/pod/archive"
	"skrin/pod/credential"
	"skrin/pod/evidence"
	"skrin/pod/log"
	"skrin/pod/outbox"
	"skrin/pod/parcel"
	"skrin/pod/podtest"
	"skrin/pod/registry"
	"skrin/pod/store"
)

// elsewhere is another server, with the same parties registered, on which Alva has
// a pod that nobody has used yet.
func (w *town) elsewhere() *town {
	w.t.Helper()
	const other = "https://elsewhere.example"
	v := &town{t: w.t, now: w.now, keys: w.keys}
	parties := registry.NewParties(w.pod.Now)
	must(w.t, registry.LoadParties(fixtures.Files, "parties", other, parties, func(b []byte) []byte {
		var f registry.PartyFile
		must(w.t, json.Unmarshal(b, &f))
		key := w.keys[f.ID]
		f.Keys.Keys = []jose.JSONWebKey{key.Public()}
		b, err := json.Marshal(f)
		must(w.t, err)
		return b
	}))
	v.fake = podtest.NewFake(w.t, podtest.New(w.t))
	v.pod = &pod.Pod{
		Store: v.fake, Blobs: memBlobs{newMemory(w.t)}, Registry: parties, Types: w.pod.Types, Sign: sign{newKey(w.t, "other server")},
		Base: other, Issuer: other, Now: w.pod.Now, Rand: w.pod.Rand,
	}
	var err error
	v.alva, err = v.pod.Make(w.t.Context(), "person-alva")
	must(w.t, err)
	return v
}

// vouching are the public keys of the town's server.
func (w *town) vouching() *jose.JSONWebKeySet {
	key := w.pod.Sign.(sign).key
	return &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}}
}

// root is the path of Alva's pod.
func (w *town) root() string {
	path := strings.TrimPrefix(string(w.alva.ID), w.pod.Base)
	return strings.TrimSuffix(path, "profile/card#me")
}

func (w *town) put(path, media, body string) {
	w.t.Helper()
	_, err := w.pod.Put(w.t.Context(), w.alva, ldp.Put{ID: ldp.ID(w.root() + path), Type: media, Body: strings.NewReader(body), Size: int64(len(body))})
	must(w.t, err)
}

// exported is Alva's pod as a file.
func (w *town) exported() []byte {
	w.t.Helper()
	var file bytes.Buffer
	must(w.t, w.pod.Export(w.t.Context(), w.alva, "", &file))
	return file.Bytes()
}

// said is what the documents of a pod say, by path, with the pod's own URLs
// replaced by one name; of a document that is no RDF, its bytes.
func (w *town) said(file []byte) map[string]*rdf.Graph {
	w.t.Helper()
	all := map[string]*rdf.Graph{}
	for name, body := range w.members(file) {
		rest, ok := strings.CutPrefix(name, "pod/")
		if !ok || strings.HasSuffix(rest, "/") {
			continue
		}
		name := func(iri string) string {
			if in, ok := strings.CutPrefix(iri, w.pod.Base+w.root()); ok {
				return "urn:pod:" + in
			}
			return strings.Replace(iri, w.pod.Base, "urn:server:", 1)
		}
		d := new(rdf.Dataset)
		if format, isRDF := rdf.FormatOf(body.Type); isRDF {
			read, err := rdf.ReadDataset(w.t.Context(), []byte(body.bytes), format, w.pod.Base+w.root()+rest, rdf.Limits{})
			must(w.t, err)
			d = read
		} else {
			d.Default().Add(rdf.IRI("urn:it"), rdf.IRI("urn:bytes"), rdf.String(body.bytes))
		}
		d.Default().Add(rdf.IRI("urn:it"), rdf.IRI("urn:type"), rdf.String(body.Type))
		all[rest] = d.Default().Rename(name)
		for _, graph := range d.Names() {
			all[rest+" "+name(graph.Value)] = d.Graph(graph).Rename(name)
		}
	}
	return all
}

type member struct {
	parcel.Member
	bytes string
}

func (w *town) members(file []byte) map[string]member {
	w.t.Helper()
	a, err := parcel.NewReader(bytes.NewReader(file), parcel.Limits{})
	must(w.t, err)
	all := map[string]member{}
	for {
		m, err := a.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		must(w.t, err)
		b, err := io.ReadAll(a)
		must(w.t, err)
		all[m.Name] = member{*m, string(b)}
	}
}

// furnished is a town in which Alva has all that a pod can hold.
func furnished(t *testing.T) (w *town, evidence ldp.ID) {
	w = newTown(t)
	w.pod.Blobs = memBlobs{newMemory(t)}
	w.deposit(w.connect(), w.issue(3, nil))
	evidence = w.location(w.answer("ask", insurer, asks(), agree))
	if _, err := w.read(insurer, evidence, pod.TypeTurtle); err != nil {
		t.Fatal(err)
	}
	w.put("notes/a.ttl", "text/turtle", "<> <urn:p> <b%20c>, <../profile/card#me>, \"text\", [ <urn:q> 1 ].")
	w.put("notes/absolute.ttl", "text/turtle", "<"+base+w.root()+"notes/a.ttl> <urn:p> <"+base+w.root()+">.")
	w.put("notes/deep/x.json", "application/ld+json", `{"@id":"","urn:p":{"@id":"`+base+w.root()+`notes/a.ttl"}}`)
	w.put("notes/two.trig", "application/trig", "_:b <urn:p> 1. <#g> { _:b <urn:p> <"+base+w.root()+">. }")
	w.put("notes/-first.txt", "text/plain", "sorts before an ACL document")
	w.put("notes/.acl", "text/turtle", `@prefix acl: <http://www.w3.org/ns/auth/acl#>.
		<#o> a acl:Authorization; acl:agent <../profile/card#me>; acl:accessTo <./>; acl:default <./>; acl:mode acl:Read, acl:Write, acl:Control.
		<#b> a acl:Authorization; acl:agent <https://bob.example/me>; acl:accessTo <./>; acl:default <./>; acl:mode acl:Read.`)
	w.put("notes/a.ttl.acl", "text/turtle", `@prefix acl: <http://www.w3.org/ns/auth/acl#>.
		<#o> a acl:Authorization; acl:agent <`+string(w.alva.ID)+`>; acl:accessTo <a.ttl>; acl:mode acl:Read, acl:Write, acl:Control.`)
	w.put("notes/large.bin", "application/octet-stream", strings.Repeat("large ", 50_000))
	w.put("notes/empty", "text/plain", "")
	w.put("notes/c/", "text/turtle", "<> <http://purl.org/dc/terms/title> \"a container\".")
	return w, evidence
}

// TestExportImport: what leaves one server enters another and is the same there:
// documents (isomorphic, but for where they are), rules, evidence, grants and a
// log that goes on.
func TestExportImport(t *testing.T) {
	w, evidence := furnished(t)
	file := w.exported()
	v := w.elsewhere()
	done, err := v.pod.Import(t.Context(), v.alva, bytes.NewReader(file), w.vouching())
	must(t, err)
	if !done.Vouched || done.Left != 0 || done.Count["evidence"] != 1 || done.Count["grants"] != 1 || len(done.Spaces) != 2 {
		t.Errorf("imported %+v", done)
	}
	same(t, w.said(file), v.said(v.exported()))

	bob := acl.Agent{ID: "https://bob.example/me", Issuer: "https://bob.example"}
	for path, want := range map[string]ldp.Kind{"notes/a.ttl": ldp.Forbidden, "notes/-first.txt": 0, "profile/card": 0, "settings/prefs.ttl": ldp.Forbidden} {
		_, err := v.pod.Get(t.Context(), bob, read(ldp.ID(v.root()+path), map[bool]string{true: "text/plain", false: "text/turtle"}[strings.HasSuffix(path, "txt")]))
		if err == nil && want != 0 || err != nil && ldp.KindOf(err) != want {
			t.Errorf("Bob reads %s: %v", path, err)
		}
	}
	v.checkSound(t)

	at := ldp.ID(strings.Replace(string(evidence), strings.Split(string(evidence), "/")[2], done.Spaces[strings.Split(string(evidence), "/")[2]], 1))
	insurerThere := acl.Agent{ID: acl.WebID(v.pod.Base + "/.parties/" + insurer + "#org"), Client: insurer, Issuer: v.pod.Base}
	res, err := v.pod.Get(t.Context(), insurerThere, read(at, credential.MediaType))
	must(t, err)
	compact, err := io.ReadAll(res.Body)
	must(t, err)
	w.verifies(string(compact), map[string]any{"registered_at_least_30_days": true})

	before, after := w.log(), v.log()
	if len(after) < len(before)+2 || !slices.EqualFunc(before, after[:len(before)], func(a, b log.Entry) bool { return a.Hash == b.Hash }) {
		t.Errorf("the log was\n%v\nand is\n%v", before, after)
	}
	for _, secret := range []string{w.root(), strings.Split(string(evidence), "/")[2]} {
		for name, m := range v.members(v.exported()) {
			if strings.HasPrefix(name, "pod/") && (strings.Contains(m.bytes, secret) || strings.Contains(m.Triples, secret)) {
				t.Errorf("%s still names the old place", name)
			}
		}
	}
}

// TestHolderKeysMove: with the evidence the keys move to which its forms are bound.
// A form whose key isn't in the archive, or isn't its key, is dropped, and whoever
// reads gets another; at no read does the server fail.
func TestHolderKeysMove(t *testing.T) {
	w := newTown(t)
	w.pod.Blobs = memBlobs{newMemory(t)}
	to := w.connect()
	w.deposit(to, w.bound(w.keysFor(to, 3)))
	there := w.location(w.answer("ask", insurer, asks(), agree))
	if _, err := w.readFor(insurer, there, credential.MediaType, "nonce-4711"); err != nil {
		t.Fatal(err)
	}
	var mine string
	for name, m := range w.members(w.exported()) {
		if strings.HasPrefix(name, "evidence/") {
			mine = m.bytes
		}
	}
	for _, row := range []struct {
		is    string
		spoil func(*evidence.Kept)
		forms int
	}{
		{"whole", func(*evidence.Kept) {}, 3},
		{"the key of the recipient's form is missing", func(k *evidence.Kept) { deleteKeyOf(t, k, only(k.Given)) }, 2},
		{"a free form's key is missing", func(k *evidence.Kept) { deleteKeyOf(t, k, k.Free[1]) }, 2},
		{"all keys are missing", func(k *evidence.Kept) { k.Keys = nil }, 0},
		{"keys are each other's", func(k *evidence.Kept) {
			thumbs := slices.Sorted(maps.Keys(k.Keys))
			k.Keys[thumbs[0]], k.Keys[thumbs[1]] = k.Keys[thumbs[1]], k.Keys[thumbs[0]]
		}, 1},
	} {
		var k evidence.Kept
		must(t, json.Unmarshal([]byte(mine), &k))
		row.spoil(&k)
		must(t, k.DropUnprovable())
		if n := len(k.Free) + len(k.Given); n != row.forms || len(k.Keys) != row.forms {
			t.Errorf("%s: %d forms and %d keys are left, want %d", row.is, n, len(k.Keys), row.forms)
		}
	}

	v := w.elsewhere()
	done, err := v.pod.Import(t.Context(), v.alva, bytes.NewReader(w.exported()), w.vouching())
	must(t, err)
	old := strings.Split(string(there), "/")[2]
	at := ldp.ID(strings.Replace(string(there), old, done.Spaces[old], 1))
	for _, nonce := range []string{"", "nonce-4712"} {
		req := read(at, credential.MediaType)
		req.Nonce = nonce
		res, err := v.pod.Get(t.Context(), acl.Agent{ID: acl.WebID(v.pod.Base + "/.parties/" + insurer + "#org"), Client: insurer, Issuer: v.pod.Base}, req)
		must(t, err)
		compact, err := io.ReadAll(res.Body)
		must(t, err)
		if c, err := credential.Parse(string(compact)); err != nil {
			t.Error(err)
		} else if _, err := c.Verify(w.keyOf(authority), w.now, credential.Want{Type: w.statement().Type, Issuer: w.statement().Issuer, Binding: bindingFor(nonce)}); err != nil {
			t.Errorf("with nonce %q: %v", nonce, err)
		}
	}
	if free, bound := v.stored("f"), v.stored("z"); free != 3 || bound != 3 {
		t.Errorf("%d forms and %d keys were taken, want 3", free, bound)
	}
}

func bindingFor(nonce string) *credential.Binding {
	if nonce == "" {
		return nil
	}
	return &credential.Binding{Audience: insurer, Nonce: nonce, MaxAge: time.Minute}
}

func only(m map[string]string) string { return slices.Collect(maps.Values(m))[0] }

func deleteKeyOf(t *testing.T, k *evidence.Kept, form string) {
	t.Helper()
	thumb, err := evidence.HolderIn(form)
	must(t, err)
	delete(k.Keys, thumb)
}

// checkSound fails if fsck finds a fault.
func (w *town) checkSound(t *testing.T) {
	t.Helper()
	var id string
	must(t, w.pod.Store.View(t.Context(), store.Name("person/person-alva"), func(tx store.Tx) error { id = tx.Pod(); return nil }))
	_, found, err := w.pod.Check(t.Context(), id)
	if err != nil || len(found) > 0 {
		t.Errorf("fsck finds %+v, %v", found, err)
	}
}

func same(t *testing.T, before, after map[string]*rdf.Graph) {
	t.Helper()
	for name, g := range before {
		switch {
		case after[name] == nil:
			t.Errorf("%s is gone", name)
		case !rdf.Isomorphic(g, after[name]) && name != "profile/card":
			was, _ := rdf.Write(g, rdf.NTriples, rdf.WriteOptions{})
			is, _ := rdf.Write(after[name], rdf.NTriples, rdf.WriteOptions{})
			t.Errorf("%s was\n%s\nand is\n%s", name, was, is)
		}
	}
	for name := range after {
		if before[name] == nil {
			t.Errorf("%s is new", name)
		}
	}
}

// A tornFile is a file of which the medium fails after so many bytes, when it is read
// for the second time.
type tornFile struct {
	file       *bytes.Reader // and no more of its methods
	pass, left int
}

func (f *tornFile) Seek(offset int64, whence int) (int64, error) {
	f.pass++
	return f.file.Seek(offset, whence)
}

func (f *tornFile) Read(b []byte) (int, error) {
	if f.pass < 2 {
		return f.file.Read(b)
	}
	if f.left <= 0 {
		return 0, errors.New("the medium has failed")
	}
	n, err := f.file.Read(b[:min(len(b), f.left)])
	f.left -= n
	return n, err
}

// TestImportGoesOn: an import that was interrupted anywhere is finished by running
// it again, and the outcome is the same.
func TestImportGoesOn(t *testing.T) {
	w, _ := furnished(t)
	file := w.exported()
	for _, tenths := range []int{2, 5, 8, 9} {
		v := w.elsewhere()
		_, err := v.pod.Import(t.Context(), v.alva, &tornFile{file: bytes.NewReader(file), left: len(file) * tenths / 10}, w.vouching())
		if err == nil {
			t.Fatal("a file that fails was imported")
		}
		again := w.elsewhere()
		if _, err := v.pod.Import(t.Context(), v.alva, bytes.NewReader(again.exported()), again.vouching()); ldp.KindOf(err) != ldp.Conflict {
			t.Errorf("another import while one is under way: %v", err)
		}
		_, err = v.pod.Import(t.Context(), v.alva, bytes.NewReader(file), w.vouching())
		must(t, err)
		same(t, w.said(file), v.said(v.exported()))
		v.checkSound(t)
		v.log()
	}
}

// TestImportBelieves: who vouches for what.
func TestImportBelieves(t *testing.T) {
	w, _ := furnished(t)
	file := w.exported()
	t.Run("without keys there are documents, and no evidence, grants or past", func(t *testing.T) {
		v := w.elsewhere()
		done, err := v.pod.Import(t.Context(), v.alva, bytes.NewReader(file), nil)
		must(t, err)
		if done.Vouched || done.Left == 0 || done.Count["pod"] < 10 {
			t.Errorf("imported %+v", done)
		}
		held, err := v.pod.Holdings(t.Context(), v.alva)
		must(t, err)
		if entries := v.log(); len(held) > 0 || entries[0].Action != log.DidImport {
			t.Errorf("there is evidence %v, and the log is %v", held, entries)
		}
		v.checkSound(t)
	})
	for name, try := range map[string]func(*town) error{
		"sealed by a server that is not trusted": func(v *town) error {
			_, err := v.pod.Import(t.Context(), v.alva, bytes.NewReader(file), v.vouching())
			return err
		},
		"into a pod that has a past": func(v *town) error {
			must(t, v.pod.Export(t.Context(), v.alva, "", io.Discard))
			_, err := v.pod.Import(t.Context(), v.alva, bytes.NewReader(file), w.vouching())
			return err
		},
		"cut off": func(v *town) error {
			_, err := v.pod.Import(t.Context(), v.alva, bytes.NewReader(file[:len(file)*2/3]), w.vouching())
			return err
		},
		"changed": func(v *town) error {
			_, err := v.pod.Import(t.Context(), v.alva, bytes.NewReader(w.forged(file)), w.vouching())
			return err
		},
		"with entries apart from the log": func(v *town) error {
			_, err := v.pod.Import(t.Context(), v.alva, bytes.NewReader(w.apart(file)), w.vouching())
			return err
		},
		"into somebody else's pod": func(v *town) error {
			_, err := v.pod.Import(t.Context(), acl.Agent{ID: w.alva.ID, Issuer: v.pod.Issuer}, bytes.NewReader(file), w.vouching())
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := w.elsewhere()
			must(t, v.pod.Store.View(t.Context(), store.Name("person/person-alva"), func(store.Tx) error { return nil }))
			err := try(v)
			if k := ldp.KindOf(err); err == nil || k == ldp.Internal {
				t.Errorf("answered %v", err)
			}
			if held, _ := v.pod.Holdings(t.Context(), v.alva); len(held) > 0 {
				t.Error("it was taken all the same")
			}
		})
	}
}

// forged is a file in which evidence says something else, with the seal as it was.
func (w *town) forged(file []byte) []byte {
	w.t.Helper()
	changed := false
	out := w.rewritten(file, func(name string, b []byte) []byte {
		if strings.HasPrefix(name, "evidence/") {
			changed = true
			b = bytes.Replace(b, []byte("2026-10-01"), []byte("2020-10-01"), 1)
		}
		return b
	}, nil, func(_ []byte, was string) (string, error) { return was, nil })
	if !changed {
		w.t.Fatal("there was no evidence to forge")
	}
	return out
}

// apart is a file with entries of the log in a member that stands apart from the log,
// in the place of one that is in it; sealed as it is by the server that is trusted.
func (w *town) apart(file []byte) []byte {
	w.t.Helper()
	entry := []byte(`{"seq":1,"action":"read","party":"mallory"}` + "\n")
	return w.rewritten(file, func(_ string, b []byte) []byte { return b }, map[string][]byte{"log/apart.jsonl": entry}, func(payload []byte, _ string) (string, error) {
		return w.pod.Sign.Sign(w.t.Context(), parcel.TypeSeal, payload)
	})
}

// rewritten is a file with its members changed, and more at the end.
func (w *town) rewritten(file []byte, change func(name string, b []byte) []byte, more map[string][]byte, seal func(payload []byte, was string) (string, error)) []byte {
	w.t.Helper()
	var out bytes.Buffer
	in, err := parcel.NewReader(bytes.NewReader(file), parcel.Limits{})
	must(w.t, err)
	to, err := parcel.NewWriter(&out, in.Head)
	must(w.t, err)
	for {
		m, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		must(w.t, err)
		b, err := io.ReadAll(in)
		must(w.t, err)
		must(w.t, to.AddBytes(*m, change(m.Name, b)))
	}
	for name, b := range more {
		must(w.t, to.AddBytes(parcel.Member{Name: name}, b))
	}
	must(w.t, to.Close(w.now, func(payload []byte) (string, error) { return seal(payload, in.Seal()) }))
	return out.Bytes()
}

// FuzzImport: a file by anybody is refused or taken, and leaves a pod in which fsck
// finds no fault that it hadn't before.
func FuzzImport(f *testing.F) {
	f.Add("pod/a.ttl", "text/turtle", "<> <urn:p> <b>.", "pod/a.ttl.acl", "text/turtle", "<#x> <urn:p> 1.")
	f.Add("pod/../x", "text/plain", "", "pod/profile/card", "text/turtle", "")
	f.Add("pod/b/", "", "", "evidence/x.json", "", "{}")
	f.Fuzz(func(t *testing.T, name1, type1, body1, name2, type2, body2 string) {
		w := newTown(t)
		w.pod.Blobs = memBlobs{newMemory(t)}
		var file bytes.Buffer
		a, err := parcel.NewWriter(&file, parcel.Head{ID: "x", Base: "https://old.example", Issuer: "https://old.example", Root: "/old/", Owner: "https://old.example/old/profile/card#me"})
		must(t, err)
		for _, m := range [][3]string{{name1, type1, body1}, {name2, type2, body2}} {
			if err := a.AddBytes(parcel.Member{Name: m[0], Type: m[1]}, []byte(m[2])); err != nil {
				return // which tar itself can't say
			}
		}
		must(t, a.Close(w.now, func([]byte) (string, error) { return "x", nil }))
		_, err = w.pod.Import(context.Background(), w.alva, bytes.NewReader(file.Bytes()), nil)
		if err != nil && ldp.KindOf(err) == ldp.Internal {
			t.Errorf("the server's own fault: %v", err)
		}
		w.checkSound(t)
	})
}

// TestMove: what has moved sends everybody on, each to its own new place, and nothing
// of it is left behind but the names and the log.
func TestMove(t *testing.T) {
	w, evidence := furnished(t)
	blobs := w.pod.Blobs.(memBlobs)
	v := w.elsewhere()
	done, err := v.pod.Import(t.Context(), v.alva, bytes.NewReader(w.exported()), w.vouching())
	must(t, err)
	var id string
	must(t, w.pod.Store.View(t.Context(), store.Name("person/person-alva"), func(tx store.Tx) error { id = tx.Pod(); return nil }))
	if len(blobs.blobs) == 0 {
		t.Error("there never was a blob")
	}
	for range 2 {
		must(t, w.pod.MoveTo(t.Context(), w.alva, *done))
	}
	if err := w.pod.MoveTo(t.Context(), w.alva, archive.Imported{Root: "https://third.example/x/", From: done.From}); ldp.KindOf(err) != ldp.Conflict {
		t.Errorf("it moves once more: %v", err)
	}
	old := strings.Split(string(evidence), "/")[2]
	for _, row := range []struct {
		name string
		who  acl.Agent
		path ldp.ID
		want string
	}{
		{"the owner", w.alva, ldp.ID(w.root() + "notes/a.ttl"), v.pod.Base + v.root() + "notes/a.ttl"},
		{"a stranger, also where there is nothing", acl.Agent{}, ldp.ID(w.root() + "no/such"), v.pod.Base + v.root() + "no/such"},
		{"the insurer", w.agent(insurer), evidence, v.pod.Base + strings.Replace(string(evidence), old, done.Spaces[old], 1)},
		{"anybody, to the WebID that the insurer knows", acl.Agent{}, ldp.ID("/w/" + old + "/card"), v.pod.Base + "/w/" + done.Spaces[old] + "/card"},
	} {
		_, err := w.pod.Get(t.Context(), row.who, read(row.path, "text/turtle"))
		var fault *ldp.Fault
		if !errors.As(err, &fault) || fault.Kind != ldp.Moved || fault.Header != "Location: "+row.want {
			t.Errorf("%s is answered %v, %+v; want %s", row.name, err, fault, row.want)
		}
	}
	told := map[string]string{}
	notices, err := w.pod.Take(t.Context(), id, 100)
	must(t, err)
	for _, n := range notices {
		if n.Event == outbox.SpaceMoved {
			told[n.Party] = n.Location
		}
	}
	if len(told) != 2 || told[insurer] != v.pod.Base+"/w/"+done.Spaces[old]+"/" || told[authority] == told[insurer] {
		t.Errorf("told: %v", told)
	}
	if entries := w.log(); entries[len(entries)-1].Action != log.DidMove {
		t.Errorf("the log ends with %v", entries[len(entries)-1])
	}
	must(t, w.pod.Store.View(t.Context(), store.Name("id/"+id), func(tx store.Tx) error {
		for _, prefix := range []string{"r", "m", "a", "e", "f", "k", "q", "c", "g"} {
			if left, err := tx.Scan(prefix, "", 1); err != nil || len(left) > 0 {
				t.Errorf("%q is left, %v", left, err)
			}
		}
		return nil
	}))
	w.checkSound(t)
	if len(blobs.blobs) != 0 {
		t.Error("a blob is left")
	}
}

// A lookedAt is a Store in which somebody looks at what each commit leaves.
type lookedAt struct {
	store.Store
	after func(tx store.Tx) error
}

func (s lookedAt) Update(ctx context.Context, name store.Name, fn func(store.Tx) error) error {
	if err := s.Store.Update(ctx, name, fn); err != nil {
		return err
	}
	return s.Store.View(ctx, name, s.after)
}

// TestImportedWithItsRules: at no moment of an import is there a document without the
// rules that the archive has for it: those above it may let others in.
func TestImportedWithItsRules(t *testing.T) {
	w, _ := furnished(t)
	file := w.exported()
	v := w.elsewhere()
	seen := map[string]bool{}
	v.pod.Store = lookedAt{v.pod.Store, func(tx store.Tx) error {
		for _, path := range []string{"notes/", "notes/a.ttl"} {
			at := v.root() + path
			values, err := tx.Get("r"+at, "r"+at+".acl", "a"+at)
			if err != nil {
				return err
			}
			if there := values[0] != nil; there && (values[1] == nil || values[2] == nil) {
				t.Errorf("%s is there without its rules", path)
			} else if there {
				seen[path] = true
			}
		}
		return nil
	}}
	_, err := v.pod.Import(t.Context(), v.alva, bytes.NewReader(file), w.vouching())
	must(t, err)
	if len(seen) != 2 {
		t.Errorf("seen with their rules: %v", seen)
	}
}
