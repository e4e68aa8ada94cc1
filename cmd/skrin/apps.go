// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"errors"
	"fmt"

	"skrin/acl"
	"skrin/auth/provider"
	"skrin/ldp"
	"skrin/pod"
	"skrin/pod/notify"
	"skrin/pod/store"
	"skrin/pod/web"
)

// apps shows on a person's pages what the OpenID provider lets act in her name.
// It implements web.Apps.
type apps struct {
	*provider.Provider
	pod *pod.Pod
	hub *notify.Hub
}

func (a apps) Apps(ctx context.Context, webID acl.WebID) ([]web.Helper, error) {
	all, err := a.Approvals(ctx, webID)
	var out []web.Helper
	for _, one := range all {
		out = append(out, web.Helper{ID: one.Client, Name: one.Name, Since: one.Since})
	}
	return out, err
}

func (a apps) RemoveApp(ctx context.Context, webID acl.WebID, id string) error {
	if err := a.Disapprove(ctx, webID, id); err != nil {
		return err
	}
	a.hub.End(webID, id)
	err := a.pod.EndChannels(ctx, acl.Agent{ID: webID, Issuer: a.Base}, id)
	if errors.Is(err, store.ErrNoPod) || errors.Is(err, ldp.Forbidden) {
		return nil // her pod is not here
	}
	return err
}

func (a apps) Scripts(ctx context.Context, person string) ([]web.Helper, error) {
	all, err := a.Provider.Scripts(ctx, person)
	var out []web.Helper
	for _, one := range all {
		out = append(out, web.Helper{ID: one.ID, Name: one.Name, Since: one.Made})
	}
	return out, err
}

func (a apps) RemoveScript(ctx context.Context, person, id string) error {
	err := a.Provider.RemoveScript(ctx, person, id)
	a.hub.End("", id) // nobody else has a script of that id
	return err
}

func (a apps) NewScript(ctx context.Context, person string, webID acl.WebID, name string) (id, secret string, err error) {
	id, secret, err = a.Provider.NewScript(ctx, person, webID, name)
	if errors.Is(err, provider.ErrTooMany) {
		return "", "", fmt.Errorf("%w: %w", err, ldp.Conflict)
	}
	return id, secret, err
}
