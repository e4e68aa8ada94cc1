// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"skrin/pod/registry"
)

// configCommand is about the settings.
type configCommand struct {
	Check   configCheckCommand   `cmd:"" help:"Explain each fault of the settings, and print what is in force and where it was set."`
	Example configExampleCommand `cmd:"" help:"Print a file of settings, with the manual."`
}

// configCheckCommand obeys the same flags as serve.
type configCheckCommand struct {
	printed
	serveOptions `embed:""`
}

var errSettings = errors.New("the server would not start with these settings")

// Run obeys kong.
func (c *configCheckCommand) Run() error {
	s := c.settle()
	if len(s.faults) == 0 {
		s.checkFiles()
	}
	checked := s.checked()
	if err := c.print(os.Stdout, checked, checked.String()); err != nil {
		return err
	}
	if len(s.faults) > 0 {
		return errSettings
	}
	return nil
}

// checkFiles adds what is wrong with the files that the settings name.
func (s *settled) checkFiles() {
	c, err := s.config()
	if f, ok := errors.AsType[fault](err); ok {
		s.faults = append(s.faults, f)
		return
	}
	wrong := func(name string, err error) {
		if err != nil {
			s.faults = append(s.faults, s.at(name, err).(fault))
		}
	}
	types, err := c.catalogue()
	wrong("types", err)
	_, err = loadOperators(c.Operators, time.Now())
	wrong("operators", err)
	if c.Parties != "" {
		wrong("parties", registry.LoadParties(os.DirFS(c.Parties), ".", c.Base, registry.NewParties(time.Now), nil))
	}
	levels, err := (&server{config: c}).ladders()
	wrong("eids", err)
	if err == nil && types != nil {
		_, err = loadSteps(c.Steps, levels, types)
		wrong("steps", err)
	}
}

// The checked settings are what is in force, and what is wrong with it.
type checked struct {
	Settings []setting `json:"settings"`
	Faults   []fault   `json:"faults"`
}

// A setting is one that is in force, and where it was set.
type setting struct {
	Name  string `json:"name"` // as in the file
	Value string `json:"value"`
	From  string `json:"from,omitempty"` // as fault.At; "" for the standard
}

// checked tells what is in force. Secrets are masked.
func (s *settled) checked() checked {
	c := checked{Faults: append([]fault{}, s.faults...)}
	for _, o := range s.options() {
		c.Settings = append(c.Settings, setting{o.path, masked(o), s.from[o.name]})
	}
	return c
}

// String implements fmt.Stringer.
func (c checked) String() string {
	var b strings.Builder
	for _, s := range c.Settings {
		fmt.Fprintf(&b, "%-24s %-34s %s\n", s.Name, s.Value, cmp.Or(s.From, "-"))
	}
	for _, f := range c.Faults {
		b.WriteString("\n" + f.Error())
	}
	if len(c.Faults) == 0 {
		b.WriteString("\nNo fault.")
	}
	return b.String()
}

// masked returns the value without the secrets in it: a password in a URL is one.
func masked(o option) string {
	text := o.text()
	if u, err := url.Parse(text); err == nil && u.User != nil {
		return u.Redacted()
	}
	return text
}

// configExampleCommand prints the manual as a file.
type configExampleCommand struct{}

// Run obeys kong.
func (configExampleCommand) Run() error { return writeExample(os.Stdout) }

// writeExample writes a file that sets everything to its standard, with what the
// manual says. What has no standard is commented out.
func writeExample(to io.Writer) error {
	w, told, group := bufio.NewWriter(to), manual(), ""
	fmt.Fprintf(w, "# Skrin's settings. %s\n", wrapped(told[""], "# "))
	for _, o := range new(settings).options() {
		before, name, nested := strings.Cut(o.path, ".")
		indent := "  "
		if !nested {
			before, name, indent = "", o.path, ""
		}
		if before != "" && before != group {
			fmt.Fprintf(w, "\n# %s\n%s:\n", wrapped(told[before+"-"], "# "), before)
		} else if before == "" {
			fmt.Fprintln(w)
		}
		group = before
		fmt.Fprintf(w, "%s# %s\n", indent, wrapped(told[o.name], indent+"# "))
		switch {
		case o.secret():
			fmt.Fprintf(w, "%s# In the environment alone: %s\n", indent, o.env())
		case o.standard != "":
			fmt.Fprintf(w, "%s%s: %s\n", indent, name, o.standard)
		default:
			fmt.Fprintf(w, "%s# %s: %s\n", indent, name, o.text())
		}
	}
	return w.Flush()
}

// wrapped breaks text into lines of some 90 characters.
func wrapped(text, indent string) string {
	var b strings.Builder
	column := 0
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case column+len(word) > 90-len(indent):
			b.WriteString("\n" + indent)
			column = 0
		default:
			b.WriteByte(' ')
		}
		b.WriteString(word)
		column += len(word) + 1
	}
	return b.String()
}

// check adds what is wrong with the settings, or unsafe, to the faults.
func (s *settled) check() {
	refuse := func(name, says string) {
		path := strings.Replace(name, "-", ".", 1)
		for _, o := range s.options() {
			if o.name == name {
				path = o.path
			}
		}
		s.faults = append(s.faults, fault{s.from[name], path, says})
	}
	s.checkBase(refuse)
	for name, value := range map[string]string{
		"dir":      s.Dir,
		"key-file": s.KeyFile + string(s.MasterKey),
	} {
		if value == "" {
			refuse(name, map[string]string{
				"dir":      "say where everything is to be kept",
				"key-file": "there is no master key: make one with \"skrin key\", and name its file",
			}[name])
		}
	}
	if s.Contact != "" && !strings.HasPrefix(s.Contact, "https://") && !strings.HasPrefix(s.Contact, "mailto:") {
		refuse("contact", "want an address that begins with https:// or mailto:")
	}
	for name, address := range map[string]string{"privacy": s.Privacy, "accessibility": s.Accessibility} {
		if address != "" && !strings.HasPrefix(address, "https://") {
			refuse(name, "want an address that begins with https://")
		}
	}
	if _, err := networks(s.Proxies); err != nil {
		refuse("proxies", err.Error())
	}
	if _, err := rates(s.Limit.BulkParty); err != nil {
		refuse("limit-bulk-party", err.Error())
	}
	if new(slog.Level).UnmarshalText([]byte(s.Log.Level)) != nil {
		refuse("log-level", "it is debug, info, warn or error")
	}
	for _, o := range s.options() {
		if o.value.Interface() == any(size(0)) && o.name != "limit-quota" && o.name != "limit-memory" {
			refuse(o.name, "it must be more than 0")
		}
	}
	if s.Limit.Memory != 0 && s.Limit.Memory < leastMemory {
		refuse("limit-memory", "it must be at least "+leastMemory.String()+", or 0 for no bound")
	}
	if s.Limit.Registrations.N == 0 {
		refuse("limit-registrations", "open registration of apps is for the demo only: anybody could fill the store")
	}
	if s.Limit.Logins.N == 0 {
		refuse("limit-logins", "unlimited attempts to sign in are for the demo only")
	}
	if (s.Postgres == "") != (s.S3 == "") {
		refuse("postgres", "a cluster needs both a database (postgres) and a bucket (s3)")
	}
	if s.KeyFile != "" && s.MasterKey != "" {
		refuse("key-file", "the master key comes from this file or from the environment, not from both")
	}
	if (s.KMS.URL == "") != (s.KMS.Key == "") || (s.KMS.URL == "") != (s.KMS.TokenFile+string(s.KMS.Token) == "") {
		refuse("kms-url", "a key management service needs its URL, the name of a key and a token")
	}
	if (s.Backups == "") != (s.BackupKeys == "") || s.Backups != "" && s.Backups == s.BackupKeys {
		refuse("backups", "backups and backup-keys belong together, and are two folders")
	}
	s.checkListeners(refuse)
}

func (s *settled) checkBase(refuse func(name, says string)) {
	if s.Base == "" {
		refuse("base", "say what people's URLs begin with, like https://pod.example.se")
		return
	}
	c := config{Base: s.Base, Apart: s.PodOrigin, Dir: "-", Key: make([]byte, keySize)}
	if err := c.check(); err != nil {
		name := "base"
		if strings.HasPrefix(err.Error(), "pod origin") {
			name = "pod-origin"
		}
		refuse(name, err.Error())
	}
}

func (s *settled) checkListeners(refuse func(name, says string)) {
	host, _, err := net.SplitHostPort(s.Listen)
	if err != nil {
		refuse("listen", "want an address and a port, like 127.0.0.1:8080")
	}
	for name, address := range map[string]string{"admin": s.Admin, "redirect": s.Redirect} {
		if _, _, err := net.SplitHostPort(address); err != nil && address != "" {
			refuse(name, "want an address and a port, like 127.0.0.1:9090")
		}
	}
	ip, _ := netip.ParseAddr(host)
	switch files := s.TLS.Cert != "" && s.TLS.Key != ""; {
	case (s.TLS.Cert != "") != (s.TLS.Key != ""):
		refuse("tls-cert", "a certificate needs its private key, and the key its certificate: set tls.cert and tls.key")
	case files && s.TLS.ACME != "":
		refuse("tls-acme", "either a certificate in files or one by ACME")
	case !files && s.TLS.ACME == "" && len(s.Proxies) == 0 && !ip.IsLoopback() && host != "localhost":
		refuse("listen", "people's connections would not be encrypted: set tls.cert and tls.key, or tls.acme, or say in proxies which proxy ends TLS")
	}
}

// networks reads the networks of the proxies.
func networks(names []string) (all []netip.Prefix, err error) {
	known := map[string][]string{
		"loopback": {"127.0.0.0/8", "::1/128"},
		"private":  {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "127.0.0.0/8", "::1/128"},
	}
	for _, name := range names {
		list, ok := known[name]
		if !ok {
			list = []string{name}
		}
		for _, text := range list {
			if ip, err := netip.ParseAddr(text); err == nil {
				all = append(all, netip.PrefixFrom(ip, ip.BitLen()))
				continue
			}
			p, err := netip.ParsePrefix(text)
			if err != nil || p.Bits() == 0 {
				return nil, fmt.Errorf("%q is not a network like 10.0.0.0/8, nor \"loopback\" or \"private\"", text)
			}
			all = append(all, p.Masked())
		}
	}
	return all, nil
}

// rates reads party=rate.
func rates(texts []string) (map[string]rate, error) {
	all := map[string]rate{}
	for _, text := range texts {
		party, of, ok := strings.Cut(text, "=")
		var r rate
		if !ok || party == "" {
			return nil, fmt.Errorf("%q: want a party's id and a rate, like exempel-forsakring=500/1h", text)
		}
		if err := r.UnmarshalText([]byte(of)); err != nil {
			return nil, fmt.Errorf("%q: %w", text, err)
		}
		all[party] = r
	}
	return all, nil
}
