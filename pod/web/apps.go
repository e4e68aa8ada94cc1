// SPDX-License-Identifier: EUPL-1.2

package web

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"skrin/acl"
	"skrin/ldp"
)

// A Helper is a program that acts in the person's name.
type Helper struct {
	ID    string
	Name  string // as it calls itself, or as she has called it
	Since time.Time
}

// Apps are the programs that act in a person's name: the apps of others that
// she has let in, and scripts of her own. NewScript wraps ldp.Conflict if she has
// as many as she may.
type Apps interface {
	Apps(ctx context.Context, webID acl.WebID) ([]Helper, error)
	RemoveApp(ctx context.Context, webID acl.WebID, id string) error
	Scripts(ctx context.Context, person string) ([]Helper, error)
	NewScript(ctx context.Context, person string, webID acl.WebID, name string) (id, secret string, err error)
	RemoveScript(ctx context.Context, person, id string) error
}

// A helpers is the page of both.
type helpers struct {
	Apps, Scripts []Helper
	ID, Secret    string // of a script that was just made: it is told once
	Hooks         []hook
	Name, Trouble string // of a script that was to be made, and what is wrong
}

// A hook is a server that is told of what happens in a file or folder.
type hook struct {
	ID, To, On string
	Until      time.Time
	Failing    bool // it can't be reached, or is called no more
}

func (v *visit) apps() error { return v.showHelpers(http.StatusOK, helpers{}) }

func (v *visit) showHelpers(status int, page helpers) error {
	apps, err := v.Apps.Apps(v.r.Context(), v.who.ID)
	if err != nil {
		return fmt.Errorf("list apps: %w", err)
	}
	scripts, err := v.Apps.Scripts(v.r.Context(), v.person)
	if err != nil {
		return fmt.Errorf("list scripts: %w", err)
	}
	for _, all := range [][]Helper{apps, scripts} {
		for i, h := range all {
			if all[i].Name = plain(h.Name); all[i].Name == "" {
				all[i].Name = plain(h.ID)
			}
		}
	}
	hooks, err := v.Pod.Hooks(v.r.Context(), v.who)
	if err != nil {
		return fmt.Errorf("list who is told: %w", err)
	}
	page.Apps, page.Scripts = apps, scripts
	for _, s := range hooks {
		if v.Now().Before(s.End) {
			page.Hooks = append(page.Hooks, hook{s.ID, plain(cmp.Or(host(s.Hook), s.Hook)), cmp.Or(v.pathName(string(s.Topic)), v.t("nav.files")), s.End, s.Parked || s.Trouble != ""})
		}
	}
	return v.show(status, "apps", v.t("nav.apps"), "nav.settings", page)
}

func (v *visit) changeApps() error {
	form, ctx := v.r.PostForm, v.r.Context()
	var err error
	switch name := strings.TrimSpace(form.Get("name")); {
	case form.Has("app"):
		err = v.Apps.RemoveApp(ctx, v.who.ID, form.Get("app"))
	case form.Has("script"):
		err = v.Apps.RemoveScript(ctx, v.person, form.Get("script"))
	case form.Has("hook"):
		if err := v.Pod.Unsubscribe(ctx, v.who, strings.Trim(string(v.root()), "/"), form.Get("hook")); err != nil && ldp.KindOf(err) != ldp.NotFound {
			return fmt.Errorf("end a hook: %w", err)
		}
		return v.seeOther("/me/apps?done=hook")
	case form.Has("name") && (name == "" || utf8.RuneCountInString(name) > 80):
		return v.showHelpers(http.StatusUnprocessableEntity, helpers{Name: plain(name), Trouble: v.t("apps.name.wrong")})
	case name != "":
		id, secret, err := v.Apps.NewScript(ctx, v.person, v.who.ID, name)
		if ldp.KindOf(err) == ldp.Conflict {
			return v.showHelpers(http.StatusConflict, helpers{Name: plain(name), Trouble: v.t("apps.many")})
		}
		if err != nil {
			return fmt.Errorf("make a script: %w", err)
		}
		return v.showHelpers(http.StatusOK, helpers{ID: id, Secret: secret})
	default:
		return ldp.Invalid
	}
	if err != nil {
		return fmt.Errorf("remove an app or script: %w", err)
	}
	return v.seeOther("/me/apps?done=removed")
}
