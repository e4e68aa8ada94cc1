// SPDX-License-Identifier: EUPL-1.2

package status

import "testing"

func FuzzReadAggregation(f *testing.F) {
	f.Add([]byte(`{"status_lists":["https://af.example.se/status/1"]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		uris, err := readAggregation(body)
		if err == nil && len(uris) > maxLists {
			t.Errorf("%d lists", len(uris))
		}
	})
}
