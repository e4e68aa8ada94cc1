// SPDX-License-Identifier: EUPL-1.2

package archive

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
	"skrin/pod/consent"
	"skrin/pod/credential"
	"skrin/pod/evidence"
	"skrin/pod/extract"
	"skrin/pod/record"
	"skrin/pod/resource"
	"skrin/pod/store"
	"skrin/pod/vouch"
)

// What is in an archive, besides files/.
const (
	zipIndex    = "index.jsonl"
	zipLog      = "log.jsonl"
	zipSettings = "settings.json"
)

// An archived file is a line of an archive's index.jsonl.
type archived struct {
	File     string    `json:"file"` // its name in the archive
	URL      string    `json:"url,omitempty"`
	Type     string    `json:"type,omitempty"` // media type
	Modified time.Time `json:"modified,omitzero"`
}

// Zip writes what a person has in a pod as a ZIP file, as the Archive of package pod
// does. name is what she calls herself; form returns a signed form of evidence that is
// her own.
func Zip(ctx context.Context, d *Desk, name string, form func(evidence string) (string, error), w io.Writer) error {
	a := &zipfile{Desk: d, ctx: ctx, name: name, form: form, zip: zip.NewWriter(w)}
	for _, step := range []func() error{a.settings, a.resources, a.evidence, a.consents, a.log, a.index, a.zip.Close} {
		if err := step(); err != nil {
			return fmt.Errorf("archive: %w", err)
		}
	}
	return nil
}

// A zipfile is one that is being written.
type zipfile struct {
	*Desk
	ctx   context.Context
	name  string
	form  func(evidence string) (string, error)
	zip   *zip.Writer
	files []archived
}

// put writes one file.
func (a *zipfile) put(f archived, body io.Reader) error {
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

func (a *zipfile) settings() error {
	b, err := json.Marshal(struct {
		WebID acl.WebID `json:"webid"`
		Name  string    `json:"name,omitempty"`
	}{a.Who.ID, a.name})
	if err != nil {
		return err
	}
	return a.put(archived{File: zipSettings, Type: "application/json"}, strings.NewReader(string(b)+"\n"))
}

// resources writes the pod, a page at a time.
func (a *zipfile) resources() error {
	for after := ""; ; {
		var found []store.Pair
		var podID string
		err := a.View(func(tx store.Tx) (err error) {
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

func (a *zipfile) resource(podID string, id ldp.ID, value []byte) error {
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
	body, err := a.Tree.Open(a.ctx, podID, rec)
	if err != nil {
		return err
	}
	defer body.Close()
	return a.put(f, body)
}

func (a *zipfile) evidence() error {
	var all []evidence.Evidence
	err := a.View(func(tx store.Tx) (err error) {
		all, err = evidence.All(tx, a.Statuses, a.Now())
		return err
	})
	if err != nil {
		return err
	}
	for _, e := range all {
		form, err := a.form(e.ID)
		if err != nil {
			return err
		}
		if form == "" {
			continue
		}
		if err := a.put(archived{File: "evidence/" + e.ID + ".sd-jwt", Type: credential.MediaType, Modified: e.Received}, strings.NewReader(form)); err != nil {
			return err
		}
	}
	return nil
}

func (a *zipfile) consents() error {
	var all []consent.Share
	err := a.View(func(tx store.Tx) (err error) {
		all, err = a.Shares(a.ctx, tx)
		return err
	})
	if err != nil {
		return err
	}
	for _, s := range all {
		c := s.Consent
		err := a.put(archived{File: "consents/" + c.ID + ".jwt", Type: vouch.MediaType, Modified: c.Given}, strings.NewReader(c.Record))
		if err == nil && c.Receipt != "" {
			err = a.put(archived{File: "consents/" + c.ID + "-erased.jwt", Type: vouch.MediaType, Modified: c.Erased}, strings.NewReader(c.Receipt))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *zipfile) log() error {
	f := archived{File: zipLog, Type: "application/jsonl", Modified: a.Now().UTC().Truncate(time.Second)}
	out, err := a.zip.CreateHeader(&zip.FileHeader{Name: f.File, Method: zip.Deflate, Modified: f.Modified})
	if err != nil {
		return err
	}
	a.files = append(a.files, f)
	return extract.Write(a.ctx, a.Book, a.View, extract.Lines, out)
}

func (a *zipfile) index() error {
	out, err := a.zip.CreateHeader(&zip.FileHeader{Name: zipIndex, Method: zip.Deflate, Modified: a.Now().UTC()})
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
