// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"skrin/ldp/client"
)

var testMapping = mapping{Type: "https://x.example/vct", Days: 1, Forms: 1, Deposit: "to", Key: "case", Claims: map[string]field{
	"yes": {Column: "Yes", As: "boolean", True: "J", False: "N"}, "day": {Column: "Day", As: "date"}, "n": {Column: "N", As: "integer"},
	"amount": {Column: "Amount", As: "number", Optional: true}, "text": {Column: "Text"},
}}

// TestRows: what is wrong with a row is said for that row, with its line and column,
// and without its values.
func TestRows(t *testing.T) {
	const head = "\ufeffto,case,Yes,Day,N,Amount,Text\n"
	for _, test := range []struct{ sentence, text, want string }{
		{"a row is claims", head + "x,1,J,2026-11-01,7,1.5,åäö\n", "amount=1.5 day=2026-11-01 n=7 text=åäö yes=true"},
		{"what is optional may be missing", head + "x,1,N,2026-11-01,7,,t\n", "day=2026-11-01 n=7 text=t yes=false"},
		{"a column of what is optional need not be there", "to,case,Yes,Day,N,Text\nx,1,N,2026-11-01,7,t\n", "day=2026-11-01 n=7 text=t yes=false"},
		{"a cell may have commas and lines", head + "x,1,N,2026-11-01,7,,\"a, b\nc\"\n", "day=2026-11-01 n=7 text=a, b\nc yes=false"},
		{"lines may end as on Windows", strings.ReplaceAll(head+"x,1,N,2026-11-01,7,,t\n", "\n", "\r\n"), "day=2026-11-01 n=7 text=t yes=false"},
		{"headings and cells may have spaces around them", "to , case, Yes,Day,N,Text\nx,1, J ,2026-11-01,7,t\n", "day=2026-11-01 n=7 text=t yes=true"},
		{"a word is no yes", head + "x,1,secret,2026-11-01,7,,t\n", `row 1 (line 2), column Yes: it is neither "J" nor "N"`},
		{"of a row after one with lines in it", head + "x,1,N,2026-11-01,7,,\"\n\n\nt\"\nx,1,secret,2026-11-01,7,,t\n", "day=2026-11-01 n=7 text=t yes=false row 2 (line 6), column Yes:"},
		{"there is no 31 November", head + "x,1,J,2026-11-31,7,,t\n", "row 1 (line 2), column Day: it is not a date like 2026-11-30"},
		{"a comma is no decimal point", head + "x,1,J,2026-11-01,7,\"1,5\",t\n", "row 1 (line 2), column Amount: it is not a number with a decimal point"},
		{"a number that isn't whole is no integer", head + "x,1,J,2026-11-01,7.5,,t\n", "row 1 (line 2), column N: it is not an integer"},
		{"what isn't optional may not be empty", head + "x,1,J,2026-11-01,7,,\n", "row 1 (line 2), column Text: it is empty; mark the claim as optional if that may be"},
		{"what isn't UTF-8 isn't signed", head + "x,1,J,2026-11-01,7,,secret \xe5\n", "row 1 (line 2), column Text: it is not UTF-8: save the table as UTF-8"},
		{"a row has a cell for each heading", head + "x,1,J\n", "row 1 (line 2): it has 3 cells, and there are 7 headings"},
		{"JSON lines", `{"to":"x","case":1,"Yes":"J","Day":"2026-11-01","N":7,"Text":"t"}`, "day=2026-11-01 n=7 text=t yes=true"},
		{"a line that is no object", "\n[1]", "row 1 (line 2): it is not a JSON object"},
		{"two objects in a line", "{}{}", "row 1 (line 1): it is not a JSON object, alone on its line"},
		{"a line without a name", `{"to":"x"}`, "row 1 (line 1), column Day: it is missing"},
		{"a list in a line", `{"to":[]}`, "row 1 (line 1), column to: it is neither a string nor a number nor true or false"},
		{"a line that isn't UTF-8", "{\"to\":\"secret\xe5\"}", "row 1 (line 1): it is not UTF-8"},
	} {
		got, err := readRows(test.text, testMapping)
		if text := strings.Join(got, " "); err != nil || !strings.HasPrefix(text, test.want) || strings.Contains(text, "secret") {
			t.Errorf("%s: %q, %v", test.sentence, text, err)
		}
	}
}

// readRows returns what each row says, or what is wrong with it.
func readRows(text string, m mapping) (got []string, err error) {
	jsonLines := strings.HasPrefix(strings.TrimSpace(text), "{") || strings.HasPrefix(strings.TrimSpace(text), "[")
	err = eachRow(strings.NewReader(text), jsonLines, m, func(r tableRow, fault error) error {
		if fault == nil {
			claims, err := m.claims(r.cells)
			for _, c := range claims {
				got = append(got, fmt.Sprintf("%s=%v", c.Name, c.Value))
			}
			fault = err
		}
		if fault != nil {
			got = append(got, r.fault(fault).String())
		}
		return nil
	})
	return got, err
}

// TestTables: what is wrong with a whole table is said once, with what to mend, and
// without its values.
func TestTables(t *testing.T) {
	const head, good = "to,case,Yes,Day,N,Text\n", "x,1,J,2026-11-01,7,t\n"
	for _, test := range []struct{ sentence, text, want string }{
		{"nothing", "", "it is empty: want a line of headings"},
		{"a column isn't there", "to,case,Day,N,Text\n" + good, `line 1: there is no column "Yes"; there are ["to" "case" "Day" "N" "Text"]`},
		{"a column is there twice", "to,case,Yes,Day,N,Text,Yes\n" + good, `line 1: there are 2 columns "Yes"`},
		{"semicolons", strings.ReplaceAll(head+good, ",", ";"), `line 1: the headings are separated by semicolons: say "separator": ";" in the mapping`},
		{"tabs", strings.ReplaceAll(head+good, ",", "\t"), `separated by tabs: say "separator": "\t"`},
		{"Latin-1", strings.Replace(head, "Yes", "J\xe5", 1) + good, "save the table as UTF-8"},
		{"UTF-16", "\xff\xfet\x00o\x00", "it is UTF-16: save it as UTF-8"},
		{"a quote in a cell", head + good + good + "x,1,J,secret \" quoted,7,t\n", `line 4: bare " in non-quoted-field; what follows can't be told apart`},
		{"a quote that is never closed", head + good + "x,1,\"" + strings.Repeat("secret\n", 1<<20), "after row 1: the next row is longer than a megabyte: is there a quote that is never closed?"},
		{"a line that never ends", "{}\n{\"to\":\"" + strings.Repeat("secret", 1<<20), "line 2 is longer than a megabyte"},
	} {
		_, err := readRows(test.text, testMapping)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %.300v", test.sentence, err)
		}
	}
	m := testMapping
	m.Separator = ";"
	if got, err := readRows(strings.ReplaceAll(head+good, ",", ";"), m); err != nil || strings.Join(got, " ") != "day=2026-11-01 n=7 text=t yes=true" {
		t.Errorf("semicolons that the mapping tells of: %q, %v", got, err)
	}
}

// TestMapping: a mapping that can't be meant is refused, with the line.
func TestMapping(t *testing.T) {
	const good = `{
 "type": "t", "deposit": "d",
 "key": "k",
 "claims": {
  "type": {"column": "T"},
  "a": {"column": "A"}}}`
	changed := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	for _, test := range []struct{ sentence, text, want string }{
		{"a name that means nothing", changed(`"key"`, `"keys"`), `:3: json: unknown field "keys"`},
		{"no claims", "{\"type\":\"t\",\n\"deposit\":\"d\",\"key\":\"k\"}", ":1: claims is needed"},
		{"no key", changed(`"k"`, `""`), ":3: key is needed"},
		{"another kind", changed(`"A"`, `"A","as":"bool"`), `:6: the claim a: "as" is string,`},
		{"no column", changed(`"column": "A"`, ""), ":6: the claim a needs a column"},
		{"yes and no are one", changed(`"A"`, `"A","as":"boolean","true":"false"`), `:6: the claim a: "true" and "false" are the same`},
		{"a number for a word", changed(`"k"`, "7"), ":3: json: cannot unmarshal number"},
		{"too many forms", changed(`"key"`, `"forms":65,"key"`), ":3: forms must be"},
		{"a strange separator", changed(`"key"`, `"separator":"x","key"`), ":3: separator is one of"},
		{"a comma too many", changed(`"A"}}}`, `"A"},}}`), ":6: invalid character"},
		{"it is cut off", good[:len(good)-3], ":6: unexpected EOF"},
		{"two of them", good + "\n{}", ":7: something follows the mapping"},
		{"no JSON", "type: t", ":1: invalid character"},
		{"nothing", "", ":1: EOF"},
	} {
		file := filepath.Join(t.TempDir(), "m")
		must(t, os.WriteFile(file, []byte(test.text), 0o600))
		if _, err := readMapping(file); err == nil || !strings.HasPrefix(err.Error(), file+test.want) {
			t.Errorf("%s: %v", test.sentence, err)
		}
	}
	file := filepath.Join(t.TempDir(), "m")
	must(t, os.WriteFile(file, []byte("\ufeff"+good), 0o600))
	if m, err := readMapping(file); err != nil || m.Days != 30 || m.Forms != 8 || m.Separator != "," {
		t.Errorf("%+v, %v", m, err)
	}
}

// FuzzRows: of whatever table, each row is either claims that JSON can say, or a
// fault.
func FuzzRows(f *testing.F) {
	f.Add("to,case,Yes,Day,N,Amount,Text\nx,1,J,2026-11-01,7,1.5,t\n", false)
	f.Add(`{"to":"x","case":1,"Yes":"J","Day":"2026-11-01","N":7,"Amount":1e308,"Text":"t"}`, true)
	f.Add("\"", false)
	f.Fuzz(func(t *testing.T, text string, lines bool) {
		_ = eachRow(strings.NewReader(text), lines, testMapping, func(r tableRow, fault error) error {
			if fault != nil {
				return nil
			}
			claims, err := testMapping.claims(r.cells)
			if err != nil {
				return nil
			}
			for _, c := range claims {
				if n, ok := c.Value.(float64); ok && (math.IsNaN(n) || math.IsInf(n, 0)) {
					t.Errorf("%s is %v", c.Name, n)
				}
				if s, ok := c.Value.(string); ok && !utf8.ValidString(s) {
					t.Errorf("%s is %q", c.Name, s)
				}
				if _, err := json.Marshal(c.Value); err != nil {
					t.Error(err)
				}
			}
			return nil
		})
	})
}

// cutsOff is a line that is cut after the server has answered the n-th deposit, and
// before the answer has come.
type cutsOff struct {
	n     int
	ended func()
}

// RoundTrip implements http.RoundTripper.
func (c *cutsOff) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if r.Header.Get("Idempotency-Key") == "" {
		return resp, err
	}
	if c.n--; c.n == 0 {
		resp.Body.Close()
		c.ended()
		return nil, r.Context().Err()
	}
	return resp, err
}

// A pushing is a provider who pushes tables to the person of a street.
type pushing struct {
	*street
	pushCommand
}

func newPushing(t *testing.T) *pushing {
	p := &pushing{street: newStreet(t)}
	p.pushCommand = pushCommand{Issuer: p.issuer.Issuer, Receipts: filepath.Join(t.TempDir(), "receipts"), JSON: true}
	p.pushCommand.Server, p.pushCommand.ID = p.Base, p.issuer.ID
	p.Mapping = filepath.Join(t.TempDir(), "mapping.json")
	must(t, os.WriteFile(p.Mapping, []byte(`{"type": "https://af.example.se/vct/arbetsloshetsintyg/1", "forms": 1, "deposit": "to", "key": "case", "claims": {
		"registered": {"column": "yes", "as": "boolean", "true": "J", "false": "N"}, "registered_at_least_30_days": {"column": "yes", "as": "boolean", "true": "J", "false": "N"}}}`), 0o600))
	return p
}

// push pushes rows (case and yes), and returns what became of them.
func (p *pushing) push(ctx context.Context, by *client.Client, rows ...string) (done pushed, err error) {
	p.t.Helper()
	p.Rows = filepath.Join(p.t.TempDir(), "rows.csv")
	text := "to,case,yes\n"
	for _, row := range rows {
		text += strings.ReplaceAll(row, "$TO", p.deposit) + "\n"
	}
	must(p.t, os.WriteFile(p.Rows, []byte(text), 0o600))
	out := printedBy(p.t, func() error { err = p.run(ctx, by); return nil })
	must(p.t, json.Unmarshal([]byte(out), &done))
	return done, err
}

// held is how many pieces of evidence the person has, and how many files of a kind
// the provider.
func (p *pushing) held(kind string) (pieces, files int) {
	p.t.Helper()
	all, err := p.pod.Holdings(p.t.Context(), p.persons[0].who)
	must(p.t, err)
	found, err := filepath.Glob(filepath.Join(p.Receipts, "*."+kind))
	must(p.t, err)
	return len(all), len(found)
}

// TestAPushThatIsInterrupted: between the deposit and its receipt, says so and in which
// row; run again it sends the rest, and nothing twice.
func TestAPushThatIsInterrupted(t *testing.T) {
	p := newPushing(t)
	ctx, interrupt := context.WithCancel(t.Context())
	cut := &client.Client{HTTP: &http.Client{Transport: &cutsOff{2, interrupt}}, Issuer: p.Base, ID: p.provider.ID, Key: p.provider.Key, DPoP: p.provider.DPoP, Now: time.Now}
	rows := []string{"$TO,1,J", "$TO,2,N", "$TO,3,J"}
	done, err := p.push(ctx, cut, rows...)
	if err == nil || done.Sent != 1 || done.Faulty != 0 || !strings.Contains(done.Ended, "it was interrupted in row 2 (line 3); run it again") {
		t.Errorf("interrupted: %+v, %v", done, err)
	}
	if pieces, unsure := p.held("sd-jwt"); pieces != 2 || unsure != 1 {
		t.Fatalf("%d pieces were deposited, %d of them without a receipt", pieces, unsure)
	}
	if done, err = p.push(t.Context(), p.provider, rows...); err != nil || done.Sent != 2 || done.Before != 1 {
		t.Errorf("again: %+v, %v", done, err)
	}
	pieces, receipts := p.held("jwt")
	if _, unsure := p.held("sd-jwt"); pieces != 3 || receipts != 3 || unsure != 0 {
		t.Errorf("%d pieces, %d receipts, %d without", pieces, receipts, unsure)
	}
}

// TestRowsThatTheServerDoesNotGet: each says its row and what to mend; what no other
// row would fare better with ends the push.
func TestRowsThatTheServerDoesNotGet(t *testing.T) {
	p := newPushing(t)
	stranger := &client.Client{HTTP: http.DefaultClient, Issuer: p.Base, ID: "nobody", Key: p.provider.Key, DPoP: p.provider.DPoP, Now: time.Now}
	for _, row := range []struct {
		is   string
		by   *client.Client
		rows []string
		want string // of each fault
		ends string
	}{
		{"no key", p.provider, []string{"$TO,,J"}, "column case: it is empty", ""},
		{"an address elsewhere", p.provider, []string{"https://secret.example/w/x/deposit/,1,J"}, "column to: it is not an address of " + p.Base, ""},
		{"a key that another row has", p.provider, []string{"$TO,1,J", "$TO,1,J", "$TO,1,N"}, "row 3 (line 4), column case: row 1 has the same, and says something else", ""},
		{"an address that is none", p.provider, []string{"$TOsecret,9,J"}, "row 1 (line 2): 4", ""},
		{"who isn't registered", stranger, []string{"$TO,8,J", "$TO,9,J"}, "", "invalid_client: there is no client"},
	} {
		done, err := p.push(t.Context(), row.by, row.rows...)
		for _, f := range done.Failed {
			if text := f.String(); !strings.Contains(text, row.want) || strings.Contains(text, "secret") {
				t.Errorf("%s: %s", row.is, text)
			}
		}
		if err == nil || (len(done.Failed) == 1) != (row.want != "") || !strings.Contains(done.Ended, row.ends) || (done.Ended != "") != (row.ends != "") {
			t.Errorf("%s: %+v, %v", row.is, done, err)
		}
	}
	if _, unsure := p.held("sd-jwt"); unsure != 0 {
		t.Errorf("%d were refused, and are kept to be sent again", unsure)
	}
	away := &client.Client{HTTP: &http.Client{Transport: noLine{}}, Issuer: p.Base, ID: p.provider.ID, Key: p.provider.Key, DPoP: p.provider.DPoP, Now: time.Now}
	p.patience = time.Millisecond
	done, err := p.push(t.Context(), away, "$TO,11,J", "$TO,12,J", "$TO,13,J", "$TO,14,J")
	if err == nil || done.Faulty != 2 || !strings.Contains(done.Ended, "in row 3 (line 4): the server is away; run it again") || strings.Contains(done.Failed[0].Error, "/w/") {
		t.Errorf("a server that is away: %+v, %+v, %v", done, done.Failed, err)
	}
}

// noLine is a line to a server that is gone.
type noLine struct{}

// RoundTrip implements http.RoundTripper.
func (noLine) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("connection refused")
}

// TestALongTableTakesLittleMemory: a row at a time, however many there are.
func TestALongTableTakesLittleMemory(t *testing.T) {
	const rows = 200_000
	line := "x,1,J,2026-11-01,7,1.5," + strings.Repeat("t", 200) + "\n"
	from := io.MultiReader(strings.NewReader("to,case,Yes,Day,N,Amount,Text\n"), &repeated{text: line, times: rows})
	n, most := 0, uint64(0)
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	must(t, eachRow(from, false, testMapping, func(r tableRow, fault error) error {
		if n++; n%20_000 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapAlloc-min(now.HeapAlloc, before.HeapAlloc))
		}
		_, err := testMapping.claims(r.cells)
		return errors.Join(fault, err)
	}))
	if n != rows || most > uint64(len(line)*rows/4) {
		t.Errorf("%d rows of %d bytes took %d bytes", n, len(line), most)
	}
}

// A repeated is a text so many times.
type repeated struct {
	text  string
	times int
	left  string
}

// Read implements io.Reader.
func (r *repeated) Read(p []byte) (int, error) {
	if r.left == "" {
		if r.times == 0 {
			return 0, io.EOF
		}
		r.times--
		r.left = r.text
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	return n, nil
}
