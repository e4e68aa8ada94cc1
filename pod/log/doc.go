// SPDX-License-Identifier: EUPL-1.2

// Package log is the person's log: an [Entry] for each thing that was done, chained by
// hash, and the signed [Checkpoint] by which an exported log is verified without the
// server. Entries are appended in the transaction of what they tell.
package log
