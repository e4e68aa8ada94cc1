// SPDX-License-Identifier: EUPL-1.2

package rdf

import (
	"strconv"
	"strings"
)

// Readers of formats with unlabelled blank nodes make labels for these, g1, g2,
// …, and move labels of the document out of their way: g1 becomes g_1, g_1
// becomes g__1. So two different nodes never merge.

func madeLabel(n int) string { return "g" + strconv.Itoa(n) }

func userLabel(s string) string {
	rest, ok := strings.CutPrefix(s, "g")
	digits := strings.TrimLeft(rest, "_")
	if !ok || digits == "" || strings.Trim(digits, "0123456789") != "" {
		return s
	}
	return "g_" + rest
}
