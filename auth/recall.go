// SPDX-License-Identifier: EUPL-1.2

package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// failureLife is how soon what failed is tried again.
const failureLife = 30 * time.Second

// A Recall remembers values that are fetched from afar, by their key; failures
// too, for half a minute. Each value is fetched by one caller at a time, the
// others wait for it. It is safe for concurrent use.
type Recall[K comparable, V any] struct {
	generations[K, *fetched[V]]
}

// NewRecall makes a Recall of at most the given number of values.
func NewRecall[K comparable, V any](entries int) *Recall[K, V] {
	r := &Recall[K, V]{}
	r.half = entries / 2
	return r
}

// Get returns the value, fetched again if it is older than life, or if it could
// not be fetched half a minute ago.
func (r *Recall[K, V]) Get(key K, now time.Time, life time.Duration, fetch func() (V, error)) (V, error) {
	return r.GetOrKept(key, now, life, 0, fetch)
}

// ErrRevoked is what a fetch answers where it has learnt that the value that was
// good before is good no more.
var ErrRevoked = errors.New("what was known before is good no more")

// GetOrKept is Get; but while the value can't be fetched, the last that could is
// returned until it is so old as kept, unless the error is ErrRevoked.
func (r *Recall[K, V]) GetOrKept(key K, now time.Time, life, kept time.Duration, fetch func() (V, error)) (V, error) {
	return r.getOr(key, &fetched[V]{}).get(now, life, kept, fetch)
}

type fetched[V any] struct {
	mu    sync.Mutex
	value V         // the last that could be fetched
	good  time.Time // when; zero for none
	err   error     // of the last fetch
	begun time.Time // of the last fetch
}

func (f *fetched[V]) get(now time.Time, life, kept time.Duration, fetch func() (V, error)) (V, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		life = failureLife
	}
	if f.begun.IsZero() || now.Sub(f.begun) >= life {
		value, err := fetch()
		if errors.Is(err, ErrSpent) { // this says something of who asks, and nothing of the value
			if f.good.IsZero() || now.Sub(f.good) >= kept {
				return value, err
			}
			return f.value, nil
		}
		f.begun, f.err = now, err
		switch {
		case err == nil:
			f.value, f.good = value, now
		case kept == 0 || errors.Is(err, ErrRevoked):
			f.value, f.good = value, time.Time{}
		}
	}
	if f.err == nil || !f.good.IsZero() && now.Sub(f.good) < kept {
		return f.value, nil
	}
	var none V
	return none, f.err
}

// A Document is what a URL led to.
type Document struct {
	Body      []byte
	MediaType string
	Base      string // the URL after redirects, to which relative references are relative
}

// Fetch gets a document, without the address's fragment, if the allowance of ctx has
// it fetched. The client should be [Guarded]. It goes on when the request that asked has ended: others may wait
// for the same.
func Fetch(ctx context.Context, client *http.Client, address, accept string) (Document, error) {
	u, err := url.Parse(address)
	if err == nil {
		err = spend(ctx)
	}
	if err != nil {
		return Document{}, fmt.Errorf("fetch: %w", withoutURL(err))
	}
	u.Fragment, u.RawFragment = "", ""
	r, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodGet, u.String(), nil)
	if err != nil {
		return Document{}, fmt.Errorf("fetch: %w", withoutURL(err))
	}
	r.Header.Set("Accept", accept)
	resp, err := client.Do(r)
	if err != nil {
		return Document{}, fmt.Errorf("fetch: %w", withoutURL(err))
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return Document{}, fmt.Errorf("fetch: status %d", resp.StatusCode)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return Document{}, fmt.Errorf("fetch: %w", err)
	}
	return Document{body, resp.Header.Get("Content-Type"), resp.Request.URL.String()}, nil
}

// withoutURL is what is wrong with a request, without its address: that may be a
// person's, and errors are logged.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
