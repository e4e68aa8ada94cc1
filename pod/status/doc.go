// SPDX-License-Identifier: EUPL-1.2

// Package status follows the status lists (draft-ietf-oauth-status-list) by which
// providers revoke, and knows which pod has a credential in which place of one. What a
// change means for that pod it leaves to who is told of it.
//
// How (2026-11). A provider that revokes registers the address of its status list
// aggregation (section 9.3), and nothing else is ever fetched:
//
//   - All lists of all providers are fetched whole, by their own schedule, whether
//     or not anybody here has a credential in them. So neither a read nor a deposit
//     nor a person's visit can be seen from outside (herd privacy).
//   - A list has room for 131072 credentials at least, and no two forms of a
//     delivery are neighbours in it: two recipients who hold a form each learn
//     nothing from their places.
//   - What a list says is looked up at each read, in memory. A read that needs a
//     list which is out of date is answered with 503, never with old news.
//   - What has changed in a list is found by the places that have changed: a place
//     is a Name of the pod that holds its credential, keyed, so that the names alone
//     don't tell what anybody has.
//
// We gave up lists that nobody registered: a credential in one is refused.
package status
