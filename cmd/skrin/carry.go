// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/go-jose/go-jose/v4"

	"skrin/pod"
	"skrin/pod/archive"
)

// exportPod writes a pod to a new file, as the operator.
func (s *chest) exportPod(ctx context.Context, p *pod.Pod, e errand) error {
	who, err := p.OwnerOf(ctx, e.Pod)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(e.To+".part", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = p.Export(ctx, who, "operator", &counter{w: f, told: e.tell})
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(e.To+".part"))
	}
	return os.Rename(e.To+".part", e.To)
}

// importPod fills a pod from a file. e.Keys is the file of the public keys of the
// server that sealed it, "" to believe nobody.
func (s *chest) importPod(ctx context.Context, p *pod.Pod, e errand) (*archive.Imported, error) {
	who, err := p.OwnerOf(ctx, e.Pod)
	if err != nil {
		return nil, err
	}
	var vouching *jose.JSONWebKeySet
	if e.Keys != "" {
		b, err := os.ReadFile(e.Keys)
		if err != nil {
			return nil, err
		}
		vouching = new(jose.JSONWebKeySet)
		if err := json.Unmarshal(b, vouching); err != nil {
			return nil, fmt.Errorf("%s: %w", e.Keys, err)
		}
	}
	f, err := os.Open(e.From)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	file := struct { // it is read twice
		*counter
		io.Seeker
	}{&counter{r: f, of: 2 * info.Size(), told: e.tell}, f}
	return p.Import(ctx, who, file, vouching)
}

// movePod says of a pod where it is now.
func (s *chest) movePod(ctx context.Context, p *pod.Pod, e errand) error {
	who, err := p.OwnerOf(ctx, e.Pod)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(e.From)
	if err != nil {
		return err
	}
	var o outcome
	if err := json.Unmarshal(b, &o); err != nil || o.Imported == nil {
		return fmt.Errorf("%s is not what \"skrin import --json\" prints: %w", e.From, err)
	}
	return p.MoveTo(ctx, who, *o.Imported)
}

type movedCommand struct {
	operated
	dangerous
	Pod  string `arg:"" help:"The pod's id here, or its URL."`
	File string `arg:"" help:"What \"skrin import --json\" printed at the other server." type:"existingfile"`
}

// Run obeys kong.
func (c *movedCommand) Run(ctx context.Context) error {
	if err := c.sure(ctx, "Whoever asks for this pod here is sent on from now on, and its counterparts are told."); err != nil {
		return err
	}
	return c.do(ctx, errand{Do: "moved", Pod: c.Pod, From: c.File}, func(o outcome) string { return "whoever asks here is sent on; done in " + o.Took })
}

type exportCommand struct {
	operated
	dangerous
	Pod string `arg:"" help:"The pod's id, or its URL."`
	To  string `arg:"" help:"File to make: a compressed tar file, sealed with the server's key." type:"path"`
}

// Run obeys kong.
func (c *exportCommand) Run(ctx context.Context) error {
	if _, err := os.Stat(c.To); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is there already", c.To)
	}
	if err := c.sure(ctx, "The file will hold all that the person keeps here, for whoever has it to read. Her log will say so."); err != nil {
		return err
	}
	return c.do(ctx, errand{Do: "export", Pod: c.Pod, To: c.To}, func(o outcome) string { return "exported in " + o.Took })
}

type importCommand struct {
	operated
	Pod    string `arg:"" help:"The pod to fill, by its id or URL: a new one, which its owner has by signing in."`
	File   string `arg:"" help:"The file: made by export, or by fetch." type:"existingfile"`
	Sealed string `help:"File with the public keys of the server that exported it, as it has them at /.oidc/jwks. Without, only documents and their rules are taken: nobody vouches for the rest. Make sure that it is the same person's pod: the seal doesn't say that." type:"existingfile"`
}

// Run obeys kong.
func (c *importCommand) Run(ctx context.Context) error {
	return c.do(ctx, errand{Do: "import", Pod: c.Pod, From: c.File, Keys: c.Sealed}, func(o outcome) string {
		i := o.Imported
		text := fmt.Sprintf("imported in %s: %s is now %s\n", o.Took, i.From, i.Root)
		for _, folder := range []string{"pod", "evidence", "consents", "grants", "log"} {
			text += fmt.Sprintf("%8d %s\n", i.Count[folder], folder)
		}
		if i.Left > 0 {
			text += fmt.Sprintf("%8d left out: nobody vouches for them (--sealed)\n", i.Left)
		}
		return text
	})
}
