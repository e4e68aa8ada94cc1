// SPDX-License-Identifier: EUPL-1.2

// Package record is how the store keeps a standard pod, value by value: the [Home]
// of the pod, the [State] of each resource, the line of each member in its
// container's listing, the rules that an ACL document makes. It decides nothing.
package record
