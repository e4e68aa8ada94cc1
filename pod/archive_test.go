// SPDX-License-Identifier: EUPL-1.2

package pod_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	"skrin/ldp"
	"skrin/pod/credential"
	"skrin/pod/log"
)

// TestArchive: all that a person has here comes out, whole, and is named in the
// index; and the signed form in it is nobody else's.
func TestArchive(t *testing.T) {
	w := newTown(t)
	ctx := t.Context()
	w.pod.Blobs = memBlobs{newMemory(t)}
	w.deposit(w.connect(), w.issue(3, nil))
	there := w.location(w.answer("ask", insurer, asks(), agree))
	theirs, err := w.read(insurer, there, credential.MediaType)
	must(t, err)
	must(t, w.pod.CallMe(ctx, w.alva, "Alva"))
	root := strings.TrimSuffix(strings.TrimPrefix(string(w.alva.ID), base), "profile/card#me")
	large := strings.Repeat("large ", 40_000)
	for path, body := range map[string]string{"notes/%C3%A5%20b.txt": "text", "notes/large.txt": large} {
		_, err := w.pod.Put(ctx, w.alva, ldp.Put{ID: ldp.ID(root + path), Type: "text/plain", Body: strings.NewReader(body), Size: int64(len(body))})
		must(t, err)
	}
	var out bytes.Buffer
	must(t, w.pod.Archive(ctx, w.alva, &out))
	in, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	must(t, err)
	got := map[string]string{}
	for _, f := range in.File {
		r, err := f.Open()
		must(t, err)
		body, err := io.ReadAll(r)
		must(t, err)
		got[f.Name] = string(body)
	}
	held, err := w.pod.Holdings(ctx, w.alva)
	must(t, err)
	consent := w.shares()[0].Consent
	form := got["evidence/"+held[0].ID+".sd-jwt"]
	for name, want := range map[string]string{
		"files/notes/å b.txt": "text", "files/notes/large.txt": large, "files/profile/card": "oidcIssuer", "files/.acl": "Authorization", "files/notes/": "",
		"files/evidence/" + held[0].ID: "supportsValue", "consents/" + consent.ID + ".jwt": consent.Record, "log.jsonl": `"checkpoint"`, "settings.json": "Alva",
		"evidence/" + held[0].ID + ".sd-jwt": "~",
	} {
		if body, ok := got[name]; !ok || !strings.Contains(body, want) {
			t.Errorf("%s: there %v, %d bytes", name, ok, len(body))
		}
	}
	jwt, _, _ := strings.Cut(form, "~")
	if own, _, _ := strings.Cut(theirs, "~"); own == jwt {
		t.Error("the archive has the form that the insurer has")
	}
	if again, err := w.pod.OwnForm(ctx, w.alva, held[0].ID); err != nil || again != form {
		t.Errorf("another form the second time: %v", err)
	}
	_, err = log.VerifyExport(strings.NewReader(got["log.jsonl"]), w.check, nil)
	must(t, err)
	var indexed []string
	for line := range strings.Lines(got["index.jsonl"]) {
		var f struct{ File string }
		must(t, json.Unmarshal([]byte(line), &f))
		indexed = append(indexed, f.File)
	}
	for name := range got {
		if name != "index.jsonl" && !strings.HasSuffix(name, "/") && !slices.Contains(indexed, name) {
			t.Errorf("%s is not in the index", name)
		}
	}
	if err := w.pod.Archive(ctx, w.agent(insurer), io.Discard); ldp.KindOf(err) != ldp.Forbidden {
		t.Errorf("a party: %v", err)
	}
	if _, err := w.pod.OwnForm(ctx, w.agent(insurer), held[0].ID); ldp.KindOf(err) != ldp.Forbidden {
		t.Errorf("a party: %v", err)
	}
}
