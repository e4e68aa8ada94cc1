// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"skrin/ldp"
	"skrin/pod/registry"
	"skrin/pod/store"
)

// What an operator may look at: how much each pod holds, the types of evidence, and
// how much there is of everything. None of it tells who deals with whom.

// A holding is a pod as an operator sees it.
type holding struct {
	ID     string    `json:"id"`
	Root   string    `json:"root,omitempty"` // URL
	Bytes  int64     `json:"bytes"`
	Quota  int64     `json:"quota,omitempty"` // bytes that it may hold; 0 for no bound
	Leaves time.Time `json:"leaves,omitzero"` // when it will be erased, as its owner wants
	Fault  string    `json:"fault,omitempty"` // why nothing more is known of it
}

// podID returns the id of a pod that is named by it, or by the URL of something in
// it. The address of a pairwise space names none: whose it is only she knows, and
// who has the address would otherwise find out with an operator's help.
func (s *server) podID(ctx context.Context, name string) (id string, err error) {
	path, isURL := strings.CutPrefix(name, s.Base+"/")
	if !isURL {
		return name, nil
	}
	first, _, _ := strings.Cut(path, "/")
	if first == "w" {
		return "", ldp.Refuse(ldp.Forbidden, "This is an address that one party has for somebody. Whose pod it is, an operator isn't told.")
	}
	err = s.store.View(ctx, store.Name("pod/"+first), func(tx store.Tx) error { id = tx.Pod(); return nil })
	return id, err
}

// most is how many pods are listed at once.
const most = 1000

// survey does an errand that only looks.
func (s *server) survey(ctx context.Context, e errand) (o outcome, err error) {
	switch e.Do {
	case "pod list":
		o.Holdings, err = s.holdings(ctx, e.After, min(cmp.Or(e.Most, most), most))
	case "pod show":
		var h holding
		h, err = s.holding(ctx, e.Pod)
		o.Holdings = []holding{h}
	case "type list":
		o.Types = s.types.All()
	case "type show":
		t, ok := s.types.Type(e.Type)
		if !ok {
			return o, ldp.Refuse(ldp.NotFound, "There is no such type of evidence here.")
		}
		o.Types = []*registry.EvidenceType{t}
	case "stats":
		o.Tally, err = s.tally(ctx, e)
	default:
		err = errors.New("no such errand")
	}
	return o, err
}

func (s *server) holding(ctx context.Context, id string) (holding, error) {
	found, err := s.pod.Holding(ctx, id)
	return holding{ID: id, Root: found.Root, Bytes: found.Bytes, Quota: int64(s.Limit.Quota), Leaves: found.Leaves}, err
}

func (s *server) holdings(ctx context.Context, after string, n int) ([]holding, error) {
	ids, err := s.engine.Pods(ctx, after, n)
	if err != nil {
		return nil, err
	}
	all := []holding{}
	for _, id := range ids {
		h, err := s.holding(ctx, id)
		switch {
		case errors.Is(err, store.ErrNoKey), errors.Is(err, store.ErrNoPod):
			h = holding{ID: id, Fault: "its key is gone: erase it again, to finish that"}
		case err != nil:
			return nil, err
		}
		all = append(all, h)
	}
	return all, nil
}

// A tally is how much there is on a server, over all pods together.
type tally struct {
	Pods      int            `json:"pods"`
	Bytes     int64          `json:"bytes"`          // that their resources are, as quotas count
	Leaving   int            `json:"leaving"`        // pods whose owner wants them erased
	Keyless   int            `json:"keyless"`        // pods whose erasure isn't finished
	Parties   map[string]int `json:"parties"`        // registrations, by how they stand
	Types     int            `json:"types"`          // of evidence
	Due       int            `json:"due"`            // pods with notifications or sweeps that are due, at most 1000
	Approvals int            `json:"approvals"`      // acts that wait for a second operator
	Acts      uint64         `json:"acts"`           // lines of the operators' log
	Disk      int64          `json:"disk,omitempty"` // bytes of the directory; in a cluster the database and the bucket tell
	Version   string         `json:"version"`
	Go        string         `json:"go"`
}

// tally counts.
func (s *server) tally(ctx context.Context, e errand) (*tally, error) {
	t := &tally{Parties: map[string]int{}, Types: len(s.types.All()), Go: runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		t.Version = info.Main.Version
	}
	err := s.eachPod(ctx, e, func(id string) error {
		found, err := s.pod.Holding(ctx, id)
		switch {
		case errors.Is(err, store.ErrNoKey), errors.Is(err, store.ErrNoPod):
			t.Keyless++
			return nil
		case !found.Leaves.IsZero():
			t.Leaving++
		}
		t.Pods++
		t.Bytes += found.Bytes
		return err
	})
	if err != nil {
		return nil, err
	}
	all, err := s.register.List(ctx)
	for _, l := range all {
		t.Parties[string(l.State)]++
	}
	waits, err2 := s.acts.waiting(ctx)
	last, _, err3 := s.acts.head(ctx)
	due, err4 := s.store.Due(ctx, s.now(), most)
	t.Approvals, t.Acts, t.Due = len(waits), last.Seq, len(due)
	if s.data != nil {
		t.Disk = sizeOf(s.Dir)
	}
	return t, errors.Join(err, err2, err3, err4)
}

// sizeOf adds up the files of a folder. What goes away meanwhile isn't counted.
func sizeOf(dir string) (n int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			n += info.Size()
		}
		return nil
	})
	return n
}

// podCommand is "skrin pod …".
type podCommand struct {
	List  podList      `cmd:"" help:"List pods by their ids, and how much each holds."`
	Show  podShow      `cmd:"" help:"Show how much a pod holds."`
	Erase eraseCommand `cmd:"" help:"Erase a pod, and its key, for good."`
}

type podList struct {
	anywhere
	After string `help:"List those that come after this id: the last of the list before."`
	Most  int    `default:"1000" help:"How many at most, up to 1000."`
}

// Run obeys kong.
func (c *podList) Run(ctx context.Context) error {
	return c.do(ctx, errand{Do: "pod list", After: c.After, Most: c.Most}, tabled)
}

type podShow struct {
	anywhere
	Pod string `arg:"" help:"The pod's id, or its URL."`
}

// Run obeys kong.
func (c *podShow) Run(ctx context.Context) error {
	return c.do(ctx, errand{Do: "pod show", Pod: c.Pod}, tabled)
}

// tabled writes pods as a table.
func tabled(o outcome) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, h := range o.Holdings {
		says := h.Root
		switch {
		case h.Fault != "":
			says = h.Fault
		case !h.Leaves.IsZero():
			says += " (will be erased on " + h.Leaves.Format(time.DateOnly) + ")"
		}
		of := ""
		if h.Quota > 0 {
			of = fmt.Sprintf("of %d MB", h.Quota>>20)
		}
		fmt.Fprintf(w, "%s\t%.1f MB\t%s\t%s\n", h.ID, float64(h.Bytes)/(1<<20), of, says)
	}
	_ = w.Flush() // to memory
	return strings.TrimSuffix(b.String(), "\n")
}

type eraseCommand struct {
	anywhere
	dangerous
	Pod string `arg:"" help:"The pod's id, or its URL."`
}

// Run obeys kong.
func (c *eraseCommand) Run(ctx context.Context) error {
	if err := c.sure(ctx, "The pod "+c.Pod+" and all that is in it will be gone for good."); err != nil {
		return err
	}
	return c.do(ctx, errand{Do: "erase", Pod: c.Pod}, func(outcome) string { return "erased" })
}

// typeCommand is "skrin type …".
type typeCommand struct {
	List  typeList  `cmd:"" help:"List the types of evidence that a server knows."`
	Show  typeShow  `cmd:"" help:"Show a type, as a file of the folder of types has it."`
	Check typeCheck `cmd:"" help:"Check a folder of types before a server reads it."`
}

type typeList struct{ anywhere }

// Run obeys kong.
func (c *typeList) Run(ctx context.Context) error {
	return c.do(ctx, errand{Do: "type list"}, func(o outcome) string { return listed(o.Types) })
}

// listed writes types a line each.
func listed(types []*registry.EvidenceType) string {
	var b strings.Builder
	for _, t := range types {
		fmt.Fprintf(&b, "%-40s %s\n", t.ID, t.Title.In("en"))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

type typeShow struct {
	anywhere
	ID string `arg:"" help:"The type's id, like se:af:arbetsloshetsintyg:1."`
}

// Run obeys kong.
func (c *typeShow) Run(ctx context.Context) error {
	o, err := c.outcome(ctx, errand{Do: "type show", Type: c.ID})
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	return out.Encode(o.Types[0])
}

type typeCheck struct {
	Folder string `arg:"" help:"The folder (.json), as for serve --types." type:"existingdir"`
	JSON   bool   `help:"Answer in JSON."`
}

// Run obeys kong.
func (c *typeCheck) Run() error {
	all, err := registry.LoadCatalogue(os.DirFS(c.Folder), ".")
	if err == nil && len(all.All()) == 0 {
		err = errors.New(c.Folder + " has no type: want .json files")
	}
	if err != nil {
		return err
	}
	o := operated{JSON: c.JSON}
	return o.tell(outcome{Types: all.All()}, func(o outcome) string { return listed(o.Types) })
}

type statsCommand struct{ anywhere }

// Run obeys kong.
func (c *statsCommand) Run(ctx context.Context) error {
	return c.do(ctx, errand{Do: "stats"}, func(o outcome) string { return o.Tally.String() })
}

// String writes a line for each number.
func (t *tally) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	line := func(name string, value any) { fmt.Fprintf(w, "%s\t%v\n", name, value) }
	line("pods", t.Pods)
	line("bytes in them", t.Bytes)
	line("pods that leave", t.Leaving)
	line("erasures to finish", t.Keyless)
	for _, state := range slices.Sorted(maps.Keys(t.Parties)) {
		line("parties, "+state, t.Parties[state])
	}
	line("types of evidence", t.Types)
	line("pods with something due", t.Due)
	line("acts that wait for approval", t.Approvals)
	line("lines of the operators' log", t.Acts)
	if t.Disk > 0 {
		line("bytes on disk", t.Disk)
	}
	line("version", cmp.Or(t.Version, "(devel)")+", "+t.Go)
	_ = w.Flush() // to memory
	return strings.TrimSuffix(b.String(), "\n")
}
