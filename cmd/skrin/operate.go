// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"skrin/cmd/skrin/parties"
	"skrin/pod"
	"skrin/pod/archive"
	"skrin/pod/registry"
	"skrin/pod/store"
	"skrin/pod/upkeep"
)

// What an operator does is done by the server that runs on the directory, since
// that has it locked: asked through a socket in the directory, which only its
// owner can open. Where none runs, the command does it itself.

// An errand is what is asked of the server.
type errand struct {
	Do   string `json:"do"` // as in run and perform
	To   string `json:"to,omitempty"`
	Keys string `json:"keys,omitempty"`
	From string `json:"from,omitempty"`
	Pod  string `json:"pod,omitempty"` // its id, or the URL of something in it

	// Of "pod list": those that come after an id, at most so many.
	After string `json:"after,omitempty"`
	Most  int    `json:"most,omitempty"`

	Type string `json:"type,omitempty"` // of "type show": its id

	// Of an errand about a party: "party add", "list", "show", "renew" or "revoke".
	Party string `json:"party,omitempty"`
	Text  []byte `json:"text,omitempty"`  // the registration
	Until string `json:"until,omitempty"` // last day
	Only  bool   `json:"only,omitempty"`  // add, and don't replace

	Approve string `json:"-"` // of "approvals", on a server that is asked over HTTP: the one that is approved

	Holds string `json:"holds,omitempty"` // of "log operator": the hash of a line that it must have

	by   string     // the operator who asks over HTTP; "" for who works on the server's machine
	told func(pace) // hears how far it has come; nil for nobody
}

// tell says how far an errand has come.
func (e *errand) tell(s pace) {
	if e.told != nil {
		e.told(s)
	}
}

// An outcome is what came of it.
type outcome struct {
	Error    string            `json:"error,omitempty"`
	Took     string            `json:"took,omitempty"`
	Pods     int               `json:"pods,omitempty"`
	Checked  *upkeep.Inventory `json:"checked,omitempty"`
	Findings []upkeep.Finding  `json:"findings,omitempty"`
	Rotated  *int              `json:"rotated,omitempty"`

	Imported *archive.Imported        `json:"imported,omitempty"`
	Parties  []parties.Listing        `json:"parties,omitempty"`
	Record   *ropa                    `json:"record,omitempty"`
	Holdings []holding                `json:"holdings,omitempty"`
	Types    []*registry.EvidenceType `json:"types,omitempty"`
	Tally    *tally                   `json:"tally,omitempty"`

	Acts      []act      `json:"acts,omitempty"`  // the newest lines of the operators' log
	Lines     uint64     `json:"lines,omitempty"` // how many it has
	Approvals []approval `json:"approvals,omitempty"`
	Waits     bool       `json:"waits,omitempty"`  // the error is that a second operator must approve it
	Broken    bool       `json:"broken,omitempty"` // the error is that the operators' log isn't whole
}

// local is who works on the server's machine, in the operators' log.
const local = "local"

// run does an errand of an operator. What changes anything is written down; what is
// dangerous may need a second operator.
func (s *server) run(ctx context.Context, e errand) (o outcome, err error) {
	if e.Pod, err = s.podID(ctx, e.Pod); err != nil {
		return o, err
	}
	by := cmp.Or(e.by, local)
	switch e.Do {
	case "log operator":
		o.Acts, o.Lines, err = s.acts.read(ctx, shownActs, e.Holds)
		return o, err
	case "approvals":
		o.Approvals, err = s.acts.waiting(ctx)
		return o, err
	case "fsck", "party list", "party show", "pod list", "pod show", "type list", "type show", "stats", "ropa":
		return s.perform(ctx, e)
	case "erase", "export", "replace signing keys":
		if s.TwoPeople > 0 {
			if err := s.there(ctx, e.Pod); err != nil { // nobody is asked to approve what can't be
				return o, err
			}
			if err := s.acts.approved(ctx, by, e.Do, e.on(), s.TwoPeople); err != nil {
				return o, err
			}
		}
	}
	err = s.acts.do(ctx, by, e.Do, e.on(), func() error { o, err = s.perform(ctx, e); return err })
	return o, err
}

// there says whether there is such a pod, with its key or without; "" is none in
// particular.
func (s *server) there(ctx context.Context, id string) error {
	if id == "" {
		return nil
	}
	err := s.store.View(ctx, store.Name("id/"+id), func(store.Tx) error { return nil })
	if errors.Is(err, store.ErrNoKey) {
		return nil
	}
	return err
}

const shownActs = 1000 // lines of the operators' log that are shown

// on says what an errand changes: a pod, a party or a folder.
func (e *errand) on() string {
	var said struct {
		ID string `json:"id"`
	}
	if e.Do == "party add" && json.Unmarshal(e.Text, &said) == nil {
		return said.ID
	}
	return cmp.Or(e.Pod, e.Party, e.To)
}

func (s *server) perform(ctx context.Context, e errand) (outcome, error) {
	switch {
	case strings.HasPrefix(e.Do, "party "):
		return s.partyErrand(ctx, e)
	case strings.HasPrefix(e.Do, "pod "), strings.HasPrefix(e.Do, "type "), e.Do == "stats":
		return s.survey(ctx, e)
	case e.Do == "ropa":
		record, err := s.record(ctx, e)
		return outcome{Record: record}, err
	case e.Do == "sign anew":
		return outcome{}, s.provider.Rotate(ctx)
	case e.Do == "replace signing keys":
		return outcome{}, s.provider.Replace(ctx)
	}
	return s.chest.run(ctx, s.pod, e)
}

// run does an errand on what is open.
func (s *chest) run(ctx context.Context, p *pod.Pod, e errand) (o outcome, err error) {
	began := time.Now()
	switch e.Do {
	case "backup":
		err = s.backup(e)
	case "fsck":
		err = s.fsck(ctx, p, e, &o)
	case "erase":
		err = upkeep.Erase(ctx, s.store, s.blobs, s.keys, e.Pod)
	case "rotate":
		var n int
		n, err = s.keys.Rotate(ctx, func(seen, of int) { e.tell(pace{int64(seen), int64(of), "keys"}) })
		o.Rotated = &n
	case "export":
		err = s.exportPod(ctx, p, e)
	case "moved":
		err = s.movePod(ctx, p, e)
	case "import":
		o.Imported, err = s.importPod(ctx, p, e)
	default:
		err = errors.New("no such errand")
	}
	o.Took = time.Since(began).Round(time.Millisecond).String()
	return o, err
}

// eachPod calls do with the id of each pod. Who wants to be told how far it is has
// them counted first.
func (s *chest) eachPod(ctx context.Context, e errand, do func(id string) error) error {
	all, seen := 0, 0
	if e.told != nil {
		if err := s.walk(ctx, func(string) error { all++; return nil }); err != nil {
			return err
		}
	}
	return s.walk(ctx, func(id string) error {
		seen++
		e.tell(pace{int64(seen), int64(max(all, seen)), "pods"})
		return do(id)
	})
}

func (s *chest) walk(ctx context.Context, do func(id string) error) error {
	const page = 256
	for after := ""; ; {
		ids, err := s.engine.Pods(ctx, after, page)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := do(id); err != nil {
				return err
			}
			after = id
		}
		if len(ids) < page {
			return ctx.Err()
		}
	}
}

// errEnough is that fsck has found so much that it needn't go on.
var errEnough = errors.New("enough was found")

// fsck checks all pods.
func (s *chest) fsck(ctx context.Context, p *pod.Pod, e errand, o *outcome) error {
	const most = 1000
	o.Checked, o.Findings = new(upkeep.Inventory), nil
	err := s.eachPod(ctx, e, func(id string) error {
		seen, found, err := p.Check(ctx, id)
		if err != nil && !errors.Is(err, store.ErrNoPod) { // erased meanwhile
			found = append(found, upkeep.Finding{Pod: id, Fault: "it can't be read: " + err.Error()})
		}
		o.Pods++
		o.add(seen)
		if o.Findings = append(o.Findings, found...); len(o.Findings) >= most {
			return errEnough
		}
		return ctx.Err()
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

func (o *outcome) add(i upkeep.Inventory) {
	c := o.Checked
	c.Resources += i.Resources
	c.Rules += i.Rules
	c.Grants += i.Grants
	c.Consents += i.Consents
	c.Entries += i.Entries
	c.Blobs += i.Blobs
	c.Orphans += i.Orphans
}

func socketOf(dir string) string { return filepath.Join(dir, "operate.sock") }

// operate answers errands on the socket until ctx is done.
func (s *server) operate(ctx context.Context) {
	path := socketOf(s.Dir)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a process that was killed
		s.log.Error("the operator's socket", "error", err)
	}
	l, err := net.Listen("unix", path)
	if err == nil {
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		s.log.Error("the operator's socket", "error", err)
		return
	}
	srv := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var e errand
		err := json.NewDecoder(io.LimitReader(r.Body, 1<<18)).Decode(&e)
		var o outcome
		if err == nil {
			e.told = tellsOn(w)
			o, err = s.run(r.Context(), e)
		}
		if err != nil {
			o.Error, o.Waits, o.Broken = said(err).Error(), errors.Is(err, errUnapproved), errors.Is(err, errActs)
		}
		_ = json.NewEncoder(w).Encode(report{outcome: o})
	})}
	go func() { <-ctx.Done(); _ = srv.Close() }()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		s.log.Error("the operator's socket", "error", err)
	}
}

// A report is what comes of an errand on the socket: steps, and then the outcome.
type report struct {
	Step *pace `json:"step,omitempty"`
	outcome
}

// tellsOn returns what writes steps to w, some of many.
func tellsOn(w http.ResponseWriter) func(pace) {
	const every = 100 * time.Millisecond
	var last time.Time
	return func(s pace) {
		if time.Since(last) < every {
			return
		}
		last = time.Now()
		_ = json.NewEncoder(w).Encode(report{Step: &s}) // who asked may have gone
		_ = http.NewResponseController(w).Flush()
	}
}

// send does an errand: by the server that runs on the directory, or here.
func send(ctx context.Context, c config, e errand) (o outcome, err error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socketOf(c.Dir))
	if err != nil {
		return doHere(ctx, c, e)
	}
	_ = conn.Close()
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socketOf(c.Dir))
	}}}
	body, err := json.Marshal(e)
	if err != nil {
		return o, err
	}
	req, err := http.NewRequestWithContext(ctx, "POST", "http://operate/", bytes.NewReader(body))
	if err != nil {
		return o, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return o, err
	}
	defer resp.Body.Close()
	o, err = readReports(resp.Body, e.told)
	switch {
	case err != nil:
		return o, err
	case o.Waits:
		return o, toldError{o.Error, errUnapproved}
	case o.Broken:
		return o, toldError{o.Error, errActs}
	case o.Error != "":
		return o, errors.New(o.Error)
	}
	return o, nil
}

// readReports reads steps, which told hears, up to the outcome.
func readReports(from io.Reader, told func(pace)) (outcome, error) {
	dec := json.NewDecoder(from)
	for {
		var r report
		if err := dec.Decode(&r); err != nil || r.Step == nil {
			return r.outcome, err
		}
		if told != nil {
			told(*r.Step)
		}
	}
}

// A toldError is an error that a server told of, and what it is.
type toldError struct {
	text string
	is   error
}

func (t toldError) Error() string { return t.text }
func (t toldError) Unwrap() error { return t.is }

func doHere(ctx context.Context, c config, e errand) (o outcome, err error) {
	if _, err := os.Stat(c.Dir); err != nil {
		return o, err
	}
	c.told = e.told
	s, err := newServer(ctx, c, slog.New(slog.DiscardHandler))
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	o, err = s.run(ctx, e)
	return o, said(err)
}

// An operated is what commands of the operator take that are done on the server's
// machine.
type operated struct {
	serveOptions `embed:""`
	JSON         bool `help:"Answer in JSON, and don't show how far it is."`
}

// outcome does an errand, and shows how far it is.
func (c *operated) outcome(ctx context.Context, e errand) (outcome, error) {
	conf, err := c.config()
	if err != nil {
		return outcome{}, err
	}
	shown := newBar(c.JSON)
	defer shown.end()
	if shown.out != nil {
		e.told = shown.show
	}
	return send(ctx, conf, e)
}

// do does an errand and tells its outcome.
func (c *operated) do(ctx context.Context, e errand, say func(outcome) string) error {
	o, err := c.outcome(ctx, e)
	if err != nil {
		return err
	}
	return c.tell(o, say)
}

func (c *operated) tell(o outcome, say func(outcome) string) error {
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(o)
	}
	text := say(o)
	if text == "" { // a list of none has no line
		return nil
	}
	_, err := fmt.Println(text)
	return err
}

type fsckCommand struct{ anywhere }

// errFaults is that fsck found something.
var errFaults = errors.New("there are faults")

// Run obeys kong.
func (c *fsckCommand) Run(ctx context.Context) error {
	o, err := c.outcome(ctx, errand{Do: "fsck"})
	if err != nil {
		return err
	}
	err = c.tell(o, func(outcome) string {
		text := ""
		for _, f := range o.Findings {
			text += fmt.Sprintf("pod %s: %q: %s\n", f.Pod, f.At, f.Fault)
		}
		i := o.Checked
		return text + fmt.Sprintf("%d pods: %d resources, %d ACL documents, %d grants, %d consents, %d log entries, %d blobs (%d orphans): %d faults, in %s",
			o.Pods, i.Resources, i.Rules, i.Grants, i.Consents, i.Entries, i.Blobs, i.Orphans, len(o.Findings), o.Took)
	})
	if err == nil && len(o.Findings) > 0 {
		return errFaults
	}
	return err
}

// keyRotateCommand makes new signing keys before it is their time.
type keyRotateCommand struct {
	anywhere
	dangerous
	Stolen bool `help:"Somebody else has had the keys: sign with the new ones at once, and believe the old ones no more. Everybody needs new tokens, and old receipts can't be told from forged ones."`
}

// Run obeys kong.
func (c *keyRotateCommand) Run(ctx context.Context) error {
	if c.Stolen {
		if err := c.sure(ctx, "All tokens end, and what was signed until now can't be told from forged."); err != nil {
			return err
		}
		return c.do(ctx, errand{Do: "replace signing keys"}, func(outcome) string { return "the new keys sign from now on, and no others are good" })
	}
	return c.do(ctx, errand{Do: "sign anew"}, func(outcome) string { return "new keys are published, and sign in some minutes" })
}

type rotateCommand struct{ anywhere }

// Run obeys kong.
func (c *rotateCommand) Run(ctx context.Context) error {
	return c.do(ctx, errand{Do: "rotate"}, func(o outcome) string { return fmt.Sprintf("%d keys wrapped anew, in %s", *o.Rotated, o.Took) })
}
