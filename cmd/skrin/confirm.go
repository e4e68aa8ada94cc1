// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// Dangerous is what commands take that can't be undone.
type dangerous struct {
	Yes bool `short:"y" help:"Don't ask whether it is meant."`
}

// errUnsure is that nobody has said that it is meant.
var errUnsure = errors.New("nothing was done: it is dangerous, and needs a yes, or --yes")

// sure asks at the terminal whether what is said to follow is meant. Without a
// terminal there is nobody to ask.
func (d dangerous) sure(ctx context.Context, follows string) error {
	if d.Yes {
		return nil
	}
	if !isTerminal(os.Stdin) {
		return errUnsure
	}
	fmt.Fprint(os.Stderr, follows+" Type yes to go on: ")
	said := make(chan string, 1)
	go func() { // until the process ends, where nobody answers
		answer, _ := bufio.NewReader(os.Stdin).ReadString('\n') // what can't be read is no yes
		said <- answer
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(os.Stderr)
		return errUnsure
	case answer := <-said:
		if strings.TrimSpace(answer) != "yes" {
			return errUnsure
		}
		return nil
	}
}

// exitCode tells scripts why a command failed: 1 that it did, 3 that fsck or a
// verification has found faults, 4 that nobody has said yes, 5 that a second operator
// must approve it. Wrong usage is 80, as kong has it.
func exitCode(err error) int {
	switch {
	case errors.Is(err, errFaults), errors.Is(err, errActs):
		return 3
	case errors.Is(err, errUnsure):
		return 4
	case errors.Is(err, errUnapproved):
		return 5
	}
	return 1
}
