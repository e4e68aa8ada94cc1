// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"archive/zip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/evidence"
	"skrin/pod/extract"
	"skrin/pod/record"
	"skrin/pod/resource"
	"skrin/pod/store"
)

// What is in an archive, besides files/.
const (
	archiveIndex    = "index.jsonl"
	archiveLog      = "log.jsonl"
	archiveSettings = "settings.json"
)

// An archived file is a line of an archive's index.jsonl.
type archived struct {
	File     string    `json:"file"` // its name in the archive
	URL      string    `json:"url,omitempty"`
	Type     string    `json:"type,omitempty"` // media type
	Modified time.Time `json:"modified,omitzero"`
}

// Archive writes all that the owner has here as a ZIP file: each resource of the
// pod as it was sent, its ACL documents and descriptions too, under files/; of
// each piece of evidence the signed form that is the owner's own; the signed
// records of what was agreed, and the receipts of what was erased; the log, as
// [Pod.ExportLog] writes it; what she calls herself; and an index that says what
// each file is. Of a pod that changes meanwhile it may hold some changes and not
// others. Nothing is kept in memory but a page of the pod at a time.
func (p *Pod) Archive(ctx context.Context, who acl.Agent, w io.Writer) error {
	a := &archive{Pod: p, ctx: ctx, who: who, zip: zip.NewWriter(w)}
	for _, step := range []func() error{a.settings, a.resources, a.evidence, a.consents, a.log, a.index, a.zip.Close} {
		if err := step(); err != nil {
			return fmt.Errorf("archive: %w", err)
		}
	}
	return nil
}

// An archive is one that is being written.
type archive struct {
	*Pod
	ctx   context.Context
	who   acl.Agent
	zip   *zip.Writer
	files []archived
}

// put writes one file.
func (a *archive) put(f archived, body io.Reader) error {
	if f.Modified.IsZero() {
		f.Modified = a.Now().UTC().Truncate(time.Second)
	}
	out, err := a.zip.CreateHeader(&zip.FileHeader{Name: f.File, Method: zip.Deflate, Modified: f.Modified})
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, body); err != nil {
		return err
	}
	a.files = append(a.files, f)
	return nil
}

func (a *archive) settings() error {
	s, err := a.Settings(a.ctx, a.who)
	if err != nil {
		return err
	}
	b, err := json.Marshal(struct {
		WebID acl.WebID `json:"webid"`
		Name  string    `json:"name,omitempty"`
	}{a.who.ID, s.Name})
	if err != nil {
		return err
	}
	return a.put(archived{File: archiveSettings, Type: "application/json"}, strings.NewReader(string(b)+"\n"))
}

// resources writes the pod, a page at a time.
func (a *archive) resources() error {
	for after := ""; ; {
		var found []store.Pair
		var podID string
		err := a.viewOwn(a.ctx, a.who, func(tx store.Tx) (err error) {
			podID = tx.Pod()
			found, err = tx.Scan(record.RecordKey(""), after, resource.Page)
			return err
		})
		if err != nil {
			return err
		}
		for _, pair := range found {
			if err := a.resource(podID, ldp.ID(strings.TrimPrefix(pair.Key, record.RecordKey(""))), pair.Value); err != nil {
				return err
			}
			after = pair.Key
		}
		if len(found) < resource.Page {
			return nil
		}
	}
}

func (a *archive) resource(podID string, id ldp.ID, value []byte) error {
	rec, err := record.DecodeState(value)
	if err != nil {
		return err
	}
	name, err := url.PathUnescape(strings.TrimPrefix(string(id), string(record.RootOf(id))))
	if err != nil {
		return err
	}
	f := archived{File: "files/" + name, URL: a.url(id), Type: rec.Media, Modified: time.Unix(rec.Modified, 0).UTC()}
	if id.IsContainer() && len(rec.Body) == 0 {
		_, err := a.zip.CreateHeader(&zip.FileHeader{Name: f.File, Modified: f.Modified})
		return err
	}
	if id.IsContainer() { // its own triples
		f.File, f.Type = f.File+".container.nt", "application/n-triples"
	}
	body, err := a.tree().Open(a.ctx, podID, rec)
	if err != nil {
		return err
	}
	defer body.Close()
	return a.put(f, body)
}

func (a *archive) evidence() error {
	all, err := a.Holdings(a.ctx, a.who)
	if err != nil {
		return err
	}
	for _, e := range all {
		form, err := a.OwnForm(a.ctx, a.who, e.ID)
		if err != nil {
			return err
		}
		if form == "" {
			continue
		}
		if err := a.put(archived{File: "evidence/" + e.ID + ".sd-jwt", Type: TypeSDJWT, Modified: e.Received}, strings.NewReader(form)); err != nil {
			return err
		}
	}
	return nil
}

func (a *archive) consents() error {
	all, err := a.Shares(a.ctx, a.who)
	if err != nil {
		return err
	}
	for _, s := range all {
		c := s.Consent
		err := a.put(archived{File: "consents/" + c.ID + ".jwt", Type: TypeReceipt, Modified: c.Given}, strings.NewReader(c.Record))
		if err == nil && c.Receipt != "" {
			err = a.put(archived{File: "consents/" + c.ID + "-erased.jwt", Type: TypeReceipt, Modified: c.Erased}, strings.NewReader(c.Receipt))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *archive) log() error {
	f := archived{File: archiveLog, Type: "application/jsonl", Modified: a.Now().UTC().Truncate(time.Second)}
	out, err := a.zip.CreateHeader(&zip.FileHeader{Name: f.File, Method: zip.Deflate, Modified: f.Modified})
	if err != nil {
		return err
	}
	a.files = append(a.files, f)
	return a.ExportLog(a.ctx, a.who, extract.Lines, out)
}

func (a *archive) index() error {
	out, err := a.zip.CreateHeader(&zip.FileHeader{Name: archiveIndex, Method: zip.Deflate, Modified: a.Now().UTC()})
	if err != nil {
		return err
	}
	lines := json.NewEncoder(out)
	for _, f := range a.files {
		if err := lines.Encode(f); err != nil {
			return err
		}
	}
	return nil
}

// owners is the space, which no party has, for whom a signed form is the owner's
// own.
const owners = "owner"

// OwnForm returns a signed form of the owner's evidence that no party was given
// or will be: what is shown around under one name must not be what another has.
// "" if all forms that were delivered are given away.
func (p *Pod) OwnForm(ctx context.Context, who acl.Agent, id string) (string, error) {
	var form string
	err := p.updateOwn(ctx, who, func(tx store.Tx) error {
		e, err := evidence.Find(tx, id)
		if err != nil {
			return err
		}
		g, err := p.giveForm(ctx, tx, e, owners)
		form = g.Compact
		return err
	})
	return form, err
}
