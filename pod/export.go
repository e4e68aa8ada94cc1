// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"

	"skrin/acl"
	"skrin/pod/consent"
	"skrin/pod/log"
	"skrin/pod/registry"
	"skrin/pod/store"
)

// An exported log is JSON lines: each entry as it is stored, oldest first, and
// in the end a line {"checkpoint": …} with what the server signed of it (see
// checkpoint.go). Whoever has the file and the server's public keys verifies it
// alone; who kept an earlier file finds that entries were changed or cut off since.

// A LogForm is a form in which a log is exported.
type LogForm int

// The forms of a log.
const (
	LogLines LogForm = iota // all entries and a checkpoint: what VerifyExport reads
	LogTS10                 // JSON lines in the form of the EUDI wallet's TS10; holds what has such a form, and proves nothing
	LogRDF                  // Turtle, in the terms of PROV and DPV; with the hashes by which LogLines is verified
)

// ExportLog writes the owner's whole log, oldest first, as it is now.
func (p *Pod) ExportLog(ctx context.Context, who acl.Agent, form LogForm, w io.Writer) error {
	head := new(log.Head)
	err := p.viewOwn(ctx, who, func(tx store.Tx) error {
		h, err := store.Load[log.Head](tx, "h")
		if h != nil {
			head = h
		}
		return err
	})
	if err != nil {
		return err
	}
	var all log.Tree
	for seq := uint64(1); seq <= head.Seq; seq += exportPage {
		lines, err := p.exported(ctx, who, form, seq, min(seq+exportPage-1, head.Seq), &all)
		if err != nil {
			return err
		}
		if _, err := w.Write(lines); err != nil {
			return err
		}
	}
	if form == LogTS10 {
		return nil
	}
	signed, err := log.SignCheckpoint(ctx, log.Checkpoint{Origin: p.origin(), Issued: p.Now(), Seq: head.Seq, Head: head.Hash, Root: all.Root()}, p.Sign)
	if err != nil {
		return err
	}
	end := log.CheckpointLine(signed) + "\n"
	if form == LogRDF {
		if end, err = p.treeHead(signed); err != nil {
			return err
		}
	}
	_, err = io.WriteString(w, end)
	return err
}

// exportPage is how many entries are read at once.
const exportPage = 1000

// exported returns the entries from first to last in a form, and adds them to the
// tree.
func (p *Pod) exported(ctx context.Context, who acl.Agent, form LogForm, first, last uint64, all *log.Tree) ([]byte, error) {
	var out bytes.Buffer
	var rdf logGraph
	var values [][]byte
	err := p.viewOwn(ctx, who, func(tx store.Tx) error {
		out.Reset()
		rdf = logGraph{Pod: p}
		var keys []string
		for seq := first; seq <= last; seq++ {
			keys = append(keys, log.Key(seq))
		}
		var err error
		if values, err = tx.Get(keys...); err != nil {
			return err
		}
		for i, value := range values {
			line := value
			if form != LogLines {
				e, err := store.Decode[log.Entry](keys[i], value)
				if err == nil && form == LogTS10 {
					line, err = p.ts10(ctx, tx, e)
				} else if err == nil {
					line, err = nil, rdf.add(ctx, tx, e, value)
				}
				if err != nil {
					return err
				}
			}
			if line != nil {
				out.Write(append(slices.Clip(line), '\n'))
			}
		}
		return nil
	})
	for _, value := range values {
		all.Add(value)
	}
	if err != nil || form != LogRDF {
		return out.Bytes(), err
	}
	return rdf.turtle()
}

// A ts10Entry is a transaction in the terms of the EUDI wallet's TS10, as its
// table nests them.
type ts10Entry struct {
	ID           string        `json:"transactionIdentifier"` // the entry's hash
	Time         string        `json:"time"`
	Type         string        `json:"transactionType"`
	Result       string        `json:"transactionResult"`
	Presentation *presentation `json:"presentation,omitempty"`
	Issuance     *interaction  `json:"issuance,omitempty"`
	Deletion     *interaction  `json:"dataDeletionRequest,omitempty"`
}

type interaction struct {
	Party        euid        `json:"interactingPartyIdentifier"`
	PartyType    string      `json:"interactingPartyType"`
	Name         localized   `json:"interactingPartyName"`
	Contact      []string    `json:"interactingPartyContact"`
	Intermediary bool        `json:"isIntermediary"`
	Registrar    string      `json:"registrarURL"`
	Authority    string      `json:"dpaName"`
	Privacy      policy      `json:"privacyPolicy"`
	Credentials  []claimList `json:"listOfCredentials,omitempty"`
}

type presentation struct {
	interaction
	Purpose   []localized `json:"purpose"`
	Requested []claimList `json:"listOfClaimsRequested"`
	Presented []claimList `json:"listOfClaimsPresented"`
}

type (
	euid struct {
		Type string `json:"type"`
		ID   string `json:"identifier"`
	}
	localized struct {
		Lang    string `json:"lang"`
		Content string `json:"content"`
	}
	policy struct {
		Type string `json:"type"`
		URI  string `json:"policyURI"`
	}
	claimList struct {
		Credential string   `json:"credentialIdentifier"`
		Claims     []string `json:"claims"`
	}
)

// ts10 returns an entry in the form of TS10; nil for one that has no such form.
func (p *Pod) ts10(ctx context.Context, tx store.Tx, e *log.Entry) ([]byte, error) {
	party, err := registry.PartyOrName(ctx, p.Registry, e.Party)
	if err != nil {
		return nil, err
	}
	out := ts10Entry{ID: e.Hash, Time: e.Time.Format("2006-01-02T15:04:05"), Result: "Completed"}
	with := p.interaction(party)
	t, _ := p.Types.Type(e.Type)
	if t == nil {
		t = new(registry.EvidenceType) // it has left the catalogue
	}
	switch e.Action {
	case log.DidRead, log.DidRefuse:
		out.Type, out.Presentation = "Presentation", &presentation{interaction: with}
		if e.Action == log.DidRefuse {
			out.Result = "NotCompleted"
		}
		out.Presentation.Presented = []claimList{{t.VCT, slices.Clip(append([]string{}, e.Fields...))}}
		if err := out.Presentation.asked(tx, e, party, t); err != nil {
			return nil, err
		}
	case log.DidDeliver:
		with.Credentials = []claimList{{t.VCT, e.Fields}}
		out.Type, out.Issuance = "Issuance", &with
	case log.DidWithdraw:
		with.Credentials = []claimList{{t.VCT, e.Fields}}
		out.Type, out.Deletion = "DataDeletionRequest", &with
	default:
		return nil, nil
	}
	return json.Marshal(out)
}

// asked fills in what the consent behind a read was about.
func (s *presentation) asked(tx store.Tx, e *log.Entry, party registry.Party, t *registry.EvidenceType) error {
	c, err := store.Load[consent.Consent](tx, consent.Key(e.Consent))
	if err != nil || c == nil {
		return err
	}
	s.Requested = []claimList{{t.VCT, slices.Concat(c.Request.Fields, c.Request.Optional)}}
	use, _ := party.Use(c.Request.Use)
	for _, lang := range []string{"sv", "nb", "nn", "en"} {
		if why := use.Why[lang]; why != "" {
			s.Purpose = append(s.Purpose, localized{lang, why})
		}
	}
	return nil
}

func (p *Pod) interaction(party registry.Party) interaction {
	role := "ServiceProvider"
	if len(party.MayIssue) > 0 {
		role = "AttestationProvider"
	}
	return interaction{
		Party: euid{"http://data.europa.eu/eudi/id/EUID", party.Number}, PartyType: role, Name: localized{"en", party.Name.In("en")},
		Contact: []string{party.Contact}, Registrar: p.Base + "/.parties/" + party.ID, Authority: party.Authority,
		Privacy: policy{"http://data.europa.eu/eudi/policy/privacy-policy", party.Privacy},
	}
}

// origin names the log of a pod here.
func (p *Pod) origin() string {
	_, host, _ := strings.Cut(p.Base, "://")
	return host + "/me/log"
}
