// SPDX-License-Identifier: EUPL-1.2

// Package store says what keeps pods: small values under ordered keys in a [Store],
// large immutable bytes in [Blobs]. A storage engine provides these two, and need
// know nothing else of pods. Here is also what all that is written has in common:
// how a value is read and written through a [Tx], and what a random id looks like.
// What the keys are, package pod's documentation lists.
package store
