// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod"
	"skrin/pod/store"
)

// A filling is how far the pods that fill a stage have been made. It is kept in the
// stage's directory, so that a directory is filled once and measured often, and
// what was interrupted goes on.
type filling struct {
	Port      int     `json:"port"`           // the URLs of all pods have it
	Pods      int     `json:"pods"`           // from the first, all of these have been made
	Resources int     `json:"resources"`      // that each holds
	Took      float64 `json:"took"`           // seconds, in which nothing else was done
	Name      string  `json:"name,omitempty"` // file it was read from
}

// readFilling reads the filling of a directory; of one that has none, the zero one.
func readFilling(dir string) (f filling, err error) {
	f.Name = filepath.Join(dir, "filling.json")
	text, err := os.ReadFile(f.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return f, err
	}
	if err := json.Unmarshal(text, &f); err != nil {
		return f, fmt.Errorf("%s: %w", f.Name, err)
	}
	return f, nil
}

func (f *filling) save() error {
	text, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return save(f.Name, strings.NewReader(string(text)+"\n"))
}

// stride is after how many pods it is noted and told how far the filling is.
const stride = 10_000

// fill makes the pods that are still missing, and notes what they took.
func (c *stageCommand) fill(ctx context.Context, s *server, f *filling, progress io.Writer) error {
	if c.Pods <= f.Pods {
		return nil
	}
	if f.Pods > 0 && f.Resources != c.Resources {
		return fmt.Errorf("%s holds pods of %d resources: choose another directory for pods of %d", c.Dir, f.Resources, c.Resources)
	}
	f.Resources = c.Resources
	for f.Pods < c.Pods {
		began, to := time.Now(), min(c.Pods, f.Pods+stride)
		if err := abreast(to-f.Pods, func(i int) error { return c.makePod(ctx, s, f.Pods+i) }); err != nil {
			return err
		}
		took := time.Since(began).Seconds()
		fmt.Fprintf(progress, "%d of %d pods, %.0f/s\n", to, c.Pods, float64(to-f.Pods)/took)
		f.Pods, f.Took = to, f.Took+took
		if err := f.save(); err != nil {
			return err
		}
	}
	return nil
}

// makers is how many things are done at once.
const makers = 64

// abreast does n things, some at once, until one fails.
func abreast(n int, do func(i int) error) error {
	var next, failed atomic.Int64
	errs := make([]error, min(makers, n))
	var wg sync.WaitGroup
	for w := range errs {
		wg.Go(func() {
			for i := int(next.Add(1) - 1); i < n && failed.Load() == 0; i = int(next.Add(1) - 1) {
				if errs[w] = do(i); errs[w] != nil {
					failed.Add(1)
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func stageName(i int) string { return "stage-" + strconv.Itoa(i) }

// makePod makes a pod with its resources, unless it is there: as its owner does it,
// one after the other, but in one commit.
func (c *stageCommand) makePod(ctx context.Context, s *server, i int) error {
	d := &draft{}
	p := &pod.Pod{Store: d, Blobs: s.blobs, Registry: s.register, Types: s.types, Sign: s.provider, Base: s.Base, Issuer: s.Base, Now: s.pod.Now, Rand: s.pod.Rand}
	who, err := p.Make(ctx, stageName(i))
	if err != nil {
		return err
	}
	root := strings.TrimSuffix(strings.TrimPrefix(string(who.ID), s.Base), "profile/card#me")
	for n := range c.Resources {
		if err := put(ctx, p, who, ldp.ID(fmt.Sprintf("%snotes/%d.ttl", root, n))); err != nil {
			return err
		}
	}
	if err := d.keep(ctx, s.store); !errors.Is(err, store.ErrTaken) { // by this one, before it was interrupted
		return err
	}
	return nil
}

func put(ctx context.Context, p *pod.Pod, who acl.Agent, id ldp.ID) error {
	body := "<#it> <http://purl.org/dc/terms/title> \"A made-up note\"; <http://purl.org/dc/terms/description> \"" + strings.Repeat("words ", 40) + "\" .\n"
	_, err := p.Put(ctx, who, ldp.Put{ID: id, Type: "text/turtle", Body: strings.NewReader(body), Size: int64(len(body))})
	return err
}

// A draft is a store.Store of one pod, in memory, until it is kept.
type draft struct{ tx draftTx }

// A draftTx is all transactions of a draft as one.
type draftTx struct {
	store.Changes
	id string
}

// View implements store.Store.
func (d *draft) View(_ context.Context, name store.Name, fn func(store.Tx) error) error {
	if !d.tx.Names[name] {
		return store.ErrNoPod
	}
	return fn(&d.tx)
}

// Update implements store.Store. What fails leaves a draft that is of no use.
func (d *draft) Update(ctx context.Context, name store.Name, fn func(store.Tx) error) error {
	return d.View(ctx, name, fn)
}

// Create implements store.Store.
func (d *draft) Create(_ context.Context, id string, fn func(store.Tx) error) error {
	d.tx.id = id
	d.tx.Claim(store.Name("id/" + id))
	return fn(&d.tx)
}

// Due implements store.Store.
func (d *draft) Due(context.Context, time.Time, int) ([]string, error) { return nil, nil }

// keep makes the pod in another store.
func (d *draft) keep(ctx context.Context, to store.Store) error {
	if d.tx.Err != nil {
		return d.tx.Err
	}
	return to.Create(ctx, d.tx.id, func(tx store.Tx) error {
		for name, claimed := range d.tx.Names {
			if claimed {
				tx.Claim(name)
			}
		}
		for key, value := range d.tx.Values {
			if value != nil {
				tx.Put(key, value)
			}
		}
		if d.tx.At != nil {
			tx.Due(*d.tx.At)
		}
		return nil
	})
}

// Pod implements store.Tx.
func (x *draftTx) Pod() string { return x.id }

// Get implements store.Tx.
func (x *draftTx) Get(keys ...string) ([][]byte, error) {
	values := make([][]byte, len(keys))
	for i, key := range keys {
		values[i] = x.Values[key]
	}
	return values, nil
}

// Scan implements store.Tx.
func (x *draftTx) Scan(prefix, after string, limit int) (found []store.Pair, _ error) {
	first := prefix
	if after >= prefix && after != "" {
		first = after + "\x00"
	}
	for _, key := range x.Written(prefix, first) {
		if value := x.Values[key]; value != nil && len(found) < limit {
			found = append(found, store.Pair{Key: key, Value: value})
		}
	}
	return found, nil
}
