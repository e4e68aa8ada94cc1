// SPDX-License-Identifier: EUPL-1.2

package web

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"skrin/ldp"
	"skrin/pod"
	"skrin/pod/extract"
	"skrin/pod/log"
	"skrin/pod/registry"
)

// An event is a line of the log.
type event struct {
	Seq     uint64
	Time    time.Time
	Words   string
	Fields  []string
	Why     string
	Refused bool
	By      string // who acted for the person
}

// A date is the events of one day.
type date struct {
	Day    string
	Events []event
}

var deeds = map[log.Action]string{
	log.DidConnect: "log.connect", log.DidDeliver: "log.deliver", log.DidRead: "log.read", log.DidRefuse: "log.refuse",
	log.DidAgree: "log.agree", log.DidDecline: "log.decline", log.DidWithdraw: "log.withdraw", log.DidFetch: "log.fetch",
	log.DidRemove: "log.remove", log.DidVisit: "log.visit", log.DidUse: "log.use",
	log.DidWrite: "log.write", log.DidDelete: "log.delete", log.DidAsk: "log.ask", log.DidRevoke: "log.revoke",
	log.DidExport: "log.export", log.DidImport: "log.import", log.DidMove: "log.moved",
	log.DidDisconnect: "log.disconnect", log.DidFreeze: "log.freeze", log.DidThaw: "log.thaw", log.DidErase: "log.erase",
	log.DidInvite: "log.invite", log.DidAppoint: "log.appoint", log.DidDismiss: "log.dismiss", log.DidLook: "log.look",
	log.DidLend: "log.lend", log.DidUnlend: "log.unlend", log.DidLeave: "log.leave", log.DidStay: "log.stay",
	log.DidRenumber: "log.renumber",
}

// A sort is what the log can be narrowed to.
type sort struct {
	ID      string
	Words   string // key of a message
	Actions []log.Action
}

var sorts = []sort{
	{"read", "log.kind.read", []log.Action{log.DidRead, log.DidVisit, log.DidUse, log.DidAsk, log.DidLook}},
	{"refused", "log.kind.refused", []log.Action{log.DidRefuse}},
	{"shared", "log.kind.shared", []log.Action{log.DidAgree, log.DidDecline, log.DidWithdraw, log.DidFreeze, log.DidThaw, log.DidLend, log.DidUnlend, log.DidInvite, log.DidAppoint, log.DidDismiss}},
	{"arrived", "log.kind.arrived", []log.Action{log.DidDeliver, log.DidFetch, log.DidConnect, log.DidDisconnect, log.DidRevoke, log.DidRenumber}},
	{"erased", "log.kind.erased", []log.Action{log.DidExport, log.DidImport, log.DidMove, log.DidWrite, log.DidDelete, log.DidErase, log.DidRemove, log.DidLeave, log.DidStay}},
}

// A choice is one of a list to choose from.
type choice struct {
	ID, Words string
	Chosen    bool
}

// A search is what the person wants to see of the log, as she has filled it in.
type search struct {
	Who, What []choice
	Days      []dayField
	Any       bool // something is filled in
	filter    log.Filter
	query     url.Values
}

// A dayField is a field for a day, "2026-11-21", as the person has filled it in.
type dayField struct {
	Name, Label, Value string
	Wrong              bool // it is no day
}

// search reads what the person has filled in.
func (v *visit) search() (*search, error) {
	q := v.r.URL.Query()
	s := &search{query: url.Values{}}
	for _, k := range sorts {
		s.What = append(s.What, choice{k.ID, v.t(k.Words), k.ID == q.Get("what")})
		if k.ID == q.Get("what") {
			s.filter.Actions = k.Actions
		}
	}
	spaces, err := v.Pod.Counterparts(v.r.Context(), v.who)
	if err != nil {
		return nil, fmt.Errorf("list counterparts: %w", err)
	}
	for _, c := range spaces {
		s.Who = append(s.Who, choice{c.Party.ID, v.text(c.Party.Name), c.Party.ID == q.Get("who")})
	}
	order := alphabetical(v.lang)
	slices.SortFunc(s.Who, func(a, b choice) int { return order(a.Words, b.Words) })
	s.filter.Party = q.Get("who")
	from := dayField{Name: "from", Label: v.t("log.from"), Value: q.Get("from")}
	to := dayField{Name: "to", Label: v.t("log.to"), Value: q.Get("to")}
	s.filter.From, from.Wrong = v.dayOf(from.Value, 0)
	s.filter.Until, to.Wrong = v.dayOf(to.Value, 1)
	s.Days = []dayField{from, to}
	for _, name := range []string{"who", "what", "from", "to"} {
		if value := q.Get(name); value != "" {
			s.query.Set(name, value)
		}
	}
	s.Any = len(s.query) > 0
	return s, nil
}

// dayOf reads a day, where the person is, and goes some days on.
func (v *visit) dayOf(s string, on int) (t time.Time, bad bool) {
	if s == "" {
		return t, false
	}
	t, err := time.ParseInLocation(time.DateOnly, s, v.Zone)
	if err != nil || t.Year() < 1900 || t.Year() > 9000 {
		return time.Time{}, true
	}
	return t.AddDate(0, 0, on), false
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
	want, err := v.search()
	if err != nil {
		return err
	}
	entries, more, err := v.Pod.Find(v.r.Context(), v.who, want.filter, before, pageSize)
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	var older string
	if more > 0 {
		q := url.Values{"before": {strconv.FormatUint(more, 10)}}
		for name := range want.query {
			q.Set(name, want.query.Get(name))
		}
		older = v.to("/me/log?" + q.Encode())
	}
	newest := v.to("/me/log")
	if want.Any {
		newest += "?" + want.query.Encode()
	}
	var counts []string
	if v.acts == nil && before == 0 && !want.Any {
		if counts, err = v.counts(); err != nil {
			return err
		}
	}
	return v.show(200, "log", v.t("nav.log"), "nav.log", struct {
		Counts        []string
		Search        *search
		Dates         []date
		Older, Newest string
		Newer         bool
	}{counts, want, v.dates(entries), older, newest, before != 0})
}

// How much of what is counted the log shows.
const (
	countDays  = 30
	countLines = 8
)

// counts puts into words what is counted and not listed, the newest first: what
// everybody may read, and what apps do in the person's name.
func (v *visit) counts() ([]string, error) {
	all, err := v.Pod.ReadCounts(v.r.Context(), v.who, v.Now().AddDate(0, 0, -countDays))
	if err != nil || len(all) == 0 {
		return nil, err
	}
	names := map[string]string{}
	apps, err := v.Apps.Apps(v.r.Context(), v.who.ID)
	if err != nil {
		return nil, fmt.Errorf("names of apps: %w", err)
	}
	scripts, err := v.Apps.Scripts(v.r.Context(), v.person)
	if err != nil {
		return nil, fmt.Errorf("names of scripts: %w", err)
	}
	for _, h := range slices.Concat(apps, scripts) {
		names[h.ID] = h.Name
	}
	var lines []string
	for _, c := range slices.Backward(all[max(0, len(all)-countLines):]) {
		day, err := time.Parse(time.DateOnly, c.Day)
		if err != nil {
			continue
		}
		key := "log.counted.app"
		if c.Client == "" {
			key = "log.counted.all"
		}
		lines = append(lines, v.t(key, "day", v.day(day), "app", plain(cmp.Or(names[c.Client], c.Client)), "reads", v.n("log.times", int(c.Reads)), "writes", v.n("log.times", int(c.Writes))))
	}
	return lines, nil
}

// dates puts entries, newest first, under their days.
func (v *visit) dates(entries []log.Entry) []date {
	var dates []date
	for _, e := range entries {
		day := v.date(e.Time.In(v.Zone))
		if len(dates) == 0 || dates[len(dates)-1].Day != day {
			dates = append(dates, date{Day: day})
		}
		last := &dates[len(dates)-1]
		last.Events = append(last.Events, v.event(e))
	}
	return dates
}

// saveLog sends the whole log as a file: one that "skrin log verify" takes, in the
// form of the European wallet, or as RDF.
func (v *visit) saveLog() error {
	form, name, media := extract.Lines, "skrin-log.jsonl", "application/jsonl"
	switch v.r.URL.Query().Get("form") {
	case "ts10":
		form, name = extract.TS10, "skrin-log-ts10.jsonl"
	case "rdf":
		form, name, media = extract.RDF, "skrin-log.ttl", pod.TypeTurtle
	}
	return v.download(media, name, func(w io.Writer) error { return v.Pod.ExportLog(v.r.Context(), v.who, form, w) })
}

// event puts an entry into words.
func (v *visit) event(e log.Entry) event {
	key, ok := deeds[e.Action]
	if !ok {
		key = "log.other"
	}
	switch unknown := e.Agent == ""; {
	case unknown && e.Action == log.DidWrite:
		key = "log.write.unknown"
	case unknown && e.Action == log.DidDelete:
		key = "log.delete.unknown"
	case e.Action == log.DidRenumber && e.Party == "":
		key = "log.renumber.eid"
	}
	t, ok := v.Types.Type(e.Type)
	if !ok {
		t = &registry.EvidenceType{Title: registry.Text{"en": e.Type}}
	}
	helper := ""
	if e.By != "" {
		helper = v.helper(e.By)
	}
	out := event{
		Seq: e.Seq, Time: e.Time, Words: v.t(key, "party", v.doer(e), "type", v.text(t.Title), "path", v.pathName(e.Path), "part", v.partName(e.Why), "helper", helper),
		Fields: v.titles(t, e.Fields), Refused: e.Action == log.DidRefuse,
	}
	if e.Action != log.DidLook { // whose words name her
		out.By = helper
	}
	if p, err := v.Registry.Party(v.r.Context(), e.Party); err == nil && e.Purpose != "" {
		i := slices.IndexFunc(p.Uses, func(u registry.Use) bool { return u.Purpose == e.Purpose && u.Type == e.Type })
		if i >= 0 {
			out.Why = v.text(p.Uses[i].Why)
		}
	}
	return out
}

// doer names whoever an entry is about.
func (v *visit) doer(e log.Entry) string {
	if e.Party != "" {
		return v.party(e.Party)
	}
	return plain(cmp.Or(v.agentName(e.Agent), e.Client))
}

// pathName is how a path in the pod is written: without what is the same in all.
func (v *visit) pathName(path string) string {
	rest, ok := strings.CutPrefix(path, string(v.root()))
	if !ok {
		return plain(path)
	}
	return fileName(rest)
}

// A supervisor is an authority that watches over personal data.
type supervisor struct{ ID, Name, Home string }

var supervisors = []supervisor{
	{"IMY", "Integritetsskydds\u00admyndigheten (IMY)", "https://www.imy.se"},
	{"Datatilsynet", "Datatilsynet", "https://www.datatilsynet.no"},
}

// unknown tells what to do about an event that the person doesn't recognise.
func (v *visit) unknown() error {
	seq, err := strconv.ParseUint(mux.Vars(v.r)["seq"], 10, 64)
	if err != nil || seq == 0 || seq == 1<<64-1 {
		return ldp.NotFound
	}
	entries, _, err := v.Pod.Find(v.r.Context(), v.who, log.Filter{}, seq+1, 1)
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	if len(entries) == 0 || entries[0].Seq != seq {
		return ldp.NotFound
	}
	e := entries[0]
	page := struct {
		Event                  event
		Day                    string
		ID, Party, To, Where   string
		Paused, Operator, Apps string
		Supervisors            []supervisor
	}{Event: v.event(e), Day: v.date(e.Time.In(v.Zone)), Operator: contact(v.Contact)}
	authority := ""
	if e.Party != "" {
		p, err := v.Registry.Party(v.r.Context(), e.Party)
		if err == nil {
			page.To, page.Where, authority = contact(p.Contact), webAddress(p.Home), p.Authority
		}
		page.ID, page.Party = e.Party, v.party(e.Party)
	}
	page.Supervisors = slices.DeleteFunc(slices.Clone(supervisors), func(s supervisor) bool { return s.ID != authority })
	if len(page.Supervisors) == 0 {
		page.Supervisors = supervisors
	}
	return v.show(http.StatusOK, "unknown", v.t("unknown.title"), "nav.log", page)
}
