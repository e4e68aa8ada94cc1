// SPDX-License-Identifier: EUPL-1.2

// Package login is how a person signs in.
//
// A [Method] proves who somebody is: an eID, a passkey. The [Vault] knows which
// person that is, by a random id that means nothing outside this server, and is
// the only place that holds national numbers. [Sessions] remember the sign-in
// for as long as it lasts.
//
// The pages are made elsewhere: a Method answers at [Path] + its ID, and when it
// has called [Sessions.SignIn] it sends the browser to [Done], which knows the
// way on.
package login

import (
	"net/http"
	"net/url"
)

// Path is where the sign-in page is; each method has the segment ID below it.
const Path = "/me/sign-in"

// A Method is one way to sign in. It answers every request under
// Path/{ID}; the first is a GET with the parameters next (where the person was
// going, unchecked: pass it on to Done) and lang (sv, nb, nn or en).
type Method interface {
	ID() string   // a-z and "-": the segment of its path
	Name() string // as it is known to people: "BankID"
	http.Handler
}

// Done returns the address to which a Method sends the browser when it is done.
// It is always on this server; what next says is checked there.
func Done(next string) string {
	return Path + "?" + url.Values{"next": {next}}.Encode()
}
