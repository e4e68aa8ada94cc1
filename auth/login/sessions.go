// SPDX-License-Identifier: EUPL-1.2

package login

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"skrin/auth"
)

// How long a sign-in lasts.
const (
	Idle     = 15 * time.Minute // without a request
	Lifetime = 60 * time.Minute // at most (Sweden Connect's OIDC profile)
)

// What a session holds.
const (
	heldPerson  = "person"
	heldAt      = "at"
	heldLevel   = "level"
	heldID      = "id"   // by which its person knows it
	heldUsed    = "used" // to the minute
	heldBrowser = "browser"
	heldSystem  = "system"
)

// SessionOptions is what Sessions need. All fields are required.
type SessionOptions struct {
	Records auth.Records
	Base    string // "https://host" of this server; over http the cookie can't be Secure, for loopback only
	Now     func() time.Time
	// Fail answers a request whose session could not be read or kept, because
	// the records can't be reached.
	Fail func(http.ResponseWriter, *http.Request, error)
}

// Sessions remember who has signed in, in a browser: a random token in a cookie,
// its hash and the rest in the records, so that a session can be ended from the
// server's side and is known to all nodes. They end after Idle without use,
// after Lifetime in any case. All methods want a request that came through
// [Sessions.Wrap].
type Sessions struct {
	scs   *scs.SessionManager
	store sessionStore
	now   func() time.Time
}

// NewSessions makes Sessions. The ends of sessions are reckoned by the clock of
// the machine, as the session library does.
func NewSessions(o SessionOptions) (*Sessions, error) {
	if o.Records == nil || o.Now == nil || o.Fail == nil || o.Base == "" {
		return nil, errors.New("sessions: Records, Base, Now and Fail are all needed")
	}
	m := &scs.SessionManager{ // scs.New would start a goroutine that nobody can end
		Store:            sessionStore{o.Records},
		Codec:            jsonCodec{},
		HashTokenInStore: true,
		IdleTimeout:      Idle,
		Lifetime:         Lifetime,
		ErrorFunc:        o.Fail,
		Cookie:           scs.SessionCookie{Name: "skrin", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode},
	}
	if strings.HasPrefix(o.Base, "https://") {
		m.Cookie.Name = "__Host-skrin" // RFC 6265bis: no Domain, Path=/, Secure
		m.Cookie.Secure = true
	}
	return &Sessions{scs: m, store: sessionStore{o.Records}, now: o.Now}, nil
}

// Wrap gives next's requests their session.
func (s *Sessions) Wrap(next http.Handler) http.Handler {
	return s.scs.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.used(r.Context())
		next.ServeHTTP(w, r)
	}))
}

// used notes that a session is in use, once a minute.
func (s *Sessions) used(ctx context.Context) {
	last, err := time.Parse(time.RFC3339, s.scs.GetString(ctx, heldUsed))
	if now := s.now().UTC(); err == nil && now.Sub(last) >= time.Minute {
		s.scs.Put(ctx, heldUsed, now.Format(time.RFC3339))
	}
}

// Person returns who has signed in, when, and at which level of assurance; false
// if nobody has.
func (s *Sessions) Person(r *http.Request) (id string, at time.Time, level string, ok bool) {
	ctx := r.Context()
	id = s.scs.GetString(ctx, heldPerson)
	at, err := time.Parse(time.RFC3339, s.scs.GetString(ctx, heldAt))
	if id == "" || err != nil {
		return "", time.Time{}, "", false
	}
	return id, at, s.scs.GetString(ctx, heldLevel), true
}

// SignIn begins the person's session. Whatever session the browser had before is
// over, and the new one has a new token, so that nobody can plant one beforehand.
func (s *Sessions) SignIn(r *http.Request, person, level string) error {
	ctx := r.Context()
	if err := s.scs.Destroy(ctx); err != nil {
		return fmt.Errorf("sign in: %w", err)
	}
	s.scs.Put(ctx, heldPerson, person)
	now := s.now().UTC().Format(time.RFC3339)
	s.scs.Put(ctx, heldAt, now)
	s.scs.Put(ctx, heldUsed, now)
	s.scs.Put(ctx, heldLevel, level)
	s.scs.Put(ctx, heldID, rand.Text())
	browser, system := device(r.UserAgent())
	s.scs.Put(ctx, heldBrowser, browser)
	s.scs.Put(ctx, heldSystem, system)
	return nil
}

// SignOut ends the session at once, on every node. To sign out twice is no error.
func (s *Sessions) SignOut(r *http.Request) error {
	if err := s.scs.Destroy(r.Context()); err != nil {
		return fmt.Errorf("sign out: %w", err)
	}
	return nil
}

const kindSession = "session"

// A sessionStore is an scs.CtxStore made of auth.Records. A session that was
// ended leaves an empty record for as long as it could have lived: a request
// that was under way would otherwise bring it back.
type sessionStore struct{ records auth.Records }

func (s sessionStore) FindCtx(ctx context.Context, key string) ([]byte, bool, error) {
	rec, err := s.records.Load(ctx, kindSession, key)
	if errors.Is(err, auth.ErrNoRecord) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("read a session: %w", err)
	}
	return rec.Value, len(rec.Value) > 0, nil
}

// CommitCtx keeps a session. It saves a write where nothing has changed but the
// idle time, and that by less than half a minute.
func (s sessionStore) CommitCtx(ctx context.Context, key string, b []byte, expiry time.Time) error {
	for range maxTries {
		old, err := s.records.Load(ctx, kindSession, key)
		if err != nil && !errors.Is(err, auth.ErrNoRecord) {
			return fmt.Errorf("keep a session: %w", err)
		}
		ended := err == nil && len(old.Value) == 0
		same := string(old.Value) == string(b) && expiry.Sub(old.Until) < 30*time.Second
		if ended || same {
			return nil
		}
		if old.Version == 0 { // before the session itself, so that there is none that can't be found
			if err := s.index(ctx, key, b); err != nil {
				return fmt.Errorf("keep a session: %w", err)
			}
		}
		err = s.records.Save(ctx, kindSession, key, auth.Record{Value: b, Version: old.Version, Until: expiry})
		if !errors.Is(err, auth.ErrChanged) {
			return err
		}
	}
	return fmt.Errorf("keep a session: %w", auth.ErrChanged)
}

func (s sessionStore) DeleteCtx(ctx context.Context, key string) error {
	for range maxTries {
		old, err := s.records.Load(ctx, kindSession, key)
		if errors.Is(err, auth.ErrNoRecord) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("end a session: %w", err)
		}
		until := old.Until.Add(Lifetime)
		err = s.records.Save(ctx, kindSession, key, auth.Record{Version: old.Version, Until: until})
		if !errors.Is(err, auth.ErrChanged) {
			return err
		}
	}
	return fmt.Errorf("end a session: %w", auth.ErrChanged)
}

// The methods without a context satisfy scs.Store; scs doesn't call them where
// the others are to be had.

func (s sessionStore) Find(key string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), key)
}

func (s sessionStore) Commit(key string, b []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), key, b, expiry)
}

func (s sessionStore) Delete(key string) error { return s.DeleteCtx(context.Background(), key) }

// A jsonCodec writes the same session the same way each time, which gob, the
// library's own, does not: so sessionStore sees that nothing has changed.
type jsonCodec struct{}

type storedSession struct {
	Deadline time.Time      `json:"deadline"`
	Values   map[string]any `json:"values"`
}

func (jsonCodec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	return json.Marshal(storedSession{deadline, values})
}

func (jsonCodec) Decode(b []byte) (time.Time, map[string]any, error) {
	var s storedSession
	err := json.Unmarshal(b, &s)
	if err == nil && s.Values == nil {
		s.Values = map[string]any{}
	}
	return s.Deadline, s.Values, err
}
