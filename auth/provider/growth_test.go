// SPDX-License-Identifier: EUPL-1.2

package provider

import (
	"context"
	"fmt"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"skrin/auth"
)

// counting are Records that count what they are asked.
type counting struct {
	auth.Records
	asked atomic.Int64
}

func (c *counting) Load(ctx context.Context, kind, key string) (auth.Record, error) {
	c.asked.Add(1)
	return c.Records.Load(ctx, kind, key)
}

func (c *counting) Save(ctx context.Context, kind, key string, r auth.Record) error {
	c.asked.Add(1)
	return c.Records.Save(ctx, kind, key, r)
}

func (c *counting) List(ctx context.Context, kind, prefix, after string, limit int) ([]string, error) {
	c.asked.Add(1)
	return c.Records.List(ctx, kind, prefix, after, limit)
}

// TestATokenCostsTheSameHoweverManyThereAre: apps, flows, codes and used proofs. A
// party's token, an app's code and its refreshing ask the records for as much with
// 10,000 others as with 10.
func TestATokenCostsTheSameHoweverManyThereAre(t *testing.T) {
	cost := func(others int) [3]int64 {
		c := &counting{}
		w := newWorld(t, func(o *Options) { c.Records, o.Records = o.Records, c })
		for i := range others {
			for _, kind := range []string{appKind, flowKind, codeKind, onceKind, familyKind, "session"} {
				r := auth.Record{Value: []byte("{}"), Until: time.Now().Add(time.Hour)}
				if err := c.Save(t.Context(), kind, fmt.Sprint("other ", i), r); err != nil {
					t.Fatal(err)
				}
			}
		}
		app := w.newApp(nil)
		code := app.code(nil)
		var asked [3]int64
		measure := func(i int, do func() answer) answer {
			before := c.asked.Load()
			got := do()
			if got.status != 200 {
				t.Fatal(got)
			}
			asked[i] = c.asked.Load() - before
			return got
		}
		measure(0, func() answer {
			return w.post(tokenPath, w.ins.authenticated(w.ins.assertion(nil), url.Values{"grant_type": {"client_credentials"}}), w.ins.proof())
		})
		first := measure(1, func() answer { return app.redeem(code) })
		measure(2, func() answer { return app.refresh(first.text("refresh_token")) })
		return asked
	}
	few, many := cost(10), cost(10_000)
	t.Logf("records asked for a party's token, a code and a refreshing: %v", many)
	if few != many || many[0] > 4 {
		t.Errorf("with 10 others %v, with 10,000 %v", few, many)
	}
}
