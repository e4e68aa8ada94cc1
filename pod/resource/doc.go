// SPDX-License-Identifier: EUPL-1.2

// Package resource is the standard pod: what a resource of it is, what an agent may
// do to one, and what a write changes, down to the container's listing and the count
// of bytes. All of it happens in a transaction that somebody else has begun, and who
// begins it logs it and tells of it.
package resource
