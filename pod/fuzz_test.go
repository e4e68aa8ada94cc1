// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"strings"
	"testing"
)

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

func FuzzDays(f *testing.F) {
	for _, s := range []string{"", "P7D", "P0D", "P3660D", "P3661D", "P-1D", "P+1D"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, ok := days(s)
		if ok && s != "" && (n < 1 || n > 3660 || strings.Trim(s, "PD0123456789") != "") {
			t.Errorf("%q is %d days", s, n)
		}
	})
}
