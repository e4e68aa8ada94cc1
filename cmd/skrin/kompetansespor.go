// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"skrin/cmd/skrin/demo"
)

// newTrail builds a town in a directory: the server, and on a port each the
// offices of the plans, which in Kompetansespor are [demo.Plans]. told is given
// what the offices do.
func newTrail(ctx context.Context, dir string, port int, plans []demo.Plan, log *slog.Logger, told func(who, what string)) (*town, error) {
	t, err := openTown(ctx, dir, port, 1+len(plans), keep{}, log)
	if err != nil {
		return nil, err
	}
	t.homes = map[string]string{}
	for i, plan := range plans {
		file, err := registration(plan.ID)
		if err == nil {
			err = t.settleOffice(dir, i+1, plan, file, told)
		}
		if err != nil {
			return nil, errors.Join(err, t.Close())
		}
	}
	return t, nil
}

// settleOffice opens the office on the i-th port, and registers it as its file
// says.
func (t *town) settleOffice(dir string, i int, plan demo.Plan, file []byte, told func(who, what string)) error {
	of, err := demo.NewOffice(t.options(dir, i, plan.ID), plan, func(what string) { told(plan.Words["en"]["site.name"], what) })
	if err != nil {
		return err
	}
	t.outsiders = append(t.outsiders, of)
	var f struct{ Home string }
	if err := json.Unmarshal(file, &f); err != nil {
		return fmt.Errorf("registration of %s: %w", plan.ID, err)
	}
	t.homes[strings.TrimSuffix(f.Home, "/")] = t.origins[i]
	return t.admits(file, of.Keys())
}

// A trail is a person's way from office to office, as it is walked without a
// person, and what it took.
type trail struct {
	*walker
	name    string // of the cast
	told    func(who, what string)
	acts    int // answers of the person's: showing her eID, saying yes
	presses int // all that she pressed
}

// walk has the person walk from the first office to the last: she opens the site,
// begins, looks at what will be shown to whom, and says yes.
func (w *trail) walk(offices []string, plans []demo.Plan) error {
	for i, office := range offices {
		if err := w.visit(office, plans[i]); err != nil {
			return fmt.Errorf("%s: %w", plans[i].ID, err)
		}
	}
	return nil
}

// visit has her do what one office needs of her.
func (w *trail) visit(office string, plan demo.Plan) error {
	if err := w.open(office); err != nil {
		return err
	}
	if err := w.push(plan.Words["sv"]["home.button"]); err != nil {
		return err
	}
	if w.says("Logga in för att se") {
		w.act("shows her eID")
		if err := errors.Join(w.push("Logga in med Exempel-eID"), w.push("Logga in som "+w.name)); err != nil {
			return err
		}
	}
	yes, what := "Ja, anslut", "agrees that it may deliver to her"
	if plan.Asks != nil {
		yes, what = "Ja, dela", "sees what it will be told, and agrees"
	}
	w.act(what)
	if err := w.push(yes); err != nil {
		return err
	}
	if !w.says("Klart") {
		return fmt.Errorf("it is not done: %s", w.text())
	}
	return nil
}

func (w *trail) push(label string) error {
	w.presses++
	return w.press(label)
}

func (w *trail) act(what string) {
	w.acts++
	w.told(w.name, what)
}

// trail shows Kompetansespor: by itself, or for somebody to click.
func (c *demoCommand) trail(ctx context.Context, dir string, log *slog.Logger) error {
	begun := time.Now()
	var mu sync.Mutex
	say := func(who, what string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Printf("%6.2f s  %-28s %s\n", time.Since(begun).Seconds(), who, what)
	}
	t, err := newTrail(ctx, dir, c.Port, demo.Plans(), log, say)
	if err != nil {
		return err
	}
	defer t.Close()
	if c.ByHand {
		t.tellTrail(os.Stdout)
		return t.Serve(ctx)
	}
	ctx, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- t.Serve(ctx) }()
	walked := t.show(say, os.Stdout, begun)
	stop()
	return errors.Join(walked, <-served)
}

// show walks the trail, and says what it took.
func (t *town) show(say func(who, what string), out io.Writer, begun time.Time) error {
	b, err := newWalker()
	if err != nil {
		return err
	}
	w := &trail{walker: b, name: "Priya Raman", told: say}
	if err := w.walk(t.origins[1:], demo.Plans()); err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%d organisations, %d acts of the person (%d presses), %d fields to fill in, %.1f s. "+
		"Click it yourself with --by-hand.\n", len(t.outsiders), w.acts, w.presses, len(w.typed), time.Since(begun).Seconds())
	return nil
}

// tellTrail prints where to click.
func (t *town) tellTrail(out io.Writer) {
	fmt.Fprintf(out, "Kompetansespor runs. All people in it are made up. Sign in as Priya, and go from one to the next:\n\n")
	for i, plan := range demo.Plans() {
		fmt.Fprintf(out, "  %d. %-28s %s\n", i+1, plan.Words["en"]["site.name"], t.origins[i+1])
	}
	fmt.Fprintf(out, "  %d. %-28s %s/me/\n\nEnd it with Ctrl-C.\n", len(demo.Plans())+1, "Your own pages", t.origins[0])
}
