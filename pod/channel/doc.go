// SPDX-License-Identifier: EUPL-1.2

// Package channel is who has subscribed to what happens in a pod, and what has happened:
// the channels of the Solid Notifications Protocol, the calls of webhooks, and the
// journal. Each function works in a transaction that somebody else has begun and
// permitted, who also has the pod looked at when a call is due.
//
// How subscribers hear of a change (2026-11). A pod that nobody has subscribed to keeps
// no journal: its home record, which each write reads anyway, says so, and the write
// costs what it did. In one that is subscribed to, the transaction of a change also
// writes what happened into the journal, a ring of 256 activities, and stirs: after the
// commit each node is told that this pod has something new (see package store, Feed), reads it,
// and decides again for each of its listeners. So the change and its notification are
// one commit, without another one for each subscriber.
//
// We gave up to tell a subscriber everything: who is further behind than the
// ring is told once that its topic is other than it was.
package channel
