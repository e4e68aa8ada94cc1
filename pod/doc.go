// SPDX-License-Identifier: EUPL-1.2

// Package pod is the only door to a person's data.
//
// Every read and write, from LDP, a web page, the command line or a job, is a
// method of [Pod] with the agent as an argument. There permission is decided
// (by acl.Decide and nothing else), the log is written and the notification is
// queued, in one transaction.
//
// What a noun is, and how the store keeps it, is in a package of its own, which works
// in a transaction that it is handed. Who may, what is logged and who is told is here,
// as a rule in the file of the same name.
//
// The nouns, and where they live:
//
//	Pod           pod.go         the door: all pods of one server
//	Store, Tx     store/         ordered keys, one transaction per pod; an engine provides them
//	Blobs         store/         large immutable bytes
//	Tree          resource/      the standard pods: how they are read and written in a transaction
//	Right         resource/      what an agent may do to a resource of the standard pod, and what decides it
//	Home          record/        what a pod knows about itself
//	State         record/        a resource of the standard pod, as the store keeps it
//	Change        record/        the time and randomness of one write
//	Party         registry/      a registered organisation: provider (gives evidence), consumer (asks for it)
//	Use           registry/      what a consumer may ask for, and why: one purpose of one registration
//	EvidenceType  registry/      what a provider can attest: fields, titles, SD-JWT type
//	Evidence      evidence/      one attested statement about the person, with its signed forms
//	Delivery      deposit/       evidence that a provider posts, read and found to be in order; its Receipt
//	Space         space/         the pod as one counterpart sees it, at /w/{id}/
//	Request       consent/       what a party asks of the person: to deposit, or to read
//	Offer         consent/       what agreeing to a request would release: the values on the screen
//	Answer        consent/       what the person decided
//	Consent       consent/       the immutable record of an answer; its Grants are the truth
//	Share         consent/       a consent as the person sees it: active, ended, withdrawn
//	Excess        consent/       a way in which a request asks for more than it needs
//	View          view.go        what a counterpart receives: the only function that maps space to pod
//	Entry         log/           one line of the person's log, chained by hash
//	Checkpoint    log/           the signed end of an exported log
//	Form          extract/       how a log is written that the person takes with her: as it is, as TS10, as RDF
//	Imported      archive/       what came of filling a pod from an archive; how one is made; move.go tells where a pod went
//	ErasureReceipt consent/      a party's word that it has erased; control.go takes it, and freezes, thaws, disconnects
//	Subscription  channel/       a channel: who is told of what happens to a resource
//	Activity      record/        what happened to a resource; Hear decides who is told
//	Call          channel/       what a webhook is to be told
//	MailedRequest consent/       a request that a party posts to its inbox/
//	Settings      leave.go       what the owner chose for herself; also how she leaves, and stays
//	Mandate       mandate/       somebody acts for the owner, as far as it says, until it ends
//	Holding       holding.go     what an operator may know of one pod: how much it holds
//	Loan          loan/          what the owner lets others do to a file or folder, by its ACL document
//	HolderKey     evidence/      a private key of the person's, of one signed form
//	index         upkeep/        what finds things of a kind in another order; also how a pod comes to a new Schema, is checked and erased
//	Notification  outbox/        what a counterpart must be told, until it has been
//	Settle        due/           when a pod is looked at though nobody asks; sweep.go does it
//	Lists         status/        the status lists of all providers, by which they revoke; status.go marks what they do
//	Channel       leak/          a link on purpose, for the program that must see it
//
// # One function for the screen and the wire
//
// What the consent page shows and what a consumer's read returns are computed
// by the same function, [evidence.Release], from the evidence, the type and the fields.
// The hash of what was shown is in the consent record.
//
// # Keys
//
// A pod's keys in the Store, by first byte; paths never hold a NUL.
//
//	p                        the pod itself
//	r{path}                  a resource: header and small body
//	m{container}\0{name}     a container's member: type, size, time
//	a{path}                  the compiled authorizations of path's own ACL document
//	w{space}                 a Space;  y{party} the id of the party's space
//	e{id}                    an Evidence
//	f{evidence}\0{number}    a signed form that has no recipient yet
//	f{evidence}\0w{space}    the signed form that a space was given
//	k{type}\0{issuer}        the id of the current evidence
//	q{id}                    a Request
//	Q{answerby}{id}          that there is an open Request
//	c{id}                    a Consent
//	C{ends}{id}              that there is the Consent, what lasts longest first; what is read under it
//	g{space}\0{id}           a Grant to a space's party
//	h, l{seq}                the log's head; an Entry
//	P{place}                 the id of the evidence that has a place in a status list; also a Name of the pod
//	z{space}\0{thumbprint}   a holder key that a provider was given;  z{thumbprint} one that is in a form
//	x{day}\0…                that a refusal was logged that day; until the day is over
//	i{space}\0{key}          what answered an idempotency key; for seven days
//	J{ends}{space}\0{key}    that there is such an answer, the one that ends first before the others
//	j{day}{digest}           the same for a POST to the standard pod; for that day and the next
//	u{day}\0{app}            a ReadCount; without an app, of what everybody may read
//	d{day}\0{sender}         how many notifications the inbox took; without a sender, of all; until the day is over
//	tp{id}, th{id}           a Subscription: by connecting; a webhook
//	t{day}\0{subscriber}     how many subscriptions were made; without a subscriber, by all; until the day is over
//	v, v{seq}                the last number of the journal; an Activity
//	R{received}{id}          that there is the Evidence, the newest first
//	S                        the owner's Settings
//	M                        the Mandates that the owner has given
//	O                        notes of the Mandates that others have given the owner
//	U                        how many bytes the resources hold together
//	b                        when blobs are to be swept
//	B                        when what is kept for a time is to be forgotten
//	I                        an import that is under way
//	o, n{seq}                the last number of the outbox; a Notification that waits
package pod
