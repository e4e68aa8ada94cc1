// SPDX-License-Identifier: EUPL-1.2

package login

import (
	"net/http"
	"testing"
)

// TestAddress: attempts are counted by address, and of IPv6 by household, which has
// more addresses than could be counted.
func TestAddress(t *testing.T) {
	for _, row := range []struct {
		is, one, other string
		same           bool
	}{
		{"one address", "192.0.2.1:1", "192.0.2.1:2", true},
		{"two addresses", "192.0.2.1:1", "192.0.2.2:1", false},
		{"one address, as IPv6 has it", "192.0.2.1:1", "[::ffff:192.0.2.1]:1", true},
		{"one household", "[2001:db8::1]:1", "[2001:db8::ffff:2]:1", true},
		{"two households", "[2001:db8::1]:1", "[2001:db8:0:1::1]:1", false},
		{"one household, and a zone", "[fe80::1%eth0]:1", "[fe80::2]:1", true},
	} {
		one, other := address(&http.Request{RemoteAddr: row.one}), address(&http.Request{RemoteAddr: row.other})
		if (one == other) != row.same {
			t.Errorf("%s: %q and %q", row.is, one, other)
		}
	}
}
