// SPDX-License-Identifier: EUPL-1.2

package login

import (
	"context"
	"errors"
	"fmt"
)

// Known returns the identities that the vault has of a person, without the
// numbers; nothing for one who has none.
func (v *Vault) Known(ctx context.Context, person string) ([]Identity, error) {
	rec, err := v.load(ctx, person)
	if err != nil && !errors.Is(err, ErrNoIdentity) {
		return nil, fmt.Errorf("identities of a person: %w", err)
	}
	var all []Identity
	for _, s := range rec.list {
		all = append(all, s.identity())
	}
	return all, nil
}

// Forget removes all identities of a person: whoever comes with one of them again
// is somebody new. The ways to the person go first, so that what is interrupted
// can be done again. To forget twice is no error.
func (v *Vault) Forget(ctx context.Context, person string) error {
	rec, err := v.load(ctx, person)
	if errors.Is(err, ErrNoIdentity) {
		return nil
	}
	for _, s := range rec.list {
		if err == nil {
			err = v.records.Delete(ctx, kindLookup, s.Find)
		}
	}
	if err == nil {
		err = v.records.Delete(ctx, kindPerson, person)
	}
	if err != nil {
		return fmt.Errorf("forget a person: %w", err)
	}
	return nil
}

// Forget removes all passkeys and recovery codes of a person. To forget twice is no
// error.
func (p *Passkeys) Forget(ctx context.Context, person string) error {
	h, err := p.load(ctx, person)
	if err != nil {
		return fmt.Errorf("forget passkeys: %w", err)
	}
	for _, d := range h.Codes {
		err = errors.Join(err, p.o.Records.Delete(ctx, kindRecovery, d))
	}
	if h.Handle != nil {
		err = errors.Join(err, p.o.Records.Delete(ctx, kindHandle, digest(string(h.Handle))))
	}
	if err == nil {
		err = p.o.Records.Delete(ctx, kindPasskeys, person)
	}
	if err != nil {
		return fmt.Errorf("forget passkeys: %w", err)
	}
	return nil
}
