// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"skrin/auth/login"
	"skrin/pod/registry"
)

// stageCommand serves what a load generator or a suite of tests needs: made-up
// people with pods, the credentials of an app that acts for each, and evidence that
// they share with a consumer. It is a demo: a sign-in proves nothing.
type stageCommand struct {
	Dir       string `required:"" help:"Directory to keep it in." type:"path"`
	Port      int    `default:"0" help:"Port on loopback; 0 for the one that the directory was begun at, or any that is free."`
	People    int    `default:"64" help:"How many people have credentials, and share evidence."`
	Newcomers int    `default:"20000" help:"How many more can sign in, and have no pod yet."`
	Pods      int    `default:"0" help:"How many pods there are besides, so that a full server can be measured. Those that the directory has already are not made again."`
	Resources int    `default:"10" help:"How many resources each of those holds."`
	Known     int    `default:"0" help:"How many apps have the credentials of owners of those."`
	Only      bool   `help:"End when the pods are made."`
	Profile   bool   `help:"Serve profiles (net/http/pprof) on another port of loopback."`

	Beside string `help:"Directory of another stage that runs, on a database: to be one more node of it, which makes nothing." type:"existingdir"`

	Postgres string `help:"URL of a database, to keep it there."`
	S3       string `name:"s3" help:"URL of a bucket, to keep large bytes there; SKRIN_S3_ACCESS_KEY and SKRIN_S3_SECRET_KEY as for serve."`
}

// A stage is a server on which everything is ready, as it is told in JSON.
type stage struct {
	Base     string        `json:"base"`
	Listen   string        `json:"listen"` // where this node is reached
	PID      int           `json:"pid"`
	People   []stagePerson `json:"people"`
	Consumer stageConsumer `json:"consumer"`
	SignIn   string        `json:"sign_in"`   // POST who=n signs in the nth person here
	Newcomer int           `json:"newcomer"`  // the first who has no pod
	Last     int           `json:"last"`      // the last
	Opened   float64       `json:"opened"`    // seconds that opening what there was took
	Known    []stagePerson `json:"known"`     // apps of the owners of some of the pods that fill it, from all over
	Made     float64       `json:"made"`      // seconds that making these took
	MadePods int           `json:"made_pods"` // and how many there are
	Bytes    int64         `json:"bytes"`     // that all takes on the disk, if it is kept in the directory
	Sample   string        `json:"sample"`    // what everybody may read in one of them
	Profiles string        `json:"profiles"`  // origin of /debug/pprof/, if wanted

	Parties []registry.PartyFile `json:"parties"` // that are registered
}

type stagePerson struct {
	WebID    string `json:"webid"`
	Pod      string `json:"pod"` // URL of the root
	ID       string `json:"id"`  // client_id and client_secret of a script
	Secret   string `json:"secret"`
	Evidence string `json:"evidence"` // where the consumer reads
}

type stageConsumer struct {
	ID      string          `json:"id"`
	Key     jose.JSONWebKey `json:"key"`  // signs assertions
	DPoP    string          `json:"dpop"` // tokens are bound to it; PEM
	Return  string          `json:"return"`
	Request json.RawMessage `json:"request"` // what it asks
}

// Run obeys kong.
func (c *stageCommand) Run(ctx context.Context) error {
	if c.Beside != "" {
		return c.another(ctx)
	}
	f, err := readFilling(c.Dir)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(cmp.Or(c.Port, f.Port))))
	if err != nil {
		return err
	}
	defer l.Close()
	began, port := time.Now(), l.Addr().(*net.TCPAddr).Port
	if f.Port == 0 { // kept also without pods that fill it: the URLs of the people have it
		f.Port = port
		if err := errors.Join(os.MkdirAll(c.Dir, 0o700), f.save()); err != nil {
			return err
		}
	}
	if f.Port != port {
		return fmt.Errorf("the pods in %s have URLs with port %d", c.Dir, f.Port)
	}
	s, err := c.open(ctx, fmt.Sprintf("http://localhost:%d", port), c.Dir)
	if err != nil {
		return err
	}
	defer s.Close()
	opened := time.Since(began)
	if err := c.fill(ctx, s, &f, os.Stderr); err != nil {
		return err
	}
	told, err := c.furnish(ctx, s)
	if err == nil && f.Pods > 0 {
		err = c.tell(ctx, s, f, told)
	}
	if err != nil {
		return err
	}
	told.Opened = opened.Seconds()
	text, err := json.Marshal(told)
	if err != nil {
		return err
	}
	if err := save(filepath.Join(c.Dir, stageFile), bytes.NewReader(text)); err != nil {
		return err
	}
	return c.serve(ctx, s, told, l)
}

// stageFile has, in a stage's directory, what it tells: for other nodes of it.
const stageFile = "stage.json"

// serve tells of the stage, and serves it.
func (c *stageCommand) serve(ctx context.Context, s *server, told *stage, l net.Listener) error {
	told.Listen, told.PID = "http://"+l.Addr().String(), os.Getpid()
	if c.Profile {
		end, err := profiles(told)
		if err != nil {
			return err
		}
		defer end()
	}
	if err := json.NewEncoder(os.Stdout).Encode(told); err != nil || c.Only {
		return err
	}
	return s.Serve(ctx, l)
}

// another serves one more node of a stage.
func (c *stageCommand) another(ctx context.Context) error {
	if c.Postgres == "" {
		return errors.New("nodes have one database: --postgres")
	}
	text, err := os.ReadFile(filepath.Join(c.Beside, stageFile))
	if err != nil {
		return err
	}
	told := new(stage)
	if err := json.Unmarshal(text, told); err != nil {
		return err
	}
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(c.Port)))
	if err != nil {
		return err
	}
	defer l.Close()
	s, err := c.open(ctx, told.Base, c.Beside)
	if err != nil {
		return err
	}
	defer s.Close()
	for _, f := range told.Parties {
		text, err := json.Marshal(f)
		if err != nil {
			return err
		}
		p, err := registry.ReadParty(text, s.Base)
		if err == nil {
			err = s.parties.Add(p)
		}
		if err != nil {
			return err
		}
	}
	return c.serve(ctx, s, told, l)
}

// profiles serves them until end is called.
func profiles(told *stage) (end func() error, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	told.Profiles = "http://" + l.Addr().String()
	m := http.NewServeMux()
	m.HandleFunc("/debug/pprof/", pprof.Index)
	m.HandleFunc("/debug/pprof/profile", pprof.Profile)
	srv := &http.Server{Handler: m, ReadHeaderTimeout: 10 * time.Second}
	go srv.Serve(l)
	return srv.Close, nil
}

// stageScheme is the scheme of the made-up people's numbers.
const stageScheme = "oidc:stage"

// open opens it with the master key of a directory.
func (c *stageCommand) open(ctx context.Context, base, keyDir string) (*server, error) {
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, err
	}
	key, err := demoKey(keyDir)
	if err != nil {
		return nil, err
	}
	cast := make([]login.Persona, c.People+c.Newcomers)
	for i := range cast {
		cast[i] = login.Persona{Name: "Person " + strconv.Itoa(i), Scheme: stageScheme, Number: fmt.Sprintf("%09d", i)}
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	return newServer(ctx, config{
		Base: base, Dir: c.Dir, Key: key, Demo: true, Cast: cast, Token: time.Hour, Limit: limitSettings{Body: 4 << 30},
		keep: keep{Postgres: c.Postgres, S3: c.S3, S3Region: "us-east-1", S3Access: os.Getenv("SKRIN_S3_ACCESS_KEY"), S3Secret: os.Getenv("SKRIN_S3_SECRET_KEY")},
	}, log)
}

// furnish makes the people, and tells of them.
func (c *stageCommand) furnish(ctx context.Context, s *server) (*stage, error) {
	told := &stage{
		Base: s.Base, SignIn: s.Base + login.Path + "/exempel-eid", Newcomer: c.People, Last: c.People + c.Newcomers - 1,
	}
	w := &crowd{server: s, persons: make([]*member, c.People)}
	s.pod.Now = w.time
	if err := w.registerIssuer(); err != nil {
		return nil, err
	}
	if err := w.registerRecipient("exempel-forsakring", c.People, false); err != nil {
		return nil, err
	}
	told.Parties = []registry.PartyFile{w.issuer.File(), w.recipients[0].party.File()}
	for i := range c.People {
		p, err := c.person(ctx, w, i)
		if err != nil {
			return nil, fmt.Errorf("person %d: %w", i, err)
		}
		told.People = append(told.People, p)
	}
	w.clock.Store(nil)
	r := w.recipients[0]
	request, err := json.Marshal(asked(s.now()))
	if err != nil {
		return nil, err
	}
	proofs, err := r.client.DPoP.PEM()
	if err != nil {
		return nil, err
	}
	told.Consumer = stageConsumer{ID: r.id, Key: r.client.Key, DPoP: string(proofs), Return: "https://forsakring.example.se/callback", Request: request}
	return told, nil
}

// tell tells of the pods that fill it.
func (c *stageCommand) tell(ctx context.Context, s *server, f filling, told *stage) (err error) {
	told.Made, told.MadePods = f.Took, f.Pods
	if told.Bytes, err = c.bytes(s); err != nil {
		return err
	}
	who, err := s.pod.Owner(ctx, stageName(0))
	if err != nil {
		return err
	}
	told.Sample, _, _ = strings.Cut(string(who.ID), "#")
	told.Known = make([]stagePerson, c.Known)
	pods := min(c.Known, f.Pods)
	return abreast(pods, func(i int) error {
		var apps []*stagePerson // several of one owner, where there are fewer pods
		for k := i; k < c.Known; k += pods {
			apps = append(apps, &told.Known[k])
		}
		return s.know(ctx, stageName(i*(f.Pods/pods)), apps)
	})
}

// know makes apps of the owner of a pod, instead of those that were made for an earlier
// measurement.
func (s *server) know(ctx context.Context, name string, apps []*stagePerson) error {
	who, err := s.pod.Owner(ctx, name)
	if err != nil {
		return err
	}
	old, err := s.provider.Scripts(ctx, name)
	for _, script := range old {
		err = errors.Join(err, s.provider.RemoveScript(ctx, name, script.ID))
	}
	for _, p := range apps {
		if err != nil {
			return err
		}
		p.WebID, p.Pod = string(who.ID), strings.TrimSuffix(string(who.ID), "profile/card#me")
		p.ID, p.Secret, err = s.provider.NewScript(ctx, name, who.ID, "stage")
	}
	return err
}

// bytes returns what the server takes on the disk of the directory, when nothing of
// it is in a log any more.
func (c *stageCommand) bytes(s *server) (all int64, err error) {
	if s.data == nil {
		return 0, nil
	}
	if err := errors.Join(s.data.Flush(), s.ring.Flush()); err != nil {
		return 0, err
	}
	err = filepath.WalkDir(c.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) == ".log" {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) { // compacted meanwhile
			return nil
		}
		if err == nil {
			all += info.Size()
		}
		return err
	})
	return all, err
}

// person makes somebody with a pod, credentials, and evidence that is shared.
func (c *stageCommand) person(ctx context.Context, w *crowd, i int) (p stagePerson, err error) {
	now := time.Now().UTC()
	id, err := w.vault.Person(ctx, stageScheme, w.Cast[i].Number)
	if err != nil {
		return p, err
	}
	who, err := w.pod.Make(ctx, id)
	if err != nil {
		return p, err
	}
	if p.ID, p.Secret, err = w.provider.NewScript(ctx, id, who.ID, "stage"); err != nil {
		return p, err
	}
	issued := now.Truncate(24 * time.Hour)
	w.set(issued)
	if err := w.furnish(ctx, i, who, issued); err != nil {
		return p, err
	}
	w.set(now)
	r := w.recipients[0]
	if err := w.share(ctx, r, i, now); err != nil {
		return p, err
	}
	p.WebID, p.Pod, p.Evidence = string(who.ID), strings.TrimSuffix(string(who.ID), "profile/card#me"), r.at[i]
	return p, nil
}
