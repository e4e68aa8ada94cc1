// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

// completionCommand prints what has a shell complete the commands. What it completes
// with is asked of this program itself, so it is never out of date.
type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// fileNames is the candidate that stands for the names of files.
const fileNames = ":files"

var shells = map[string]string{
	"bash": `# source <(skrin completion bash)
_skrin() {
	local line
	COMPREPLY=()
	while IFS=$'\t' read -r line _; do
		if [[ $line == :files ]]; then compopt -o default 2>/dev/null; else COMPREPLY+=("$line"); fi
	done < <("${COMP_WORDS[0]}" complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _skrin skrin
`,
	"zsh": `#compdef skrin
# source <(skrin completion zsh)
_skrin() {
	local -a found
	local line
	while IFS= read -r line; do
		if [[ $line == :files ]]; then _files; return; fi
		found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
	done < <("${words[1]}" complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)
	_describe skrin found
}
compdef _skrin skrin
`,
	"fish": `# skrin completion fish | source
function __skrin
	set -l words (commandline -opc) (commandline -ct)
	for line in ($words[1] complete -- $words[2..-1] 2>/dev/null)
		if test "$line" = :files
			__fish_complete_path (commandline -ct)
		else
			echo $line
		end
	end
end
complete -c skrin -f -a '(__skrin)'
`,
}

// Run obeys kong.
func (c *completionCommand) Run() error {
	_, err := io.WriteString(os.Stdout, shells[c.Shell])
	return err
}

// completeCommand prints how a line can go on: a candidate a line, with what it is
// after a tab.
type completeCommand struct {
	Words []string `arg:"" optional:"" passthrough:"" help:"The words of the line after the first; the last is not complete."`
}

// Run obeys kong.
func (c *completeCommand) Run(k *kong.Context) error {
	words := c.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	for _, found := range candidates(k.Model.Node, words) {
		fmt.Println(found)
	}
	return nil
}

// A line is what has been typed so far, as the commands understand it.
type line struct {
	node  *kong.Node
	value *kong.Value // of the flag that stands before the last word; nil for none
	args  int         // positional arguments of the node before it
}

// candidates returns what the last word can be.
func candidates(root *kong.Node, words []string) (all []string) {
	if len(words) == 0 {
		words = []string{""}
	}
	l, last := line{node: root}, words[len(words)-1]
	for _, word := range words[:len(words)-1] {
		l.take(word)
	}
	if last == "=" { // as bash cuts --flag=value
		last = ""
	}
	add := func(name, says string) {
		if strings.HasPrefix(name, last) {
			all = append(all, name+"\t"+says)
		}
	}
	switch {
	case l.value != nil:
		return l.values(l.value, last)
	case strings.HasPrefix(last, "-"):
		l.flags(add)
	case len(l.node.Children) > 0:
		for _, child := range l.node.Children {
			if !child.Hidden {
				add(child.Name, child.Help)
			}
		}
	case l.args < len(l.node.Positional):
		return l.values(l.node.Positional[l.args], last)
	}
	return all
}

// take understands one more word.
func (l *line) take(word string) {
	switch {
	case word == "=":
	case l.value != nil:
		l.value = nil
	case strings.HasPrefix(word, "-"):
		name, _, whole := strings.Cut(strings.TrimLeft(word, "-"), "=")
		for _, group := range l.node.AllFlags(true) {
			for _, f := range group {
				if !whole && !f.IsBool() && (f.Name == name || f.Short != 0 && string(f.Short) == name) {
					l.value = f.Value
				}
			}
		}
	default:
		for _, child := range l.node.Children {
			if child.Name == word {
				l.node, l.args = child, 0
				return
			}
		}
		l.args++
	}
}

// flags adds those of the command.
func (l *line) flags(add func(name, says string)) {
	for _, group := range l.node.AllFlags(true) {
		for _, f := range group {
			add("--"+f.Name, f.Help)
			if f.Tag.Negatable != "" {
				add("--no-"+f.Name, f.Help)
			}
		}
	}
}

// values returns what may stand for a value: one of a few words, or a file's name.
func (l *line) values(v *kong.Value, last string) (all []string) {
	if v.Enum != "" {
		for _, word := range v.EnumSlice() {
			if word != "" && strings.HasPrefix(word, last) {
				all = append(all, word+"\t")
			}
		}
		return all
	}
	switch v.Tag.Type {
	case "path", "existingfile", "existingdir":
		return []string{fileNames}
	}
	return nil
}
