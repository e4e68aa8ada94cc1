// SPDX-License-Identifier: EUPL-1.2

package auth

import (
	"context"
	"errors"
)

// ErrSpent is that whoever asks has had as much as it may, for now.
var ErrSpent = errors.New("who asks has had as much as it may, for now")

type allowanceKey struct{}

// WithAllowance returns a context for one request. Before a document is fetched for
// it, spend is asked: by [Fetch], and so by a [Foreign]. An error for which
// errors.Is(err, ErrSpent) is the asker's alone: nothing is fetched, and nothing is
// remembered of the document. Without an allowance there is no bound.
func WithAllowance(ctx context.Context, spend func() error) context.Context {
	return context.WithValue(ctx, allowanceKey{}, spend)
}

func spend(ctx context.Context) error {
	if ask, ok := ctx.Value(allowanceKey{}).(func() error); ok {
		return ask()
	}
	return nil
}
