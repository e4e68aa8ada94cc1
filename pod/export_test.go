// SPDX-License-Identifier: EUPL-1.2

package pod_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/mod/sumdb/tlog"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod"
	"skrin/pod/consent"
	"skrin/pod/credential"
	"skrin/pod/extract"
	"skrin/pod/log"
	"skrin/pod/podtest"
	"skrin/pod/vouch"
)

// check verifies a checkpoint with the town's key.
func (w *town) check(jws string) ([]byte, error) {
	private := w.pod.Sign.(sign).key
	return vouch.Check(jws, log.TypeCheckpoint, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{private.Public()}})
}

func (w *town) export(form extract.Form) []byte {
	w.t.Helper()
	var b bytes.Buffer
	must(w.t, w.pod.ExportLog(w.t.Context(), w.alva, form, &b))
	return b.Bytes()
}

// madeLog makes the export of a log of n entries, by the rule alone: an entry's
// hash is the SHA-256 of its JSON with an empty hash.
func (w *town) madeLog(n int) [][]byte {
	w.t.Helper()
	var lines [][]byte
	prev := ""
	for i := range n {
		e := log.Entry{Seq: uint64(i + 1), Time: w.now.Truncate(time.Second), Action: log.DidRead, Party: insurer, Type: certified,
			Fields: []string{"registered"}, Purpose: "https://w3id.org/dpv#CustomerClaimsManagement", Path: "/w/x/evidence/y", Prev: prev}
		b, err := json.Marshal(e)
		must(w.t, err)
		sum := sha256.Sum256(b)
		e.Hash = hex.EncodeToString(sum[:])
		b, err = json.Marshal(e)
		must(w.t, err)
		lines, prev = append(lines, b), e.Hash
	}
	return append(lines, w.checkpoint(lines, prev))
}

// checkpoint signs the end of a log.
func (w *town) checkpoint(lines [][]byte, head string) []byte {
	w.t.Helper()
	return w.signs(log.Checkpoint{Seq: uint64(len(lines)), Head: head, Root: w.treeOf(lines)})
}

// signs is the last line of a log: a checkpoint that the server has signed.
func (w *town) signs(c log.Checkpoint) []byte {
	w.t.Helper()
	c.Origin, c.Issued = "pod.example/me/log", w.now
	signed, err := w.pod.SignCheckpoint(w.t.Context(), c)
	must(w.t, err)
	b, err := json.Marshal(map[string]string{"checkpoint": signed})
	must(w.t, err)
	return b
}

// treeOf is the root of the tree of lines, made by tlog's own means.
func (w *town) treeOf(lines [][]byte) string {
	w.t.Helper()
	var kept []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) (all []tlog.Hash, err error) {
		for _, i := range indexes {
			all = append(all, kept[i])
		}
		return all, nil
	})
	for i, line := range lines {
		more, err := tlog.StoredHashes(int64(i), line, reader)
		must(w.t, err)
		kept = append(kept, more...)
	}
	root, err := tlog.TreeHash(int64(len(lines)), reader)
	must(w.t, err)
	return root.String()
}

// TestTampering: whatever is done to a log is found. BenchmarkVerify says how long
// it takes for 100,000 entries.
func TestTampering(t *testing.T) {
	w := newTown(t)
	const n = 5_000
	lines := w.madeLog(n)
	whole := append(bytes.Join(lines, []byte("\n")), '\n')
	end, err := log.VerifyExport(bytes.NewReader(whole), w.check, nil)
	if err != nil || end.Seq != uint64(n) {
		t.Fatalf("the whole log: %+v, %v", end, err)
	}
	join := func(lines ...[]byte) []byte { return append(bytes.Join(lines, []byte("\n")), '\n') }
	with := func(edit func([][]byte) [][]byte) []byte { return join(edit(slices.Clone(lines))...) }
	try := func(what string, export []byte) {
		if _, err := log.VerifyExport(bytes.NewReader(export), w.check, nil); err == nil {
			t.Errorf("%s is not found", what)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		i, j := random.IntN(n), random.IntN(n)
		flipped := slices.Clone(whole)
		at := random.IntN(len(flipped))
		flipped[at] ^= 1 << random.IntN(8)
		try(fmt.Sprintf("a flipped bit at byte %d", at), flipped)
		try(fmt.Sprintf("the dropped entry %d", i+1), with(func(l [][]byte) [][]byte { return slices.Delete(l, i, i+1) }))
		try(fmt.Sprintf("entry %d twice", i+1), with(func(l [][]byte) [][]byte { return slices.Insert(l, i, l[i]) }))
		if i != j {
			try(fmt.Sprintf("entries %d and %d in each other's place", i+1, j+1), with(func(l [][]byte) [][]byte { l[i], l[j] = l[j], l[i]; return l }))
		}
		try(fmt.Sprintf("the end cut off at byte %d", at), whole[:at])
		try(fmt.Sprintf("the end cut off after entry %d, with the checkpoint left", i), join(append(slices.Clone(lines[:i]), lines[n])...))
	}
	try("a checkpoint of an earlier time", join(append(slices.Clone(lines[:n]), w.checkpoint(lines[:n-1], hashOf(t, lines[n-2])))...))
	try("a carriage return", bytes.Replace(whole, []byte("}\n"), []byte("}\r\n"), 1))
	try("the checkpoint with something beside it", bytes.Replace(whole, []byte(`{"checkpoint"`), []byte(`{"x":1,"checkpoint"`), 1))
	try("a last bit of the signature that doesn't count", lastBit(whole))
	root := w.madeLog(n + 1)
	try("a checkpoint of a log with one more", join(append(slices.Clone(lines[:n]), root[n+1])...))
	try("an entry after the checkpoint", join(append(slices.Clone(lines), lines[0])...))
	try("a member that doesn't belong", bytes.Replace(whole, []byte(`"action":"read"`), []byte(`"more":1,"action":"read"`), 1))
	other := newTown(t)
	try("a checkpoint of another server", join(append(slices.Clone(lines[:n]), other.checkpoint(lines[:n], hashOf(t, lines[n-1])))...))
}

// TestCheckpointsThatAreNotOfTheLog: the server has signed each of them, and each
// number and hash in it counts.
func TestCheckpointsThatAreNotOfTheLog(t *testing.T) {
	w := newTown(t)
	const n = 9
	lines := w.madeLog(n)[:n]
	w.now = w.now.Add(time.Hour)
	foreign := w.madeLog(n)[:n] // of another pod here, as long
	good := log.Checkpoint{Seq: n, Head: hashOf(t, lines[n-1]), Root: w.treeOf(lines)}
	flipped, err := tlog.ParseHash(good.Root)
	must(t, err)
	flipped[7] ^= 1
	take := func(edit func(*log.Checkpoint), since *log.Checkpoint) (log.Checkpoint, error) {
		c := good
		edit(&c)
		return log.VerifyExport(bytes.NewReader(bytes.Join(append(slices.Clone(lines), w.signs(c)), []byte("\n"))), w.check, since)
	}
	whole, err := take(func(*log.Checkpoint) {}, nil)
	if err != nil {
		t.Fatal("the whole log: ", err)
	}
	for what, edit := range map[string]func(*log.Checkpoint){
		"a root with a flipped bit":       func(c *log.Checkpoint) { c.Root = flipped.String() },
		"the root of a truncated tree":    func(c *log.Checkpoint) { c.Root = w.treeOf(lines[:n-1]) },
		"the root of half the tree":       func(c *log.Checkpoint) { c.Root = w.treeOf(lines[:n/2]) },
		"the root of no tree":             func(c *log.Checkpoint) { c.Root = w.treeOf(nil) },
		"no root":                         func(c *log.Checkpoint) { c.Root = "" },
		"the root of another pod's tree":  func(c *log.Checkpoint) { c.Root = w.treeOf(foreign) },
		"the head of another pod's chain": func(c *log.Checkpoint) { c.Head = hashOf(t, foreign[n-1]) },
		"another pod's checkpoint":        func(c *log.Checkpoint) { c.Head, c.Root = hashOf(t, foreign[n-1]), w.treeOf(foreign) },
		"one entry more than there is":    func(c *log.Checkpoint) { c.Seq++ },
		"one entry less than there is":    func(c *log.Checkpoint) { c.Seq-- },
	} {
		if _, err := take(edit, nil); err == nil {
			t.Errorf("%s is taken", what)
		}
	}
	for what, edit := range map[string]func(*log.Checkpoint){
		"of another pod":    func(c *log.Checkpoint) { c.Head = hashOf(t, foreign[n-1]) },
		"of another server": func(c *log.Checkpoint) { c.Origin = "other.example/me/log" },
		"of a longer log":   func(c *log.Checkpoint) { c.Seq++ },
	} {
		earlier := whole
		edit(&earlier)
		if _, err := take(func(*log.Checkpoint) {}, &earlier); err == nil {
			t.Errorf("an earlier checkpoint %s: the log is taken for its continuation", what)
		}
	}
}

// BenchmarkVerify verifies a log of 100,000 entries.
func BenchmarkVerify(b *testing.B) {
	w := newTown(b)
	whole := append(bytes.Join(w.madeLog(100_000), []byte("\n")), '\n')
	for b.Loop() {
		if _, err := log.VerifyExport(bytes.NewReader(whole), w.check, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// lastBit changes a bit of the signature's last character that base64 ignores.
func lastBit(log []byte) []byte {
	log = slices.Clone(log)
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	at := len(log) - len("\"}\n") - 1
	log[at] = alphabet[strings.IndexByte(alphabet, log[at])^1]
	return log
}

func hashOf(t *testing.T, line []byte) string {
	t.Helper()
	var e log.Entry
	must(t, json.Unmarshal(line, &e))
	return e.Hash
}

// TestContinuation: who kept an earlier checkpoint finds a log that the server
// itself has cut off or written anew.
func TestContinuation(t *testing.T) {
	w := newTown(t)
	w.connect()
	before, err := log.VerifyExport(bytes.NewReader(w.export(extract.Lines)), w.check, nil)
	must(t, err)
	w.deposit(w.connect2(), w.issue(1, nil))
	later := w.export(extract.Lines)
	now, err := log.VerifyExport(bytes.NewReader(later), w.check, &before)
	if err != nil || now.Seq <= before.Seq {
		t.Errorf("a continuation: %+v, %v", now, err)
	}
	if _, err := log.VerifyExport(bytes.NewReader(w.export(extract.Lines)), w.check, &log.Checkpoint{Origin: now.Origin, Seq: now.Seq + 1}); err == nil {
		t.Error("a log that has become shorter is taken")
	}
	again := newTown(t)
	again.now = again.now.Add(time.Hour)
	again.pod.Sign = w.pod.Sign
	again.connect()
	again.connect2()
	if _, err := log.VerifyExport(bytes.NewReader(again.export(extract.Lines)), w.check, &before); err == nil {
		t.Error("a log that was written anew is taken")
	}
}

// connect2 connects Alva once more.
func (w *town) connect2() ldp.ID {
	w.t.Helper()
	return w.location(w.answer("connect-again", authority, deposits(), func(consent.Offer) consent.Answer { return consent.Answer{Agree: true} }))
}

// TestTheLogAsTS10: what a wallet's dashboard would show of it.
func TestTheLogAsTS10(t *testing.T) {
	w := newTown(t)
	w.deposit(w.connect(), w.issue(1, nil))
	there := w.location(w.answer("ask", insurer, asks(), agree))
	_, err := w.read(insurer, there, pod.TypeTurtle)
	must(t, err)
	must(t, w.pod.Withdraw(t.Context(), w.alva, w.shares()[0].Consent.ID))
	w.read(insurer, there, pod.TypeTurtle)
	var kinds []string
	for line := range strings.Lines(string(w.export(extract.TS10))) {
		var e struct {
			Type   string `json:"transactionType"`
			Result string `json:"transactionResult"`
			Shown  *struct {
				Party     struct{ Identifier string } `json:"interactingPartyIdentifier"`
				Requested []struct{ Claims []string } `json:"listOfClaimsRequested"`
				Presented []struct{ Claims []string } `json:"listOfClaimsPresented"`
			} `json:"presentation"`
		}
		must(t, json.Unmarshal([]byte(line), &e))
		kinds = append(kinds, e.Type+" "+e.Result)
		if e.Type == "Presentation" && e.Result == "Completed" {
			if s := e.Shown; s.Party.Identifier != "SE.5560000001" || len(s.Requested[0].Claims) != 2 || fmt.Sprint(s.Presented[0].Claims) != "[registered_at_least_30_days]" {
				t.Errorf("the presentation: %s", line)
			}
		}
	}
	if got := strings.Join(kinds, ", "); got != "Issuance Completed, Presentation Completed, DataDeletionRequest Completed, Presentation NotCompleted" {
		t.Errorf("it says %s", got)
	}
}

// TestEveryReadIsLogged: after many reads by many at once, of random people, as
// random parties, in random forms, each person's log has exactly those.
func TestEveryReadIsLogged(t *testing.T) {
	reads, people := 10_000, 12
	if testing.Short() {
		reads = 300
	}
	w := newTown(t)
	w.pod.Store = podtest.New(t) // and each transaction once
	type share struct {
		person int
		at     ldp.ID
	}
	var shares []share
	var persons []acl.Agent
	for i := range people {
		var err error
		w.alva, err = w.pod.Make(t.Context(), fmt.Sprint("person-", i))
		must(t, err)
		w.deposit(w.connect(), w.issue(1, nil))
		for j := range 3 {
			shares = append(shares, share{i, w.location(w.answer(fmt.Sprint("ask", j), insurer, asks(), agree))})
		}
		persons = append(persons, w.alva)
	}
	want := make([]map[string]int, people)
	for i := range want {
		want[i] = map[string]int{}
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	next := make(chan share)
	for range 32 {
		wg.Go(func() {
			for s := range next {
				accept := []string{pod.TypeTurtle, pod.TypeJSONLD, credential.MediaType}[rand.IntN(3)]
				if _, err := w.read(insurer, s.at, accept); err == nil {
					mu.Lock()
					want[s.person][string(s.at)]++
					mu.Unlock()
				}
			}
		})
	}
	for range reads {
		next <- shares[rand.IntN(len(shares))]
	}
	close(next)
	wg.Wait()
	total := 0
	for i, who := range persons {
		w.alva = who
		var b bytes.Buffer
		must(t, w.pod.ExportLog(context.Background(), who, extract.Lines, &b))
		if _, err := log.VerifyExport(bytes.NewReader(b.Bytes()), w.check, nil); err != nil {
			t.Errorf("person %d: %v", i, err)
		}
		got := map[string]int{}
		for line := range strings.Lines(b.String()) {
			var e log.Entry
			must(t, json.Unmarshal([]byte(line), &e))
			if e.Action == log.DidRead {
				got[e.Path]++
				total++
			}
		}
		if !maps.Equal(got, want[i]) {
			t.Errorf("person %d: the log has %v, read was %v", i, got, want[i])
		}
	}
	if total != reads {
		t.Errorf("%d reads are logged, of %d", total, reads)
	}
	t.Logf("%d reads, %d entries for them", reads, total)
}

// FuzzVerifyExport: whatever is read as an exported log, nothing but the log that
// was signed is whole.
func FuzzVerifyExport(f *testing.F) {
	w := newTown(f)
	lines := w.madeLog(3)
	whole := append(bytes.Join(lines, []byte("\n")), '\n')
	f.Add(whole)
	f.Add([]byte(`{"seq":1,"prev":"","hash":""}`))
	f.Add([]byte(`{"checkpoint":"a.b.c"}`))
	f.Fuzz(func(t *testing.T, export []byte) {
		_, err := log.VerifyExport(bytes.NewReader(export), w.check, nil)
		if err == nil && !bytes.Equal(bytes.TrimSuffix(export, []byte("\n")), bytes.TrimSuffix(whole, []byte("\n"))) {
			t.Errorf("taken for whole:\n%s", export)
		}
	})
}

// TestTamperingWithALongLog: in a log of 100,000 entries a flipped bit, a dropped
// entry, two in each other's place and a cut-off end are found, wherever they
// are. What each takes is logged; BenchmarkVerify measures it.
func TestTamperingWithALongLog(t *testing.T) {
	if testing.Short() {
		t.Skip("the long log takes its time")
	}
	w := newTown(t)
	const n = 100_000
	lines := w.madeLog(n)
	whole := append(bytes.Join(lines, []byte("\n")), '\n')
	starts := []int{0}
	for _, l := range lines {
		starts = append(starts, starts[len(starts)-1]+len(l)+1)
	}
	random := rand.New(rand.NewPCG(5, 6))
	for _, row := range []struct {
		is    string
		spoil func(i, j int) []byte // i < j
	}{
		{"a flipped bit", func(i, _ int) []byte {
			log := slices.Clone(whole)
			log[starts[i]+random.IntN(len(lines[i]))] ^= 1 << random.IntN(8)
			return log
		}},
		{"a dropped entry", func(i, _ int) []byte { return slices.Concat(whole[:starts[i]], whole[starts[i+1]:]) }},
		{"two in each other's place", func(i, j int) []byte {
			return slices.Concat(whole[:starts[i]], whole[starts[j]:starts[j+1]], whole[starts[i+1]:starts[j]], whole[starts[i]:starts[i+1]], whole[starts[j+1]:])
		}},
		{"the end cut off", func(i, _ int) []byte { return whole[:starts[i]] }},
		{"the end cut off, with the checkpoint left", func(i, _ int) []byte { return slices.Concat(whole[:starts[i]], whole[starts[n]:]) }},
	} {
		slowest := time.Duration(0)
		for _, i := range []int{0, random.IntN(n - 2), n - 2} {
			export := row.spoil(i, i+1+random.IntN(n-i-1))
			began := time.Now()
			if _, err := log.VerifyExport(bytes.NewReader(export), w.check, nil); err == nil {
				t.Errorf("%s at entry %d is not found", row.is, i+1)
			}
			slowest = max(slowest, time.Since(began))
		}
		t.Logf("%s: found within %v", row.is, slowest)
	}
}

func hexOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// leafOf is the hash of a leaf by RFC 6962, section 2.1.
func leafOf(line string) string { return "sha256:" + hexOf("\x00"+line) }
