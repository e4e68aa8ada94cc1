// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/pod/log"
	"skrin/pod/vouch"
)

// logCommand is about logs: a person's, as she has exported it, without the server; and the operators'.
type logCommand struct {
	Verify   logVerifyCommand   `cmd:"" help:"Verify that an exported log is whole, and as the server signed it."`
	Operator logOperatorCommand `cmd:"" help:"Show what operators did, and verify that nothing of it was changed or left out."`
}

// logVerifyCommand verifies an exported log.
type logVerifyCommand struct {
	printed
	File  string `arg:"" help:"The log, as it was exported (JSON lines)." type:"existingfile"`
	Keys  string `required:"" help:"File with the server's public keys, as it has them at /.oidc/jwks." type:"existingfile"`
	Since string `help:"An earlier export, of which this must be a continuation." type:"existingfile"`
}

// A wholeLog is what was found of a log that is whole.
type wholeLog struct {
	Entries uint64    `json:"entries"`
	Signer  string    `json:"signer"` // the server's URL without its scheme
	Signed  time.Time `json:"signed"`
}

// Run obeys kong.
func (c *logVerifyCommand) Run() error { return c.verify(os.Stdout) }

func (c *logVerifyCommand) verify(out io.Writer) error {
	b, err := os.ReadFile(c.Keys)
	if err != nil {
		return err
	}
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(b, &keys); err != nil {
		return fmt.Errorf("%s: %w", c.Keys, err)
	}
	var since *log.Checkpoint
	if c.Since != "" {
		earlier, err := verifyLog(c.Since, keys, nil)
		if err != nil {
			return err
		}
		since = &earlier
	}
	at, err := verifyLog(c.File, keys, since)
	if err != nil {
		return err
	}
	whole := wholeLog{at.Seq, strings.TrimSuffix(at.Origin, "/me/log"), at.Issued.UTC()}
	return c.print(out, whole, fmt.Sprintf("The log is whole: %d entries, signed by %s at %s.", whole.Entries, whole.Signer, whole.Signed.Format(time.RFC3339)))
}

func verifyLog(file string, keys jose.JSONWebKeySet, since *log.Checkpoint) (log.Checkpoint, error) {
	f, err := os.Open(file)
	if err != nil {
		return log.Checkpoint{}, err
	}
	defer f.Close()
	check := func(jws string) ([]byte, error) { return vouch.Check(jws, log.TypeCheckpoint, keys) }
	at, err := log.VerifyExport(f, check, since)
	if err != nil {
		return at, fmt.Errorf("%s: %w", file, err)
	}
	return at, nil
}

// logOperatorCommand shows the operators' log.
type logOperatorCommand struct {
	anywhere
	Holds string `help:"The hash of a line that was noted elsewhere, which the log must still have."`
}

// Run obeys kong. A log that isn't whole is an error, and nothing of it is shown.
func (c *logOperatorCommand) Run(ctx context.Context) error {
	return c.do(ctx, errand{Do: "log operator", Holds: c.Holds}, func(o outcome) string {
		var b strings.Builder
		for _, l := range o.Acts {
			fmt.Fprintf(&b, "%6d  %s  %-16s %-8s %s %s\n", l.Seq, l.Time.Format(time.RFC3339), l.By, l.Outcome, l.Did, l.On)
		}
		fmt.Fprintf(&b, "The log is whole: %d lines.", o.Lines)
		if len(o.Acts) > 0 {
			fmt.Fprintf(&b, " Keep this elsewhere, for --holds: %s", o.Acts[len(o.Acts)-1].Hash)
		}
		return b.String()
	})
}
