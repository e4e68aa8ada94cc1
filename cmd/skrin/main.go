// SPDX-License-Identifier: EUPL-1.2

// Command skrin keeps people's papers: the server, its demo, and what an
// operator needs.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"skrin/pod/text"
)

type commands struct {
	Demo     demoCommand       `cmd:"" help:"Try it: the server, an authority, an insurer and made-up people, on this machine."`
	Serve    serveCommand      `cmd:"" help:"Run the server."`
	Config   configCommand     `cmd:"" help:"Check the settings, or print an example of them."`
	Backup   backupCommand     `cmd:"" help:"Back up a directory that is served, or not."`
	Restore  restoreCommand    `cmd:"" help:"Make a directory out of a backup."`
	Fsck     fsckCommand       `cmd:"" help:"Check all that must hold of every pod."`
	Schema   schemaCommand     `cmd:"" help:"Tell which version a cluster's database has, or lead it back before an older skrin is started."`
	Pod      podCommand        `cmd:"" help:"List pods, show how much one holds, erase one."`
	Type     typeCommand       `cmd:"" help:"List and show the types of evidence; check a folder of them."`
	Stats    statsCommand      `cmd:"" help:"Tell how much there is, over all pods together."`
	ROPA     ropaCommand       `cmd:"" name:"ropa" help:"Print the record of processing activities (GDPR, article 30), as Markdown or JSON."`
	Rotate   rotateCommand     `cmd:"" help:"Wrap the pods' keys with the first of --pod-key-file."`
	Approve  approveCommand    `cmd:"" help:"As a second operator, let another do a dangerous act; or list what waits."`
	Party    partyCommand      `cmd:"" help:"Register authorities and consumers, list, renew and revoke them."`
	Key      keyCommand        `cmd:"" help:"Print a new master key for serve --key-file; rotate the keys that sign."`
	JWKS     jwksCommand       `cmd:"" name:"jwks" help:"For a party: make a key, and print its public half for the registration."`
	Token    tokenCommand      `cmd:"" help:"For a party: get an access token."`
	Proof    proofCommand      `cmd:"" help:"For a party: make the DPoP proof of one request."`
	Issue    issueCommand      `cmd:"" help:"For a provider: sign evidence as SD-JWT VC."`
	Verify   verifyCommand     `cmd:"" help:"For a consumer: verify evidence, offline."`
	Log      logCommand        `cmd:"" help:"For a person: check an exported log. For an operator: show and verify what operators did."`
	Stage    stageCommand      `cmd:"" help:"For load tests and test suites: a server with made-up people, and their credentials."`
	Unlink   unlinkCommand     `cmd:"" help:"Measure whether parties that pool what they received can match people."`
	List     statusListCommand `cmd:"" name:"status-list" help:"For a provider: sign the status list by which it revokes."`
	Export   exportCommand     `cmd:"" help:"Write a whole pod to a file, with which it can go to another server."`
	Fetch    fetchCommand      `cmd:"" help:"Read a pod of another Solid server into such a file."`
	Import   importCommand     `cmd:"" help:"Fill a new pod from such a file."`
	Moved    movedCommand      `cmd:"" help:"Send everybody on to another server, where a pod was imported, and tell its counterparts."`
	Ready    readyCommand      `cmd:"" help:"Ask whether a node is ready."`
	Provider providerCommand   `cmd:"" help:"For a provider: connect to people, deposit a table of evidence."`
	Consumer consumerCommand   `cmd:"" help:"For a consumer: ask, read and verify what was granted."`
	Login    loginCommand      `cmd:"" help:"Log in to a Solid server, for the commands below."`
	Get      getCommand        `cmd:"" help:"Print a resource."`
	Put      putCommand        `cmd:"" help:"Write a resource."`
	Post     postCommand       `cmd:"" help:"Add a resource to a container."`
	Patch    patchCommand      `cmd:"" help:"Change an RDF resource by a patch."`
	Rm       rmCommand         `cmd:"" help:"Remove a resource."`
	Ls       lsCommand         `cmd:"" help:"List a container."`
	Cp       cpCommand         `cmd:"" help:"Copy a resource, from or to a URL."`
	ACL      aclCommand        `cmd:"" name:"acl" help:"Print a resource's ACL document, or replace it."`
	Watch    watchCommand      `cmd:"" help:"Print what happens to a resource."`

	Completion completionCommand `cmd:"" help:"Print what has a shell complete commands and flags."`
	Complete   completeCommand   `cmd:"" hidden:"" help:"Print how a line can go on, for that."`
}

// newParser returns what reads command lines into c.
func newParser(c *commands, more ...kong.Option) (*kong.Kong, error) {
	return kong.New(c, append(more,
		kong.Name("skrin"),
		kong.Description("Skrin keeps people's papers, and lets each person decide who reads them."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.ShortUsageOnError(),
		kong.PostBuild(helpful),
	)...)
}

func main() {
	tune()
	var c commands
	p, err := newParser(&c)
	if err != nil {
		panic(err) // the commands are wrong, whatever was typed
	}
	k := understood(p, os.Args[1:])
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // so that a second Ctrl-C ends what doesn't heed the first
	run, heeds := chosen(ctx, k)
	if !heeds {
		stop()
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "skrin:", legible(plainly(err)))
		os.Exit(exitCode(err))
	}
}

// plainly says of an error what it is for who runs a command.
func plainly(err error) string {
	if errors.Is(err, context.Canceled) {
		return "interrupted"
	}
	return err.Error()
}

// understood reads a command line. One that is wrong ends the program: what is said of
// it is no output of the command, which may be a file or a variable of a script.
func understood(p *kong.Kong, line []string) *kong.Context {
	k, err := p.Parse(line)
	if err != nil {
		p.Stdout = p.Stderr
	}
	p.FatalIfErrorf(err)
	return k
}

// chosen returns the command, without the parser and what that knows of all commands
// where the command needs no more than ctx: it would be 3 MB for as long as a server
// runs. heeds is that it ends when ctx does.
func chosen(ctx context.Context, k *kong.Context) (run func() error, heeds bool) {
	if n := k.Selected(); n != nil {
		if c, ok := n.Target.Addr().Interface().(interface{ Run(context.Context) error }); ok {
			return func() error { return c.Run(ctx) }, true
		}
	}
	k.BindTo(ctx, (*context.Context)(nil))
	return func() error { return k.Run() }, false
}

// legible returns text for a terminal, without what would steer it: a part of an
// error may be what some server has said.
func legible(said string) string {
	return strings.Map(func(c rune) rune {
		if c != '\n' && text.Steers(c) {
			return -1
		}
		return c
	}, strings.ToValidUTF8(said, "\uFFFD"))
}

// ballast is memory that counts as living, and that nobody touches, so that the system
// gives none for it: the less there lives besides, the more it spares sweeping.
var ballast []byte

// tune lets the heap grow to three times what lives, the ballast of 64 MB among it,
// before it is swept, where the operator has not said otherwise (GOGC, GOMEMLIMIT).
// What lives on a server is small, 8 to 100 MB: at Go's own setting a fifth of the
// processor's time under load is sweeping. It must be called before all else: only
// then is the ballast of pages that were never touched.
func tune() {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(200)
		ballast = make([]byte, 64<<20)
	}
}
