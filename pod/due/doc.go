// SPDX-License-Identifier: EUPL-1.2

// Package due is when somebody must look at a pod though nobody asks, and what is
// done of it within the pod: to remove blobs that no resource refers to, and to forget
// what was kept for a time. It works in a transaction that somebody else has begun.
package due
