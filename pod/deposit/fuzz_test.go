// SPDX-License-Identifier: EUPL-1.2

package deposit

import "testing"

func FuzzParseRows(f *testing.F) {
	f.Add([]byte(`{"forms":["a~"],"reference":"x"}` + "\n\n" + `{"forms":[]}`))
	f.Add([]byte("{}{}\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		rows, faults := parseRows(body)
		if len(rows) > maxRows || len(rows) == 0 && len(faults) == 0 {
			t.Errorf("%d rows, %d faults", len(rows), len(faults))
		}
	})
}
