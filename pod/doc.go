// SPDX-License-Identifier: EUPL-1.2

// Package pod is the only door to a person's data.
//
// Every read and write, from LDP, a web page, the command line or a job, is a
// method of [Pod] with the agent as an argument. There permission is decided,
// the log is written and the notification is queued, in one transaction.
package pod
