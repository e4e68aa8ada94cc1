// SPDX-License-Identifier: EUPL-1.2

// Package text says what a text that people are to read may hold: no personal number
// where none belongs, and nothing that steers what shows it.
package text
