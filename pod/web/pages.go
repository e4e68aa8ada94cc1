// SPDX-License-Identifier: EUPL-1.2

package web

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"skrin/ldp"
	"skrin/pod"
)

// How much the pages show at once.
const (
	recent   = 5                   // pieces of evidence on the home page
	soon     = 14 * 24 * time.Hour // what ends within it is on the home page
	pageSize = 50                  // lines of the log
)

// party returns the name of a party, its id if it is no longer registered.
func (v *visit) party(id string) string {
	p, err := v.Registry.Party(v.r.Context(), id)
	if errors.Is(err, pod.ErrNoParty) {
		return plain(id)
	}
	if err != nil {
		v.Log.ErrorContext(v.r.Context(), "name of a party", "error", err)
		return plain(id)
	}
	return v.text(p.Name)
}

// A card is a piece of evidence.
type card struct {
	Title, About, Issuer string
	Issued, Expires      time.Time
	Received             time.Time
	State                string // "", "superseded", "revoked", "suspended", "expired"
	Words                string // the state
	Facts                []fact
}

var states = map[pod.EndState]string{
	pod.Current: "state.current", pod.Superseded: "state.superseded", pod.Revoked: "state.revoked", pod.Expired: "state.expired",
	pod.Suspended: "state.suspended",
}

// cards returns the person's evidence, the current first, then the newest.
func (v *visit) cards() ([]card, error) {
	all, err := v.Pod.Holdings(v.r.Context(), v.who)
	if err != nil {
		return nil, fmt.Errorf("list evidence: %w", err)
	}
	var cards []card
	for _, e := range all {
		t, ok := v.Types.Type(e.Type)
		if !ok {
			t = &pod.EvidenceType{Title: pod.Text{"en": e.Type}}
		}
		state := e.State(v.Now())
		cards = append(cards, card{
			Title: v.text(t.Title), About: v.text(t.About), Issuer: v.party(e.Issuer), Issued: e.Issued, Expires: e.Expires, Received: e.Received,
			State: string(state), Words: v.t(states[state], "date", v.lastDay(e.Expires)), Facts: v.facts(t, e.Facts),
		})
	}
	slices.SortStableFunc(cards, func(a, b card) int {
		if (a.State == "") != (b.State == "") {
			if a.State == "" {
				return -1
			}
			return 1
		}
		return b.Received.Compare(a.Received)
	})
	return cards, nil
}

func (v *visit) evidence() error {
	cards, err := v.cards()
	if err != nil {
		return err
	}
	return v.show(200, "evidence", v.t("nav.evidence"), "nav.evidence", cards)
}

// A line is a request that waits for an answer, on the home page.
type line struct {
	ID, Words string
	By        time.Time
}

func (v *visit) home() error {
	offers, err := v.Pod.Requests(v.r.Context(), v.who)
	if err != nil {
		return fmt.Errorf("list requests: %w", err)
	}
	var lines []line
	for _, o := range offers {
		if len(o.Types) == 0 {
			continue
		}
		words := v.t("home.asks", "party", v.text(o.Party.Name), "type", v.text(o.Types[0].Title))
		if o.Request.Kind == pod.ToDeposit {
			words = v.t("home.connects", "party", v.text(o.Party.Name))
		}
		lines = append(lines, line{o.Request.ID, words, o.Request.AnswerBy})
	}
	cards, err := v.cards()
	if err != nil {
		return err
	}
	cards = slices.DeleteFunc(cards, func(c card) bool { return c.State != "" })
	shares, err := v.shares()
	if err != nil {
		return err
	}
	shares = slices.DeleteFunc(shares, func(s share) bool { return s.State != active || s.Until.After(v.Now().Add(soon)) })
	return v.show(200, "home", v.t("nav.home"), "nav.home", struct {
		Lines []line
		Cards []card
		Soon  []share
	}{lines, cards[:min(recent, len(cards))], shares})
}

// A share is what was agreed to.
type share struct {
	ID, Party, Type, Why string
	Fields               []string
	Given, Until         time.Time
	Withdrawn            time.Time
	Standing             bool
	Reads                int
	Last                 time.Time
	State                string
	Contact              string // where to ask the party to erase
}

// The states of a share.
const (
	active    = "active"
	ended     = "ended"
	withdrawn = "withdrawn"
)

func (v *visit) shares() ([]share, error) {
	all, err := v.Pod.Shares(v.r.Context(), v.who)
	if err != nil {
		return nil, fmt.Errorf("list shares: %w", err)
	}
	var shares []share
	for _, s := range all {
		c, t := s.Consent, s.Type
		if t == nil {
			t = &pod.EvidenceType{}
		}
		out := share{
			ID: c.ID, Party: v.text(s.Party.Name), Type: v.text(t.Title), Why: v.text(s.Use.Why), Fields: v.titles(t, c.Fields),
			Given: c.Given, Until: c.Until, Withdrawn: c.Withdrawn, Standing: c.Request.Standing,
			Reads: s.Reads, Last: s.Last, State: ended, Contact: webAddress(s.Party.Contact),
		}
		switch {
		case !c.Withdrawn.IsZero():
			out.State = withdrawn
		case s.Active:
			out.State = active
		}
		shares = append(shares, out)
	}
	return shares, nil
}

func (v *visit) sharing() error {
	all, err := v.shares()
	if err != nil {
		return err
	}
	in := map[string][]share{}
	for _, s := range all {
		in[s.State] = append(in[s.State], s)
	}
	return v.show(200, "sharing", v.t("nav.sharing"), "nav.sharing", struct{ Active, Ended, Withdrawn []share }{in[active], in[ended], in[withdrawn]})
}

func (v *visit) withdraw() error {
	if err := v.Pod.Withdraw(v.r.Context(), v.who, v.r.PostForm.Get("withdraw")); err != nil {
		return fmt.Errorf("withdraw: %w", err)
	}
	return v.seeOther("/me/sharing?done=withdrawn")
}

// An event is a line of the log.
type event struct {
	Time    time.Time
	Words   string
	Fields  []string
	Why     string
	Refused bool
}

// A date is the events of one day.
type date struct {
	Day    string
	Events []event
}

var deeds = map[pod.Action]string{
	pod.DidConnect: "log.connect", pod.DidDeliver: "log.deliver", pod.DidRead: "log.read", pod.DidRefuse: "log.refuse",
	pod.DidAgree: "log.agree", pod.DidDecline: "log.decline", pod.DidWithdraw: "log.withdraw", pod.DidFetch: "log.fetch",
	pod.DidRemove: "log.remove", pod.DidVisit: "log.visit", pod.DidUse: "log.use",
	pod.DidWrite: "log.write", pod.DidDelete: "log.delete",
	pod.DidDisconnect: "log.disconnect", pod.DidFreeze: "log.freeze", pod.DidThaw: "log.thaw", pod.DidErase: "log.erase",
	pod.DidExport: "log.export", pod.DidImport: "log.import", pod.DidMove: "log.moved",
}

func (v *visit) log() error {
	before := uint64(0)
	if s := v.r.URL.Query().Get("before"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			return ldp.NotFound
		}
		before = n
	}
	entries, err := v.Pod.Log(v.r.Context(), v.who, before, pageSize+1)
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	var older string
	if len(entries) > pageSize {
		entries = entries[:pageSize]
		older = "/me/log?" + url.Values{"before": {strconv.FormatUint(entries[pageSize-1].Seq, 10)}}.Encode()
	}
	var dates []date
	for _, e := range entries {
		day := v.date(e.Time.In(v.Zone))
		if len(dates) == 0 || dates[len(dates)-1].Day != day {
			dates = append(dates, date{Day: day})
		}
		last := &dates[len(dates)-1]
		last.Events = append(last.Events, v.event(e))
	}
	return v.show(200, "log", v.t("nav.log"), "nav.log", struct {
		Dates []date
		Older string
		Newer bool
	}{dates, older, before != 0})
}

// saveLog sends the whole log as a file that "skrin log verify" takes.
func (v *visit) saveLog() error {
	h := v.w.Header()
	h.Set("Content-Type", "application/jsonl")
	h.Set("Content-Disposition", `attachment; filename="skrin-log.jsonl"`)
	if err := v.Pod.ExportLog(v.r.Context(), v.who, pod.LogLines, v.w); err != nil {
		return fmt.Errorf("export the log: %w", err)
	}
	return nil
}

// event puts an entry into words.
func (v *visit) event(e pod.Entry) event {
	key, ok := deeds[e.Action]
	if !ok {
		key = "log.other"
	}
	switch unknown := e.Agent == ""; {
	case unknown && e.Action == pod.DidWrite:
		key = "log.write.unknown"
	case unknown && e.Action == pod.DidDelete:
		key = "log.delete.unknown"
	}
	t, ok := v.Types.Type(e.Type)
	if !ok {
		t = &pod.EvidenceType{Title: pod.Text{"en": e.Type}}
	}
	out := event{
		Time: e.Time, Words: v.t(key, "party", v.doer(e), "type", v.text(t.Title), "path", e.Path),
		Fields: v.titles(t, e.Fields), Refused: e.Action == pod.DidRefuse,
	}
	if p, err := v.Registry.Party(v.r.Context(), e.Party); err == nil && e.Purpose != "" {
		i := slices.IndexFunc(p.Uses, func(u pod.Use) bool { return u.Purpose == e.Purpose && u.Type == e.Type })
		if i >= 0 {
			out.Why = v.text(p.Uses[i].Why)
		}
	}
	return out
}

// doer names whoever an entry is about.
func (v *visit) doer(e pod.Entry) string {
	if e.Party != "" {
		return v.party(e.Party)
	}
	return cmp.Or(string(e.Agent), e.Client)
}

// A connection is a party that may deliver.
type connection struct {
	Party, Home string
	Number      string
	Titles      []string
	Since       time.Time
}

func (v *visit) connections() error {
	all, err := v.Pod.Connections(v.r.Context(), v.who)
	if err != nil {
		return fmt.Errorf("list connections: %w", err)
	}
	var out []connection
	for _, c := range all {
		if !c.Space.Ended.IsZero() || len(c.Space.Types) == 0 {
			continue
		}
		one := connection{Party: v.text(c.Party.Name), Home: webAddress(c.Party.Home), Number: c.Party.Number, Since: c.Space.Created}
		for _, id := range c.Space.Types {
			if t, ok := v.Types.Type(id); ok {
				one.Titles = append(one.Titles, v.text(t.Title))
			}
		}
		out = append(out, one)
	}
	return v.show(200, "connections", v.t("nav.connections"), "nav.connections", out)
}

// signIn lists the ways to sign in, and sends on whoever has; who has, but not at
// one of the levels that are asked for, signs in again.
func (v *visit) signIn() error {
	query := v.r.URL.Query()
	next := local(query.Get("next"))
	levels := query["level"]
	if v.person != "" && levels == nil {
		return v.seeOther(next)
	}
	type way struct{ Name, URL string }
	var ways []way
	for _, m := range v.Methods {
		if levels == nil || m.Reaches(levels) {
			ways = append(ways, way{m.Name(), "/me/sign-in/" + m.ID() + "?" + url.Values{"next": {next}, "lang": {v.lang}, "level": levels}.Encode()})
		}
	}
	return v.show(200, "sign-in", v.t("signin.title"), "", struct {
		Ways                []way
		Ended, Onward, Step bool
	}{ways, query.Has("ended"), next != "/me/", levels != nil})
}

func (v *visit) signOut() error {
	if err := v.Sessions.SignOut(v.r); err != nil {
		return err
	}
	next := local(v.r.PostForm.Get("next"))
	return v.seeOther("/me/sign-in?" + url.Values{"done": {"out"}, "next": {next}}.Encode())
}
