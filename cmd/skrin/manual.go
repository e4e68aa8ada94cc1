// SPDX-License-Identifier: EUPL-1.2

package main

import (
	_ "embed"
	"strings"

	"github.com/alecthomas/kong"
)

// manualText is what --help says of each command, beside its line and its flags: a
// section each, under its name, and the first of all of them. Lines that are
// indented are examples.
//
//go:embed manual.txt
var manualText string

// sections returns the manual's, by command.
func sections() map[string]string {
	all := map[string]string{}
	for part := range strings.SplitSeq("\n"+manualText, "\n#") {
		name, text, _ := strings.Cut(part, "\n")
		all[strings.TrimSpace(name)] = strings.TrimRight(text, "\n")
	}
	return all
}

// helpful gives each command its section of the manual, and the flags of the
// settings theirs.
func helpful(k *kong.Kong) error {
	parts, told := sections(), manual()
	all := new(settings).options()
	return kong.Visit(k.Model, func(n kong.Visitable, next kong.Next) error {
		switch n := n.(type) {
		case *kong.Application:
			n.Detail = parts[""]
		case *kong.Node:
			if n.Type == kong.CommandNode {
				n.Detail = parts[n.Path()]
			}
		case *kong.Flag:
			if n.Help != "" {
				break
			}
			n.Help = told[n.Name]
			for _, o := range all {
				if o.name == n.Name && o.standard != "" {
					n.Help += " (" + o.standard + ")"
				}
			}
		}
		return next(nil)
	})
}
