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
	"strings"
	"sync"
	"time"

	"skrin/ldp"
	"skrin/pod/sealed"
)

// A kms is a sealed.Master whose master key is in a key management service that
// speaks the Transit API of OpenBao and Vault, and never leaves it: each pod's key is
// wrapped and unwrapped there. What former, a Master with keys at hand, has wrapped
// is still unwrapped; it is old. So is what another version than the newest of the
// service's key has wrapped: to rotate, make a new version there and run "skrin
// rotate". Where the service doesn't answer, pods whose keys aren't in memory are
// unavailable.
type kms struct {
	http   *http.Client
	url    string // of the engine, without a slash at the end
	key    string // its name
	token  string
	former sealed.Master

	mu     sync.Mutex
	newest string // what the newest version's ciphertexts begin with, like "vault:v2:"
	asked  time.Time
}

// kmsFresh is for how long the newest version is believed to be that.
const kmsFresh = 30 * time.Second

// openKMS returns the service, if it wraps and unwraps.
func openKMS(ctx context.Context, url, key, token string, former sealed.Master) (*kms, error) {
	if !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "http://127.0.0.1:") || key == "" || token == "" {
		return nil, errors.New("a key management service needs a URL with https://, the name of a key, and a token")
	}
	k := &kms{http: &http.Client{Timeout: 10 * time.Second}, url: strings.TrimSuffix(url, "/"), key: key, token: token, former: former}
	probe := make([]byte, sealed.KeySize)
	wrapped, err := k.Wrap(ctx, "probe", probe)
	if err != nil {
		return nil, err
	}
	if back, old, err := k.Unwrap(ctx, "probe", wrapped); err != nil || old || !bytes.Equal(back, probe) {
		return nil, fmt.Errorf("the key management service doesn't unwrap what it has just wrapped: %w", err)
	}
	if _, _, err := k.Unwrap(ctx, "another", wrapped); err == nil {
		return nil, errors.New("the key management service doesn't bind a pod's key to the pod: its key must be of a type that takes associated_data, like aes256-gcm96")
	}
	return k, nil
}

// A transit is what is sent to the service, and what it answers.
type transit struct {
	Plaintext  []byte `json:"plaintext,omitempty"`
	Ciphertext string `json:"ciphertext,omitempty"`
	Bound      []byte `json:"associated_data,omitempty"`
}

// call does one thing with the key.
func (k *kms) call(ctx context.Context, do string, in transit) (out transit, err error) {
	body, err := json.Marshal(in)
	if err != nil {
		return out, err
	}
	req, err := http.NewRequestWithContext(ctx, "POST", k.url+"/"+do+"/"+k.key, bytes.NewReader(body))
	if err != nil {
		return out, err
	}
	req.Header.Set("X-Vault-Token", k.token)
	req.Header.Set("X-Vault-Request", "true")
	req.Header.Set("Content-Type", "application/json")
	resp, err := k.http.Do(req)
	if err != nil {
		return out, fmt.Errorf("the key management service: %w: %w", ldp.Unavailable, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return out, fmt.Errorf("the key management service: %w: it answers %s", ldp.Unavailable, resp.Status)
	}
	var answer struct{ Data transit }
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<16)).Decode(&answer); err != nil {
		return out, fmt.Errorf("the key management service: %w", err)
	}
	return answer.Data, nil
}

func boundToPod(pod string) []byte { return []byte("skrin pod key 1\x00" + pod) }

// Wrap implements sealed.Master.
func (k *kms) Wrap(ctx context.Context, pod string, key []byte) ([]byte, error) {
	out, err := k.call(ctx, "encrypt", transit{Plaintext: key, Bound: boundToPod(pod)})
	if err != nil {
		return nil, err
	}
	version, ok := versionOf(out.Ciphertext)
	if !ok {
		return nil, errors.New("the key management service answers what is no ciphertext")
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.newest, k.asked = version, time.Now()
	return []byte(out.Ciphertext), nil
}

// versionOf returns what a ciphertext begins with: "vault:v2:" of the key's second
// version.
func versionOf(ciphertext string) (string, bool) {
	parts := strings.SplitN(ciphertext, ":", 3)
	if len(parts) != 3 || parts[0] != "vault" || !strings.HasPrefix(parts[1], "v") {
		return "", false
	}
	return parts[0] + ":" + parts[1] + ":", true
}

// Unwrap implements sealed.Master.
func (k *kms) Unwrap(ctx context.Context, pod string, wrapped []byte) (key []byte, old bool, err error) {
	version, ok := versionOf(string(wrapped))
	if !ok {
		key, _, err := k.former.Unwrap(ctx, pod, wrapped)
		return key, true, err
	}
	out, err := k.call(ctx, "decrypt", transit{Ciphertext: string(wrapped), Bound: boundToPod(pod)})
	if err != nil {
		return nil, false, err
	}
	if len(out.Plaintext) != sealed.KeySize {
		return nil, false, errors.New("the key management service answers what is no key of a pod")
	}
	newest, err := k.version(ctx)
	return out.Plaintext, version != newest, err
}

// version returns what the newest version's ciphertexts begin with.
func (k *kms) version(ctx context.Context) (string, error) {
	k.mu.Lock()
	newest, asked := k.newest, k.asked
	k.mu.Unlock()
	if time.Since(asked) < kmsFresh {
		return newest, nil
	}
	wrapped, err := k.Wrap(ctx, "probe", make([]byte, sealed.KeySize))
	newest, _ = versionOf(string(wrapped))
	return newest, err
}
