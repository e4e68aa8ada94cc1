// SPDX-License-Identifier: EUPL-1.2

package parcel

import _ "embed"

// Readme says what is in an archive, to who opens it.
//
//go:embed README.md
var Readme []byte
