// SPDX-License-Identifier: EUPL-1.2

package main

import (
	_ "embed"
	"time"
)

// settingsSource is this file: the comments of the fields below are the manual,
// the help of the flags and the text of the example ("skrin config example").
//
//go:embed settings.go
var settingsSource string

// The settings are all that an operator can set: in a file, where groups nest
// (limit: body: 1GiB); in the environment, as SKRIN_LIMIT_BODY; or by a flag,
// --limit-body. A flag overrules the environment, which overrules the file. A list
// is written with commas in the environment. Secrets come from files or from the
// environment, and never from a flag, which others on the machine can see.
type settings struct {
	// Origin of every URL, like https://pod.example.se, with nothing after it. It
	// can't be changed later: people's names on the web begin with it.
	Base string
	// Another host, like https://skrin-data.example, on which browsers are shown what
	// is in pods, so that hostile content never meets the pages of people: best a
	// domain of its own. A proxy sends it here too, with its Host.
	PodOrigin string
	// Folder in which everything is kept; in a cluster, what passes through.
	Dir string `type:"path"`
	// File with the master key, as "skrin key" prints it. Whoever has it can read
	// what is encrypted: keep a copy, apart from the data.
	KeyFile string `type:"path"`
	// The master key itself, where there is no such file.
	MasterKey secret `name:"key" kong:"-"` // kong would leave out every field called Key
	// Files with master keys of the pods' keys, the one to use first. Without, one is
	// derived from the master key. To rotate: put a new one first, run "skrin rotate",
	// take the old one away.
	PodKeyFile []string    `type:"path"`
	KMS        kmsSettings `embed:"" prefix:"kms-"`

	// Folder of registrations of authorities and consumers (.json).
	Parties string `type:"path"`
	// Folder of operators who may use the admin API (.json): each file says what its
	// operator may do. Without one nobody can.
	Operators string `type:"path"`
	// Folder in which backups are made that are started over HTTP, each in a folder of
	// its own. Without it there are none.
	Backups string `type:"path"`
	// Folder for the newest copy of the pods' keys that goes with them: on another
	// disk. With an older copy, what was erased since could be read.
	BackupKeys string `type:"path"`
	// File that says what needs which level of assurance (.json): an object from an
	// action to the levels that are enough.
	Steps string `type:"path"`
	// Folder of eIDs to sign in by (.json).
	EIDs string `name:"eids" type:"path"`
	// Folder of evidence types (.json), instead of those that come with the program.
	Types string `type:"path"`

	// Where people ask whoever runs this: an https:// or mailto: address. It is on
	// their pages.
	Contact string
	// Where people read how whoever runs this handles their data (GDPR, article 13): an
	// https:// address. It is on all their pages.
	Privacy string
	// Where people read how accessible the pages are: the statement that a public body
	// must have (directive (EU) 2016/2102, article 7), at an https:// address.
	Accessibility string

	// Address on which people and parties are served.
	Listen string `standard:"127.0.0.1:8080"`
	// Address for the operator alone: /metrics, /healthz, /readyz, /debug/pprof.
	// Never let the world reach it. Empty for none.
	Admin string
	// Address on which plain http is sent on to the base URL, and on which ACME's
	// challenges are answered. Empty for none.
	Redirect string
	// Addresses of the proxies in front, whose X-Forwarded-For is believed: networks
	// like 10.0.0.0/8, or "loopback" or "private". Everybody else's is ignored.
	Proxies []string
	// How long what is under way may take when the server is told to end.
	Grace time.Duration `standard:"20s"`
	// How long the server still answers when it is told to end, and says on /readyz
	// that it will: for a proxy that asks there, a little longer than it asks.
	Drain time.Duration `standard:"0s"`

	// How long an operator of the folder above may take to approve that a pod is
	// erased or exported, or that stolen signing keys are replaced, and whoever asked
	// then to do it. 0s lets one do it alone. It binds who works with the commands,
	// and not who may change these settings or the store.
	TwoPeople time.Duration `standard:"0s"`

	TLS   tlsSettings   `embed:"" prefix:"tls-"`
	Limit limitSettings `embed:"" prefix:"limit-"`
	Log   logSettings   `embed:"" prefix:"log-"`
	Trace traceSettings `embed:"" prefix:"trace-"`

	// URL of a cluster's database, like postgres://skrin@db/skrin. Without, everything
	// is kept in the folder.
	Postgres string
	// URL of the database of the pods' keys, to be backed up apart. Without, the same.
	PostgresKeys string
	// File with the database's password.
	PostgresPasswordFile string `type:"path"`
	// The database's password, where there is no such file.
	PostgresPassword secret `kong:"-"`
	// URL of a cluster's bucket, like https://s3.example.se/skrin.
	S3 string `name:"s3"`
	// The bucket's region.
	S3Region string `name:"s3-region"`
	// File with the bucket's access key and, on the next line, secret key.
	S3KeyFile string `name:"s3-key-file" type:"path"`
	// The bucket's access key, where there is no such file.
	S3AccessKey secret `name:"s3-access-key" kong:"-"`
	// The bucket's secret key, where there is no such file.
	S3SecretKey secret `name:"s3-secret-key" kong:"-"`
}

// The kmsSettings say which key management service wraps the pods' keys, with a key
// that never leaves it, instead of a master key that is here: one that speaks the
// Transit API of OpenBao and Vault. What was wrapped before is still read; "skrin
// rotate" has the service wrap it, and what an older version of its key has wrapped.
type kmsSettings struct {
	// URL of the engine, like https://vault.example.se:8200/v1/transit.
	URL string `name:"url"`
	// Name of the key, of a type that takes associated data, like aes256-gcm96.
	Key string
	// File with the token, which may encrypt and decrypt with that key.
	TokenFile string `type:"path"`
	// The token, where there is no such file.
	Token secret `kong:"-"`
}

// The tlsSettings say how people's connections are encrypted. Without any, the
// proxy in front does it.
type tlsSettings struct {
	// File with the certificate and those between it and the root, in PEM. It is read
	// again when it has changed.
	Cert string `type:"path"`
	// File with the certificate's private key, in PEM.
	Key string `type:"path"`
	// Let an authority that speaks ACME (RFC 8555) certify the host of the base URL:
	// the URL of its directory, or "letsencrypt", to whose terms you agree thereby.
	ACME string `name:"acme"`
	// Address to which that authority writes when a certificate is about to end.
	Mail string
}

// The limitSettings bound what a request, a client, an address and a pod may cost.
// Rates are written like 600/1m: so many at once, and as many each minute after;
// "none" is no bound. Rates and requests at once are those of one process.
type limitSettings struct {
	// The largest resource.
	Body size `standard:"512MiB"`
	// The largest RDF document.
	RDF size `name:"rdf" standard:"8MiB"`
	// The largest of these in JSON-LD, which takes thirty times as long to read.
	JSONLD size `name:"jsonld" standard:"1MiB"`
	// Documents in JSON-LD of more than 64 KiB that are read at once, each by one
	// processor; 32 more wait for 10 s, others are told to come back (503).
	Costly int `standard:"2"`
	// The largest patch.
	Patch size `standard:"1MiB"`
	// All that a pod's resources may hold. What would go beyond it is refused with
	// status 507. 0 for no bound.
	Quota size `standard:"5GiB"`
	// The header fields of a request.
	Header size `standard:"64KiB"`
	// How long the header fields may take.
	HeaderTime time.Duration `standard:"10s"`
	// How long a client may take for 32 kB of a body or an answer.
	Stall time.Duration `standard:"1m"`
	// How long a connection may be idle.
	Idle time.Duration `standard:"2m"`
	// Connections that are open at once; others wait.
	Connections int `standard:"20000"`
	// Requests that are answered at once; others are told to come back (503).
	Requests int `standard:"1024"`
	// Memory that the process may take, of which each open connection counts with what
	// its header fields may have. Near it, requests are told to come back (503) and new
	// connections are closed, until there is more again. 256MiB at least; 0 for no bound.
	Memory size `standard:"0"`
	// Requests from one address (of IPv6, from one /64). Behind a proxy whose
	// X-Forwarded-For isn't believed, all people have one address.
	Address rate `standard:"1800/1m"`
	// Requests from one address to the OpenID provider (/.oidc/): each costs a
	// signature or two. A party behind one address keeps its tokens while they are good.
	OAuth rate `name:"oauth" standard:"600/1m"`
	// Documents that are fetched from other servers for one address: of people, issuers,
	// groups and apps that its requests name, and that aren't known from minutes before.
	// Who signs in from elsewhere for the first time costs three. What goes beyond it
	// isn't fetched (429; who is in a group elsewhere is then in none).
	Lookups rate `standard:"120/1m"`
	// Requests of one client: a party, or an app of a person.
	Client rate `standard:"6000/1m"`
	// Requests for one pod: so many of its owner, of each party, of all others who say
	// who they are, and of strangers. None of these uses up what another has.
	Pod rate `standard:"6000/1m"`
	// Requests of one address that are answered at once; others are told to wait.
	AddressRequests int `standard:"256"`
	// Apps that register from one address. "none" would let anybody fill the store,
	// and is for the demo only.
	Registrations rate `standard:"60/2m"`
	// Attempts to sign in from one address. "none" is for the demo only.
	Logins rate `standard:"30/1m"`
	// Changes of people's numbers that one register tells of; also what one address
	// may try.
	Numbers rate `standard:"600/1m"`
	// What one party may read of the people here: more is refused, and reported in
	// the log and the metric skrin_bulk_reads_total.
	Bulk rate `standard:"20000/1h"`
	// Parties that may read more or less than that, like exempel-forsakring=500/1h.
	BulkParty []string
}

// The logSettings say what is written to standard error, as JSON. No WebID, path of
// a pod, personal number or token is ever written.
type logSettings struct {
	// The least that is written: debug, info, warn or error.
	Level string `standard:"info"`
	// Write a line for each request: its route, status, time and id.
	Requests bool `standard:"true" negatable:""`
	// Write the client's address in that line. It is personal data: say why in your
	// records before you turn it on.
	Addresses bool
}

// The traceSettings say where OpenTelemetry traces go.
type traceSettings struct {
	// URL to which they are sent by OTLP over HTTP (JSON), like
	// http://collector:4318/v1/traces. Empty for none.
	Endpoint string
	// The share of requests that are traced, from 0 to 1.
	Share float64 `standard:"0.01"`
}
