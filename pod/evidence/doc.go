// SPDX-License-Identifier: EUPL-1.2

// Package evidence is the evidence of a pod, as the store keeps it: each [Evidence]
// with its signed forms, the keys to which they are bound, and its places in status
// lists. It reads and writes in a transaction that somebody else has begun and
// permitted, and who begins it logs it. [Release] is what a recipient gets of it.
package evidence
