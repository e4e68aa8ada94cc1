// SPDX-License-Identifier: EUPL-1.2

// Package archive is a pod as its owner takes it with her, and brings it: [Export]
// writes all of it, sealed with the server's key, and [Import] fills a pod from that;
// [Zip] writes what she can read. It does so at a [Desk], in transactions that package
// pod begins and permits.
//
// What is taken from an archive (2026-11-22):
//
//   - Documents and their rules are the owner's own, and are taken from whoever
//     made the archive. What they say of the old pod is said of the new one: each
//     IRI below the old root is one below the new.
//   - Evidence, consents, grants, spaces and the log are what a server vouches for.
//     They are taken only from an archive that bears the seal of a server whose keys
//     are given, and only into a pod that has none of them yet: else a person could
//     make evidence, or a past. The log goes on where it ended.
//   - Each space gets a new id and a new key. Nobody knows it until the old server
//     tells who had the old one (MoveTo of package pod).
//
// An import that was interrupted is finished by running it again with the same
// file. Until it is, no other is begun.
package archive
