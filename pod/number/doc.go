// SPDX-License-Identifier: EUPL-1.2

// Package number knows a personal number when it sees one, so that none is taken
// where none belongs.
package number
