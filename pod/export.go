// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"skrin/acl"
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
	head := new(logHead)
	err := p.viewOwn(ctx, who, func(tx store.Tx) error {
		h, err := store.Load[logHead](tx, "h")
		if h != nil {
			head = h
		}
		return err
	})
	if err != nil {
		return err
	}
	var all tree
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
	signed, err := p.signCheckpoint(ctx, Checkpoint{p.origin(), p.Now(), head.Seq, head.Hash, all.root()})
	if err != nil {
		return err
	}
	end := checkpointLine(signed) + "\n"
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
func (p *Pod) exported(ctx context.Context, who acl.Agent, form LogForm, first, last uint64, all *tree) ([]byte, error) {
	var out bytes.Buffer
	var rdf logGraph
	var values [][]byte
	err := p.viewOwn(ctx, who, func(tx store.Tx) error {
		out.Reset()
		rdf = logGraph{Pod: p}
		var keys []string
		for seq := first; seq <= last; seq++ {
			keys = append(keys, logKey(seq))
		}
		var err error
		if values, err = tx.Get(keys...); err != nil {
			return err
		}
		for i, value := range values {
			line := value
			if form != LogLines {
				e, err := store.Decode[Entry](keys[i], value)
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
		all.add(value)
	}
	if err != nil || form != LogRDF {
		return out.Bytes(), err
	}
	return rdf.turtle()
}

// hashEnd is how the line of an entry ends: its hash of 64 digits. The hash is
// that of the line with an empty one.
const hashEnd = `","hash":"`

// A line is what an exported line says that the chain needs.
type line struct {
	Seq        uint64
	Prev, Hash string
	Checkpoint string
}

// VerifyExport reads a log that was exported as LogLines and reports its first
// fault: an entry that was changed, dropped or moved, one that doesn't belong,
// or an end that is not the one that the server signed. check verifies a
// checkpoint's JWS and returns its payload. since, if not nil, is the checkpoint
// of an earlier export of the same log, of which this must be a continuation.
func VerifyExport(r io.Reader, check func(jws string) ([]byte, error), since *Checkpoint) (Checkpoint, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	lines.Split(splitLines)
	var at verified
	for lines.Scan() {
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return at.Checkpoint, fmt.Errorf("after entry %d: a line is not JSON", at.Seq)
		}
		if l.Checkpoint != "" {
			if string(lines.Bytes()) != checkpointLine(l.Checkpoint) || lines.Scan() {
				return at.Checkpoint, errors.New("something stands beside or after the checkpoint")
			}
			return at.signed(l.Checkpoint, check, since)
		}
		if err := at.follow(lines.Bytes(), l); err != nil {
			return at.Checkpoint, err
		}
		if since != nil && at.Seq == since.Seq && at.Head != since.Head {
			return at.Checkpoint, fmt.Errorf("entry %d is another than when the earlier checkpoint was signed", at.Seq)
		}
	}
	if err := lines.Err(); err != nil {
		return at.Checkpoint, fmt.Errorf("after entry %d: %w", at.Seq, err)
	}
	return at.Checkpoint, fmt.Errorf("the log ends after entry %d without a checkpoint: its end was cut off", at.Seq)
}

// splitLines is bufio.ScanLines that takes every byte for what it is, also a
// carriage return before the line's end.
func splitLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

// checkpointLine is the last line of an exported log.
func checkpointLine(signed string) string {
	quoted, _ := json.Marshal(signed)
	return `{"checkpoint":` + string(quoted) + "}"
}

// A verified is as much of an exported log as was read and found whole.
type verified struct {
	Checkpoint // but for what only the signed one says
	tree       tree
}

// follow moves on to the entry in a line, if it follows.
func (c *verified) follow(text []byte, l line) error {
	if l.Seq != c.Seq+1 {
		return fmt.Errorf("entry %d is missing, or stands in another place", c.Seq+1)
	}
	if l.Prev != c.Head {
		return fmt.Errorf("entry %d does not follow the one before it", l.Seq)
	}
	end := len(text) - len(hashEnd) - 2*sha256.Size - len(`"}`)
	if end < 0 || !bytes.HasPrefix(text[end:], []byte(hashEnd)) {
		return fmt.Errorf("entry %d was changed: it does not end with its hash", l.Seq)
	}
	h := sha256.New()
	h.Write(text[:end+len(hashEnd)])
	io.WriteString(h, `"}`)
	if sum := hex.EncodeToString(h.Sum(nil)); string(text[end+len(hashEnd):]) != sum+`"}` || l.Hash != sum {
		return fmt.Errorf("entry %d was changed", l.Seq)
	}
	c.Seq, c.Head = l.Seq, l.Hash
	c.tree.add(text)
	return nil
}

// signed compares what was read with what the server signed.
func (c *verified) signed(text string, check func(string) ([]byte, error), since *Checkpoint) (Checkpoint, error) {
	s, err := openCheckpoint(text, check)
	if err != nil {
		return c.Checkpoint, fmt.Errorf("the checkpoint: %w", err)
	}
	switch {
	case s.Seq != c.Seq || s.Head != c.Head || s.Root != c.tree.root():
		return c.Checkpoint, fmt.Errorf("the log has %d entries, but the server signed %d: entries were cut off or added", c.Seq, s.Seq)
	case since != nil && (s.Seq < since.Seq || s.Origin != since.Origin):
		return c.Checkpoint, fmt.Errorf("the log had %d entries at the earlier checkpoint, and now has %d", since.Seq, s.Seq)
	}
	return s, nil
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
func (p *Pod) ts10(ctx context.Context, tx store.Tx, e *Entry) ([]byte, error) {
	party, err := p.partyOrName(ctx, e.Party)
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
	case DidRead, DidRefuse:
		out.Type, out.Presentation = "Presentation", &presentation{interaction: with}
		if e.Action == DidRefuse {
			out.Result = "NotCompleted"
		}
		out.Presentation.Presented = []claimList{{t.VCT, slices.Clip(append([]string{}, e.Fields...))}}
		if err := out.Presentation.asked(tx, e, party, t); err != nil {
			return nil, err
		}
	case DidDeliver:
		with.Credentials = []claimList{{t.VCT, e.Fields}}
		out.Type, out.Issuance = "Issuance", &with
	case DidWithdraw:
		with.Credentials = []claimList{{t.VCT, e.Fields}}
		out.Type, out.Deletion = "DataDeletionRequest", &with
	default:
		return nil, nil
	}
	return json.Marshal(out)
}

// asked fills in what the consent behind a read was about.
func (s *presentation) asked(tx store.Tx, e *Entry, party registry.Party, t *registry.EvidenceType) error {
	c, err := store.Load[Consent](tx, consentKey(e.Consent))
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
