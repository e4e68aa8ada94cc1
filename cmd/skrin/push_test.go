// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var testMapping = mapping{Type: "https://x.example/vct", Days: 1, Forms: 1, Deposit: "to", Key: "case", Claims: map[string]field{
	"yes": {Column: "Yes", As: "boolean", True: "J", False: "N"}, "day": {Column: "Day", As: "date"}, "n": {Column: "N", As: "integer"},
	"amount": {Column: "Amount", As: "number", Optional: true}, "text": {Column: "Text"},
}}

// TestRows: what is wrong with a row is said for that row, without its values.
func TestRows(t *testing.T) {
	const head = "\ufeffto,case,Yes,Day,N,Amount,Text\n"
	for _, row := range []struct{ sentence, text, want string }{
		{"a row is claims", head + "x,1,J,2026-11-01,7,1.5,åäö\n", "amount=1.5 day=2026-11-01 n=7 text=åäö yes=true"},
		{"what is optional may be missing", head + "x,1,N,2026-11-01,7,,t\n", "day=2026-11-01 n=7 text=t yes=false"},
		{"a cell may have commas and lines", head + "x,1,N,2026-11-01,7,,\"a, b\nc\"\n", "day=2026-11-01 n=7 text=a, b\nc yes=false"},
		{"a word is no yes", head + "x,1,secret,2026-11-01,7,,t\n", `column Yes: it is neither "J" nor "N"`},
		{"there is no 31 November", head + "x,1,J,2026-11-31,7,,t\n", "column Day: it is not a date like 2026-11-30"},
		{"a comma is no decimal point", head + "x,1,J,2026-11-01,7,\"1,5\",t\n", "column Amount: it is not a number with a decimal point"},
		{"a number that isn't whole is no integer", head + "x,1,J,2026-11-01,7.5,,t\n", "column N: it is not an integer"},
		{"what isn't optional may not be empty", head + "x,1,J,2026-11-01,7,,\n", "column Text: it is empty; mark the claim as optional if that may be"},
		{"a row has a cell for each heading", head + "x,1,J\n", "it has more or fewer cells than there are headings"},
		{"a column that isn't there", "to,case\nx,1\n", "there is no column"},
		{"JSON lines", `{"to":"x","case":1,"Yes":"J","Day":"2026-11-01","N":7,"Text":"t"}`, "day=2026-11-01 n=7 text=t yes=true"},
		{"a line that is no object", `[1]`, "it is not a JSON object"},
		{"a list in a line", `{"to":[]}`, "to is neither a string nor a number nor true or false"},
	} {
		var got []string
		err := eachRow(strings.NewReader(row.text), row.text[0] == '{' || row.text[0] == '[', func(cells map[string]string, fault error) error {
			if fault == nil {
				claims, err := testMapping.claims(cells)
				for _, c := range claims {
					got = append(got, fmt.Sprintf("%s=%v", c.Name, c.Value))
				}
				fault = err
			}
			if fault != nil {
				got = append(got, fault.Error())
			}
			return nil
		})
		if text := strings.Join(got, " "); err != nil || !strings.HasPrefix(text, row.want) || strings.Contains(text, "secret") {
			t.Errorf("%s: %q, %v", row.sentence, text, err)
		}
	}
}

// TestMapping: a mapping that can't be meant is refused.
func TestMapping(t *testing.T) {
	good := `{"type":"t","deposit":"d","key":"k","claims":{"a":{"column":"A"}}}`
	for sentence, text := range map[string]string{
		"a name that means nothing": strings.Replace(good, `"key"`, `"keys"`, 1), "no claims": `{"type":"t","deposit":"d","key":"k"}`,
		"another kind": strings.Replace(good, `"A"`, `"A","as":"bool"`, 1), "no column": strings.Replace(good, `"column":"A"`, "", 1),
		"too many forms": strings.Replace(good, `"key"`, `"forms":65,"key"`, 1), "no JSON": "type: t",
	} {
		file := filepath.Join(t.TempDir(), "m")
		must(t, os.WriteFile(file, []byte(text), 0o600))
		if _, err := readMapping(file); err == nil {
			t.Errorf("%s is taken", sentence)
		}
	}
	file := filepath.Join(t.TempDir(), "m")
	must(t, os.WriteFile(file, []byte(good), 0o600))
	if m, err := readMapping(file); err != nil || m.Days != 30 || m.Forms != 8 {
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
		_ = eachRow(strings.NewReader(text), lines, func(cells map[string]string, fault error) error {
			if fault != nil {
				return nil
			}
			claims, err := testMapping.claims(cells)
			if err != nil {
				return nil
			}
			for _, c := range claims {
				if n, ok := c.Value.(float64); ok && (math.IsNaN(n) || math.IsInf(n, 0)) {
					t.Errorf("%s is %v", c.Name, n)
				}
				if _, err := json.Marshal(c.Value); err != nil {
					t.Error(err)
				}
			}
			return nil
		})
	})
}
