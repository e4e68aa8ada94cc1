// SPDX-License-Identifier: EUPL-1.2

// Package registry says who is registered, for what, and what evidence there is: a
// [Party] with its [Use]s, an [EvidenceType] with its [Field]s. It is public, and holds
// nothing of any person.
package registry
