// SPDX-License-Identifier: EUPL-1.2

package credential

import (
	"encoding/json"
	"fmt"
)

// Marks returns what tells this credential from all others that say the same:
// its digests and salts, its place in a status list, and the holder's key. Two
// that share a mark can be matched by those who receive them, so credentials for
// different recipients share none.
func (c *Credential) Marks() []string {
	var marks []string
	for _, d := range c.disclosures {
		marks = append(marks, d.encoded)
	}
	if payload, err := decode(c.signed.UnsafePayloadWithoutVerification()); err == nil {
		marks = digests(payload, marks)
	}
	for _, name := range []string{"status", "cnf"} {
		if v, found := c.claims[name]; found {
			text, _ := json.Marshal(v)
			marks = append(marks, fmt.Sprintf("%s %s", name, text))
		}
	}
	return marks
}

// digests appends all digests in a value.
func digests(v any, to []string) []string {
	switch v := v.(type) {
	case map[string]any:
		for name, child := range v {
			if s, ok := child.(string); ok && name == "..." {
				to = append(to, s)
			} else if list, ok := child.([]any); ok && name == "_sd" {
				for _, s := range list {
					to = append(to, fmt.Sprint(s))
				}
			} else {
				to = digests(child, to)
			}
		}
	case []any:
		for _, child := range v {
			to = digests(child, to)
		}
	}
	return to
}
