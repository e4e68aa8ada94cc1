// SPDX-License-Identifier: EUPL-1.2

package demo

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"slices"
	"time"

	"skrin/ldp/client"
)

// Limits of what is remembered.
const (
	visitLife  = 30 * 24 * time.Hour
	maxVisits  = 1000
	maxPending = 5 // of a visit
	maxMine    = 20
	maxNotices = 10_000
	noticeLife = 2 * client.MaxEventAge
)

// visits are the browsers that the site knows, by the hash of their cookie, and
// the notifications that it has done with, by their id.
type visits struct {
	Visits  map[string]visit
	Notices map[string]time.Time
}

// A visit is one browser.
type visit struct {
	Last    time.Time
	Pending []pending // authorizations that the person has not answered yet
	Mine    []string  // what this browser may see; the last is the latest
}

// A pending authorization, and what it is about.
type pending struct {
	client.Pending
	About string
}

func (s *site) visitKey(r *http.Request) string {
	c, err := r.Cookie(s.cookie("visit", "").Name)
	if err != nil {
		return ""
	}
	return hashed(c.Value)
}

func hashed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// visit gives what is known of the browser: the zero visit for one that is new.
func (s *site) visit(r *http.Request) (visit, error) {
	all, err := s.visits.get()
	return s.live(all.Visits[s.visitKey(r)]), err
}

func (s *site) live(v visit) visit {
	if s.Now().Sub(v.Last) > visitLife {
		return visit{}
	}
	return v
}

// remember changes what is known of the browser. What a browser is shown for
// the first time is behind a new cookie (fresh): whoever planted the old one in
// it does not see that.
func (s *site) remember(w http.ResponseWriter, r *http.Request, fresh bool, fn func(*visit)) error {
	id := rand.Text()
	return s.visits.change(func(all *visits) error {
		old := s.visitKey(r)
		v, key := s.live(all.Visits[old]), hashed(id)
		if v.Last.IsZero() || fresh {
			delete(all.Visits, old)
			http.SetCookie(w, s.cookie("visit", id))
		} else {
			key = old
		}
		fn(&v)
		v.Last = s.Now().UTC()
		put(&all.Visits, key, v, maxVisits, func(v visit) time.Time { return v.Last })
		return nil
	})
}

// own lets the browser see something, from now on.
func (s *site) own(w http.ResponseWriter, r *http.Request, thing string) error {
	return s.remember(w, r, true, func(v *visit) {
		v.Mine = append(slices.DeleteFunc(v.Mine, func(m string) bool { return m == thing }), thing)
		v.Mine = v.Mine[max(0, len(v.Mine)-maxMine):]
	})
}

// begin sends the person to the server to be asked something.
func (s *site) begin(w http.ResponseWriter, r *http.Request, c *client.Client, about string, details ...any) error {
	texts := make([]json.RawMessage, len(details))
	for i, detail := range details {
		var err error
		if texts[i], err = json.Marshal(detail); err != nil {
			return err
		}
	}
	p, err := c.Begin(r.Context(), client.AuthorizationRequest{
		RedirectURI: s.Origin + "/callback", Scope: "openid webid", Details: texts,
		Extra: map[string]any{"ui_locales": s.language(w, r)},
	})
	if err != nil {
		return err
	}
	err = s.remember(w, r, false, func(v *visit) {
		v.Pending = append(v.Pending, pending{p, about})
		v.Pending = v.Pending[max(0, len(v.Pending)-maxPending):]
	})
	if err == nil {
		http.Redirect(w, r, p.URL, http.StatusSeeOther)
	}
	return err
}

// finish takes the answer that the browser brings, once: what it was about, and
// what was granted.
func (s *site) finish(w http.ResponseWriter, r *http.Request, c *client.Client) (string, client.Tokens, error) {
	var p pending
	state := r.URL.Query().Get("state")
	known, err := s.visit(r)
	if err != nil {
		return "", client.Tokens{}, err
	}
	its := func(p pending) bool { return p.State == state }
	if !slices.ContainsFunc(known.Pending, its) {
		return "", client.Tokens{}, trouble{http.StatusBadRequest, "lost"}
	}
	err = s.remember(w, r, false, func(v *visit) {
		if i := slices.IndexFunc(v.Pending, its); i >= 0 {
			p = v.Pending[i]
			v.Pending = slices.Delete(v.Pending, i, i+1)
		}
	})
	if err != nil {
		return "", client.Tokens{}, err
	}
	tokens, err := c.Finish(r.Context(), p.Pending, r.URL.Query())
	return p.About, tokens, err
}

// detail is an authorization detail, asked for or granted.
type detail struct {
	Type          string   `json:"type"`
	Reference     string   `json:"reference,omitempty"`
	EvidenceTypes []string `json:"evidence_types,omitempty"`
	Use           string   `json:"use,omitempty"`
	EvidenceType  string   `json:"evidence_type,omitempty"`
	Fields        []string `json:"fields,omitempty"`
	Optional      []string `json:"optional_fields,omitempty"`
	Purpose       string   `json:"purpose,omitempty"`
	Until         string   `json:"until,omitempty"`
	Standing      bool     `json:"standing,omitempty"`
	Locations     []string `json:"locations,omitempty"`
	Consent       string   `json:"consent,omitempty"`
}

// notices answers the server's notifications (RFC 8417, RFC 8935). take is given
// one that is verified and was not seen before, and says with which status it
// is answered: only what was answered with 202 is not given to it again.
func (s *site) notices(c *client.Client, take func(context.Context, client.Event) int) http.HandlerFunc {
	room := make(chan struct{}, 8)
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case room <- struct{}{}:
			defer func() { <-room }()
		default:
			w.Header().Set("Retry-After", "5")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		status, fault := s.notice(r, c, take)
		if fault == "" {
			w.WriteHeader(status)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"err": "invalid_request", "description": fault})
	}
}

func (s *site) notice(r *http.Request, c *client.Client, take func(context.Context, client.Event) int) (status int, fault string) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/secevent+jwt" {
		return 0, "Content-Type must be application/secevent+jwt."
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return 0, "The body is too large, or could not be read to its end."
	}
	event, err := c.Notification(r.Context(), body, s.ID)
	if err != nil {
		s.Log.Warn("a notification was refused", "error", err)
		return 0, "This is not a notification for us that the server has signed."
	}
	known, err := s.visits.get()
	if err != nil {
		return http.StatusServiceUnavailable, ""
	}
	if _, ok := known.Notices[hashed(event.ID)]; ok {
		return http.StatusAccepted, ""
	}
	if status = take(r.Context(), event); status != http.StatusAccepted {
		return status, ""
	}
	err = s.visits.change(func(all *visits) error {
		for id, at := range all.Notices {
			if s.Now().Sub(at) > noticeLife {
				delete(all.Notices, id)
			}
		}
		put(&all.Notices, hashed(event.ID), s.Now().UTC(), maxNotices, func(t time.Time) time.Time { return t })
		return nil
	})
	if err != nil {
		return http.StatusServiceUnavailable, ""
	}
	return status, ""
}
