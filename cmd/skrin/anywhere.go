// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"skrin/cmd/skrin/parties"
	"skrin/ldp"
	"skrin/ldp/client"
	"skrin/pod/registry"
)

// An anywhere is what commands take that can also be sent to a server over HTTP, by
// an operator with a key; else they are done on the server's machine, by whoever may
// open the directory.
type anywhere struct {
	operated `embed:""`
	Server   string `help:"Issuer of a server that is to be asked over HTTP, like https://pod.example.se; then --operator and --key are needed, and nothing else."`
	Operator string `help:"The id with which the operator is registered."`
	Key      string `help:"File with the operator's private key (JWK, or PKCS #8 in PEM)." type:"existingfile"`
}

// outcome does an errand, here or there.
func (c *anywhere) outcome(ctx context.Context, e errand) (outcome, error) {
	if c.Server == "" {
		o, err := c.operated.outcome(ctx, e)
		return o, err
	}
	as, err := c.client()
	if err != nil {
		return outcome{}, err
	}
	shown := newBar(c.JSON)
	defer shown.end()
	e.told = shown.show
	return remotely{as, c.Server + adminPath}.do(ctx, e)
}

// do does an errand and tells its outcome.
func (c *anywhere) do(ctx context.Context, e errand, say func(outcome) string) error {
	o, err := c.outcome(ctx, e)
	if err != nil {
		return err
	}
	return c.tell(o, say)
}

func (c *anywhere) client() (*client.Client, error) {
	if c.Operator == "" || c.Key == "" {
		return nil, errors.New("--server needs --operator and --key")
	}
	k := partyKey{c.Key}
	key, err := k.signing()
	if err != nil {
		return nil, err
	}
	proofs, err := k.dpop()
	if err != nil {
		return nil, err
	}
	return &client.Client{
		HTTP: &http.Client{Timeout: 20 * time.Second}, Issuer: c.Server, ID: c.Operator, Key: key, DPoP: proofs, Scope: adminScope, Now: time.Now,
	}, nil
}

// A remotely does errands by the admin API at an address.
type remotely struct {
	as *client.Client
	at string
}

// A call is one request to the admin API.
type call struct {
	method, path string
	body         []byte
	only         bool // make, and don't replace
}

// called returns the request that an errand is.
func (e *errand) called() (call, error) {
	body := func(v any) []byte { b, _ := json.Marshal(v); return b } // of strings and bools, which can't fail
	id := url.PathEscape(e.Party)
	switch e.Do {
	case "party list":
		return call{method: "GET", path: "parties/"}, nil
	case "party show":
		return call{method: "GET", path: "parties/" + id}, nil
	case "party add":
		return call{method: "PUT", path: "parties/" + url.PathEscape(e.on()), body: e.Text, only: e.Only}, nil
	case "party renew":
		return call{method: "POST", path: "parties/" + id + "/renew", body: body(map[string]string{"until": e.Until})}, nil
	case "party revoke":
		return call{method: "DELETE", path: "parties/" + id}, nil
	case "pod list":
		return call{method: "GET", path: "pods/?" + url.Values{"after": {e.After}, "most": {strconv.Itoa(e.Most)}}.Encode()}, nil
	case "pod show":
		return call{method: "GET", path: "pods/" + url.PathEscape(e.Pod)}, nil
	case "erase":
		return call{method: "DELETE", path: "pods/" + url.PathEscape(e.Pod)}, nil
	case "type list":
		return call{method: "GET", path: "types/"}, nil
	case "type show":
		return call{method: "GET", path: "types/" + url.PathEscape(e.Type)}, nil
	case "sign anew", "replace signing keys":
		return call{method: "POST", path: "keys/rotate", body: body(map[string]bool{"stolen": e.Do != "sign anew"})}, nil
	case "log operator":
		return call{method: "GET", path: "log?" + url.Values{"holds": {e.Holds}}.Encode()}, nil
	case "approvals":
		if e.Approve == "" {
			return call{method: "GET", path: "approvals/"}, nil
		}
		return call{method: "POST", path: "approvals/" + url.PathEscape(e.Approve)}, nil
	case "backup", "fsck", "rotate", "stats":
		return call{method: "POST", path: "jobs/", body: body(map[string]string{"do": e.Do})}, nil
	}
	return call{}, errors.New("this is done on the server's machine alone, and not over HTTP")
}

// do sends an errand, and waits for its outcome.
func (r remotely) do(ctx context.Context, e errand) (o outcome, err error) {
	if strings.Contains(e.Pod, "://") {
		found, err := r.answer(ctx, errand{Do: "pod show"}, call{method: "GET", path: "pods/?" + url.Values{"at": {e.Pod}}.Encode()})
		if err != nil {
			return o, err
		}
		if len(found.Holdings) != 1 {
			return o, errors.New("there is no such pod")
		}
		e.Pod = found.Holdings[0].ID
	}
	c, err := e.called()
	if err != nil {
		return o, err
	}
	return r.answer(ctx, e, c)
}

// send sends a request; what is no success is an error with what the server says.
func (r remotely) send(ctx context.Context, c call) (text []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, c.method, r.at+c.path, bytes.NewReader(c.body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if c.only {
		req.Header.Set("If-None-Match", "*")
	}
	resp, err := r.as.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if text, err = io.ReadAll(io.LimitReader(resp.Body, 8<<20)); err != nil {
		return nil, err
	}
	var p struct {
		Detail string   `json:"detail"`
		Errors []string `json:"errors"`
	}
	switch {
	case resp.StatusCode >= 300:
		_ = json.Unmarshal(text, &p) // what else it may be is said by the status
		return nil, fmt.Errorf("the server answers %d. %w", resp.StatusCode, said(&ldp.Fault{Detail: p.Detail, Errors: p.Errors}))
	case resp.StatusCode == http.StatusAccepted:
		var waits approval
		if err := json.Unmarshal(text, &waits); err != nil {
			return nil, err
		}
		return nil, waits.waits(r.as.ID)
	}
	return text, nil
}

// answer reads what the server answers to an errand.
func (r remotely) answer(ctx context.Context, e errand, c call) (o outcome, err error) {
	text, err := r.send(ctx, c)
	if err != nil {
		return o, err
	}
	switch {
	case c.path == "jobs/":
		return r.wait(ctx, e, text)
	case strings.HasPrefix(e.Do, "party ") && e.Do != "party list":
		o.Parties = make([]parties.Listing, 1)
		return o, json.Unmarshal(text, &o.Parties[0])
	case e.Do == "approvals" && e.Approve != "":
		o.Approvals = make([]approval, 1)
		return o, json.Unmarshal(text, &o.Approvals[0])
	case e.Do == "pod show" && c.path != "" && !strings.HasPrefix(c.path, "pods/?"):
		o.Holdings = make([]holding, 1)
		return o, json.Unmarshal(text, &o.Holdings[0])
	case e.Do == "type show":
		o.Types = []*registry.EvidenceType{{}}
		return o, json.Unmarshal(text, o.Types[0])
	}
	return o, json.Unmarshal(text, &o)
}

// wait asks how a job is going until it ends.
func (r remotely) wait(ctx context.Context, e errand, text []byte) (outcome, error) {
	for {
		var j job
		if err := json.Unmarshal(text, &j); err != nil {
			return outcome{}, err
		}
		switch {
		case j.State == jobDone && j.Outcome != nil:
			return *j.Outcome, nil
		case j.State != jobRuns:
			return outcome{}, fmt.Errorf("%s is %s: %s", j.Do, j.State, j.Fault)
		case j.Step != nil:
			e.tell(*j.Step)
		}
		select {
		case <-ctx.Done():
			return outcome{}, ctx.Err()
		case <-time.After(time.Second):
		}
		var err error
		if text, err = r.send(ctx, call{method: "GET", path: "jobs/" + url.PathEscape(j.ID)}); err != nil {
			return outcome{}, err
		}
	}
}
