// SPDX-License-Identifier: EUPL-1.2

package consent

import (
	"time"

	"skrin/pod/registry"
	"skrin/pod/status"
	"skrin/pod/vouch"
)

// A Book is how what parties ask of the people of one server, and what these have
// agreed to, is read: in a transaction that somebody else has begun and permitted.
type Book struct {
	Registry registry.Registry   // who is registered
	Types    *registry.Catalogue // what evidence there is
	Statuses *status.Lists       // what says that evidence is revoked; nil where nobody relies on it
	Sign     vouch.Signer        // signs records of consents
	Base     string              // the origin of every URL
	Issuer   string              // of the tokens of the people here
	Now      func() time.Time
}
