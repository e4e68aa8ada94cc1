// SPDX-License-Identifier: EUPL-1.2

// Package vocab has the words in which things are said as RDF: the namespaces of
// others, and the server's own vocabulary, [Core], with its definitions.
package vocab
