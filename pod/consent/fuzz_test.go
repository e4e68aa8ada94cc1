// SPDX-License-Identifier: EUPL-1.2

package consent

import (
	"strings"
	"testing"
)

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
