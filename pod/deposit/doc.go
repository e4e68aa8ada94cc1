// SPDX-License-Identifier: EUPL-1.2

// Package deposit is what providers deliver. A [Reader] reads it, and finds out
// whether it is in order; a [Delivery] that is in order is kept as evidence, in a
// transaction that somebody else has begun and permitted; a [Receipt] is what the
// provider has of it.
package deposit
