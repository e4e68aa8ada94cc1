// SPDX-License-Identifier: EUPL-1.2

// Package extract is a person's log as she takes it with her, in some [Form].
//
// In the form Lines it is JSON lines: each entry as it is stored, oldest first, and
// in the end a line {"checkpoint": …} with what the server signed of it (a
// [log.Checkpoint]). Whoever has the file and the server's public keys verifies it
// alone; who kept an earlier file finds that entries were changed or cut off since.
package extract
