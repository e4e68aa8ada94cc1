// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/acl"
	"skrin/auth/provider"
	"skrin/cmd/skrin/parties"
)

// An operatorFile is who may use the admin API, as it is written in a file of the
// folder --operators.
type operatorFile struct {
	ID    string             `json:"id"` // also the client_id
	Name  string             `json:"name"`
	Keys  jose.JSONWebKeySet `json:"jwks"`  // public
	Until string             `json:"until"` // last day, "2027-12-31"
	May   []string           `json:"may"`   // as below, besides looking and approving; without it, "parties"
}

// What an operator may do over HTTP.
const (
	mayParties = "parties" // change the register
	mayPods    = "pods"    // list pods, see how much one holds, erase one
	mayKeys    = "keys"    // rotate the keys that sign, or replace them
	mayJobs    = "jobs"    // have work done that takes long: backup, fsck, rotate, stats
)

// operators are those of the folder, by id. Without a folder there are none, and
// no admin API.
type operators map[string]operator

type operator struct {
	operatorFile
	until time.Time
}

func (o operators) has(id string) bool { _, ok := o[id]; return ok }

// may says whether an operator may do that.
func (o operators) may(id, what string) bool { return what == "" || slices.Contains(o[id].May, what) }

// client shows an operator to the OpenID provider: it may have tokens for the
// admin API, and nothing else. It is no agent that anybody could give rights to,
// as its tokens are for no other audience.
func (o operators) client(id, base string, now time.Time) (provider.Client, bool) {
	op, ok := o[id]
	if !ok || !now.Before(op.until) {
		return provider.Client{}, false
	}
	return provider.Client{
		ID: op.ID, Name: op.Name, WebID: acl.WebID(base + adminPath + "operators/" + op.ID + "#it"), KeySet: func(string) jose.JSONWebKeySet { return op.Keys },
		Scope: adminScope, Audience: base + adminPath,
	}, true
}

var operatorID = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)

// loadOperators reads the folder. What isn't safe stops the server.
func loadOperators(folder string, now time.Time) (operators, error) {
	if folder == "" {
		return nil, nil
	}
	names, err := fs.Glob(os.DirFS(folder), "*.json")
	if err != nil {
		return nil, err
	}
	all := operators{}
	for _, name := range names {
		text, err := os.ReadFile(path.Join(folder, name))
		if err != nil {
			return nil, err
		}
		op, err := readOperator(text, now)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if all.has(op.ID) {
			return nil, fmt.Errorf("%s: there are two operators %q", name, op.ID)
		}
		all[op.ID] = op
	}
	return all, nil
}

func readOperator(text []byte, now time.Time) (op operator, err error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&op.operatorFile); err != nil {
		return op, err
	}
	last, err := time.Parse(time.DateOnly, op.Until)
	op.until = last.AddDate(0, 0, 1)
	if op.May == nil {
		op.May = []string{mayParties}
	}
	unknown := func(what string) bool {
		return !slices.Contains([]string{mayParties, mayPods, mayKeys, mayJobs}, what)
	}
	switch {
	case slices.ContainsFunc(op.May, unknown):
		return op, errors.New("may: parties, pods, keys and jobs are what there is")
	case err != nil:
		return op, errors.New("until: a day like 2027-12-31 is needed")
	case op.until.After(now.AddDate(3, 0, 0)):
		return op, errors.New("until: an operator is registered for 3 years at most")
	case !operatorID.MatchString(op.ID):
		return op, errors.New("the id must be of a-z, 0-9 and -, at most 64")
	case op.ID == local:
		return op, errors.New("the id local means whoever works on the server's machine")
	case op.Name == "" || len(op.Keys.Keys) == 0:
		return op, errors.New("name and jwks are needed")
	}
	for _, k := range op.Keys.Keys {
		if !k.IsPublic() {
			return op, fmt.Errorf("jwks: key %q isn't public: the private one stays with the operator", k.KeyID)
		}
		if !parties.Good(k) {
			return op, fmt.Errorf("jwks: key %q isn't for signatures, or is too weak: want P-256, P-384, Ed25519, or RSA of 2,048 bits, with a kid", k.KeyID)
		}
	}
	return op, nil
}
