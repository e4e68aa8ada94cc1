// SPDX-License-Identifier: EUPL-1.2

package extract

import (
	"context"
	"encoding/json"
	"slices"

	"skrin/pod/consent"
	"skrin/pod/log"
	"skrin/pod/registry"
	"skrin/pod/store"
)

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

// ts10 returns an entry in the form of TS10; nil for one that has no such form.
func (l *writer) ts10(ctx context.Context, tx store.Tx, e *log.Entry) ([]byte, error) {
	party, err := registry.PartyOrName(ctx, l.Registry, e.Party)
	if err != nil {
		return nil, err
	}
	out := ts10Entry{ID: e.Hash, Time: e.Time.Format("2006-01-02T15:04:05"), Result: "Completed"}
	with := l.interaction(party)
	t, _ := l.Types.Type(e.Type)
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

func (l *writer) interaction(party registry.Party) interaction {
	role := "ServiceProvider"
	if len(party.MayIssue) > 0 {
		role = "AttestationProvider"
	}
	return interaction{
		Party: euid{"http://data.europa.eu/eudi/id/EUID", party.Number}, PartyType: role, Name: localized{"en", party.Name.In("en")},
		Contact: []string{party.Contact}, Registrar: l.Base + "/.parties/" + party.ID, Authority: party.Authority,
		Privacy: policy{"http://data.europa.eu/eudi/policy/privacy-policy", party.Privacy},
	}
}
