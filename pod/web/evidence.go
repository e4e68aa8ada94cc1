// SPDX-License-Identifier: EUPL-1.2

package web

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"skrin/ldp"
	"skrin/pod"
	"skrin/pod/credential"
	"skrin/pod/evidence"
	"skrin/pod/registry"
)

// A card is a piece of evidence.
type card struct {
	ID, File             string // the file in which it is
	Title, About, Issuer string
	Issued, Expires      time.Time
	Received             time.Time
	State                string // "", "superseded", "revoked", "suspended", "expired"
	Words                string // the state
	Facts                []fact
}

var states = map[evidence.EndState]string{
	evidence.Current: "state.current", evidence.Superseded: "state.superseded", evidence.Revoked: "state.revoked", evidence.Expired: "state.expired",
	evidence.Suspended: "state.suspended",
}

func (v *visit) card(e evidence.Evidence) card {
	t, ok := v.Types.Type(e.Type)
	if !ok {
		t = &registry.EvidenceType{Title: registry.Text{"en": e.Type}}
	}
	state := e.State(v.Now())
	return card{
		ID: e.ID, Title: v.text(t.Title), About: v.text(t.About), Issuer: v.party(e.Issuer), Issued: e.Issued, Expires: e.Expires, Received: e.Received,
		State: string(state), Words: v.t(states[state], "date", v.lastDay(e.Expires)), Facts: v.facts(t, e.Facts),
	}
}

// evidencePage is how many pieces of evidence are on a page.
const evidencePage = 10

func (v *visit) evidence() error {
	page, _ := strconv.Atoi(v.r.URL.Query().Get("page")) // which part reads again
	some, n, err := v.Pod.Pieces(v.r.Context(), v.who, (max(page, 1)-1)*evidencePage, evidencePage)
	if err != nil {
		return fmt.Errorf("list evidence: %w", err)
	}
	p, err := v.part(v.to("/me/evidence"), n, evidencePage)
	if err != nil {
		return err
	}
	var cards []card
	for _, e := range some {
		cards = append(cards, v.card(e))
	}
	return v.show(200, "evidence", v.t("nav.evidence"), "nav.evidence", struct {
		Cards []card
		part
	}{cards, p})
}

// A part is where one is in a list that is shown in parts.
type part struct {
	from, to     int
	Newer, Older string // addresses; "" where there is none
}

// part reads which part of n things is asked for, of so many each.
func (v *visit) part(path string, n, each int) (p part, err error) {
	page := 1
	if s := v.r.URL.Query().Get("page"); s != "" {
		if page, err = strconv.Atoi(s); err != nil || page < 1 || page > 1+(n-1)/each {
			return p, ldp.NotFound
		}
	}
	address := func(page int) string { return path + "?" + url.Values{"page": {strconv.Itoa(page)}}.Encode() }
	p.from, p.to = (page-1)*each, min(n, page*each)
	if page > 1 {
		p.Newer = address(page - 1)
	}
	if p.to < n {
		p.Older = address(page + 1)
	}
	return p, nil
}

// held finds the evidence that the address names.
func (v *visit) held() (evidence.Evidence, error) {
	e, err := v.Pod.Piece(v.r.Context(), v.who, mux.Vars(v.r)["id"])
	if err != nil {
		return e, fmt.Errorf("find evidence: %w", err)
	}
	return e, nil
}

// endsShown is how much of what ends with a piece of evidence is named.
const endsShown = 12

// piece shows one piece of evidence: where it can be taken, and what would end if
// it were removed.
func (v *visit) piece() error {
	e, err := v.held()
	if err != nil {
		return err
	}
	shares, total, err := v.Pod.SharesOf(v.r.Context(), v.who, &e, endsShown)
	if err != nil {
		return fmt.Errorf("what is shared of evidence: %w", err)
	}
	var ends []share
	for _, s := range shares {
		ends = append(ends, v.share(s))
	}
	c := v.card(e)
	return v.show(http.StatusOK, "piece", c.Title, "nav.evidence", struct {
		card
		Ends  []share
		Other int // that end too
	}{c, ends, total - len(ends)})
}

// removePiece removes a piece of evidence. Who presses twice has removed it.
func (v *visit) removePiece() error {
	if v.r.PostForm.Get("do") != "remove" {
		return ldp.Invalid
	}
	e, err := v.held()
	if err == nil {
		err = v.Pod.Delete(v.r.Context(), v.who, ldp.Delete{ID: e.Path})
	}
	if err != nil && ldp.KindOf(err) != ldp.NotFound {
		return fmt.Errorf("remove evidence: %w", err)
	}
	return v.seeOther("/me/evidence?done=gone")
}

// savePiece sends a piece of evidence as a file: as it was signed, or as data.
func (v *visit) savePiece() error {
	e, err := v.held()
	if err != nil {
		return err
	}
	switch form := mux.Vars(v.r)["form"]; form {
	case "sd-jwt":
		text, err := v.Pod.OwnForm(v.r.Context(), v.who, e.ID)
		if err == nil && text == "" {
			return v.problem(noForm)
		}
		if err != nil {
			return fmt.Errorf("signed form: %w", err)
		}
		return v.download(credential.MediaType, "skrin-"+e.ID+".sd-jwt", func(w io.Writer) error { _, err := io.Copy(w, strings.NewReader(text)); return err })
	case "ttl", "jsonld":
		return v.saveGraph(e.Path, "skrin-"+e.ID+"."+form, map[string]string{"ttl": pod.TypeTurtle, "jsonld": pod.TypeJSONLD}[form])
	}
	return ldp.NotFound
}
