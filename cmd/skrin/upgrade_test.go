// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/jackc/pgx/v5"

	"skrin/pod/consent"
	"skrin/pod/podtest"
	"skrin/pod/postgres"
	"skrin/pod/record"
	"skrin/pod/store"
	"skrin/pod/upkeep"
)

// asUpgrade, in the environment, makes the test binary open a store and say how far its
// upgrade is. Its value is the config, as JSON.
const asUpgrade = "SKRIN_TEST_AS_UPGRADE"

func upgradeAsTold(text string) error {
	var c config
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	c.told = func(p pace) { fmt.Println("pods", p.Done) }
	s, err := openChest(context.Background(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return s.Close()
}

// TestUpgrade: a store that the version before has written, in which a process that
// brings it to this schema is killed, is opened by the next, which goes on where that
// was; then what ends and what is open is found, and fsck finds nothing amiss. It is not
// upgraded again, and the version before refuses it.
func TestUpgrade(t *testing.T) {
	for _, row := range []struct {
		engine string
		keep   func(*testing.T) keep
		older  func(*testing.T, config)
		at     func(*testing.T, config) string // what says of which version it is
		newest string
	}{
		{"embedded", func(*testing.T) keep { return keep{} }, func(t *testing.T, c config) { embeddedFormat(t, c, 2) },
			func(t *testing.T, c config) string { return embeddedFormat(t, c, 0) }, "3"},
		{"PostgreSQL", func(t *testing.T) keep { return clusterOf(t, podtest.NewPostgres(t), podtest.NewS3(t)) }, func(t *testing.T, c config) {
			must(t, postgres.Migrate(t.Context(), postgres.Options{URL: c.Postgres, Now: time.Now}, 4))
		}, databaseVersion, "5"},
	} {
		t.Run(row.engine, func(t *testing.T) { upgrades(t, row.keep(t), row.older, row.at, row.newest) })
	}
}

func upgrades(t *testing.T, k keep, older func(*testing.T, config), at func(*testing.T, config) string, newest string) {
	const others = 1600
	r := startKept(t, t.TempDir(), k)
	b := newBrowser(t)
	r.connect(b, "Alva Lindqvist")
	r.ask(b)
	r.fetch(b)
	b.press("Ja, dela")
	r.ask(b)
	mine, err := r.engine.Pods(t.Context(), "", 10)
	must(t, err)
	must(t, abreast(others, func(i int) error { _, err := r.pod.Make(t.Context(), fmt.Sprint("somebody else ", i)); return err }))
	r.stop()
	c := config{Base: r.Base, Dir: r.dir, Key: r.Key, Demo: true, Token: time.Minute, keep: k}
	forgetIndexes(t, c, mine[0])
	older(t, c)

	seen := upgradeKilled(t, c)
	var heard []int64
	c.told = func(p pace) {
		if heard = append(heard, p.Done); p.Of != others+1 || p.Unit != "pods" {
			t.Errorf("how far it is: %+v", p)
		}
	}
	log := new(lockedBuffer)
	s, err := newServer(t.Context(), c, slog.New(slog.NewTextHandler(log, nil)))
	must(t, err)
	if len(heard) == 0 || heard[0] <= seen || heard[len(heard)-1] != others+1 {
		t.Errorf("it was killed after %d pods, and then tells of %v", seen, heard)
	}
	if text := log.String(); !strings.Contains(text, "all pods have the new schema") || !strings.Contains(text, fmt.Sprint("of=", others+1)) {
		t.Errorf("it logs %s", text)
	}
	foundByIndex(t, s, mine[0])
	must(t, s.Close())

	heard = nil
	o := sound(t, c, others+1)
	if len(heard) > 0 {
		t.Errorf("it is upgraded again: %v", heard)
	}
	refusesNewer(t, c)
	if o.Checked.Consents != 1 || at(t, c) != newest {
		t.Errorf("fsck has seen %+v, and it has version %s", o.Checked, at(t, c))
	}
}

// refusesNewer opens a store whose pods a newer version has written.
func refusesNewer(t *testing.T, c config) {
	t.Helper()
	s, err := openChest(t.Context(), c, slog.New(slog.DiscardHandler))
	must(t, err)
	r, err := s.records.Load(t.Context(), upgradeKind, upgradeKey)
	must(t, err)
	r.Value = fmt.Appendf(nil, `{"schema":%d,"done":true}`, upkeep.Schema+1)
	must(t, s.records.Save(t.Context(), upgradeKind, upgradeKey, r))
	must(t, s.Close())
	if _, err := openChest(t.Context(), c, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "Start the newer version") {
		t.Errorf("what a newer version has written is opened: %v", err)
	}
}

// forgetIndexes leaves in a pod what the version before had written.
func forgetIndexes(t *testing.T, c config, id string) {
	t.Helper()
	s, err := openChest(t.Context(), c, slog.New(slog.DiscardHandler))
	must(t, err)
	must(t, s.store.Update(t.Context(), store.Name("id/"+id), func(tx store.Tx) error {
		met, err := podtest.Older(tx)
		for _, kind := range []byte("CQRJBi") {
			if met[kind] == 0 {
				t.Errorf("there is nothing under %c", kind)
			}
		}
		return err
	}))
	must(t, s.records.Delete(t.Context(), upgradeKind, upgradeKey))
	must(t, s.Close())
}

// embeddedFormat sets the format of a directory, if it isn't 0, and returns it.
func embeddedFormat(t *testing.T, c config, set uint32) string {
	t.Helper()
	db, err := pebble.Open(filepath.Join(c.Dir, "store"), &pebble.Options{FormatMajorVersion: pebble.FormatTableFormatV6})
	must(t, err)
	defer func() { must(t, db.Close()) }()
	if set != 0 {
		must(t, db.Set([]byte("f"), binary.BigEndian.AppendUint32(nil, set), pebble.Sync))
	}
	value, closer, err := db.Get([]byte("f"))
	must(t, err)
	defer func() { must(t, closer.Close()) }()
	return fmt.Sprint(binary.BigEndian.Uint32(value))
}

// databaseVersion returns the version of the tables.
func databaseVersion(t *testing.T, c config) (version string) {
	t.Helper()
	db, err := pgx.Connect(t.Context(), c.Postgres)
	must(t, err)
	defer func() { must(t, db.Close(t.Context())) }()
	must(t, db.QueryRow(t.Context(), "select max(version)::text from skrin_schema").Scan(&version))
	return version
}

// upgradeKilled has a process open the store and kills it in the midst of its upgrade,
// after so many pods.
func upgradeKilled(t *testing.T, c config) (seen int64) {
	t.Helper()
	text, err := json.Marshal(c)
	must(t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), asUpgrade+"="+string(text)), os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, err := fmt.Sscanf(lines.Text(), "pods %d", &seen); err == nil {
			break
		}
	}
	must(t, cmd.Process.Kill())
	for lines.Scan() {
		_, _ = fmt.Sscanf(lines.Text(), "pods %d", &seen)
	}
	var killed *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &killed) || killed.Exited() || seen == 0 {
		t.Fatalf("it was not killed in the midst: %v, after %d pods", err, seen)
	}
	return seen
}

// foundByIndex looks for what only an index finds.
func foundByIndex(t *testing.T, s *server, id string) {
	t.Helper()
	var h record.Home
	must(t, s.store.View(t.Context(), store.Name("id/"+id), func(tx store.Tx) (err error) { h, err = record.HomeOf(tx); return err }))
	who, err := s.pod.Owner(t.Context(), h.Person)
	must(t, err)
	ending, err := s.pod.Ending(t.Context(), who, time.Now().AddDate(10, 0, 0), 10)
	must(t, err)
	open, err := s.pod.Requests(t.Context(), who)
	must(t, err)
	if len(ending) != 1 || len(open) != 1 || open[0].Request.State != consent.Open {
		t.Errorf("%d consents end, and %d requests are open", len(ending), len(open))
	}
}

// TestSchema: an operator is told which version a cluster's databases have, and leads
// them back by a command that asks before; then the version before opens them, and a
// node of this one brings them along again, with all that there was.
func TestSchema(t *testing.T) {
	db := podtest.NewPostgres(t)
	r := startKept(t, t.TempDir(), clusterOf(t, db, podtest.NewS3(t)))
	b := newBrowser(t)
	r.connect(b, "Alva Lindqvist")
	r.ask(b)
	r.fetch(b)
	b.press("Ja, dela")
	r.stop()
	c := config{Base: r.Base, Dir: r.dir, Key: r.Key, Demo: true, Token: time.Minute, keep: r.keep}
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "skrin.yaml"), fmt.Appendf(nil, "base: https://pod.example.se\ndir: data\nkey-file: master.key\npostgres: %q\npostgres-keys: %q\ns3: %s\n", c.Postgres, c.PostgresKeys, c.S3), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "master.key"), []byte(newKey(false)), 0o600))
	sh := &shell{t: t, dir: dir}
	for _, row := range []struct {
		flags        string
		status       int
		out, trouble string
		version      string // that both databases have then
	}{
		{"--json", 0, `^\{"version":5,"keys":5,"works":5,"oldest":3\}\n$`, `^$`, "5"},
		{"", 0, `^the database has version 5, that of the keys 5; this program works with 5, and leads back to 3\n$`, `^$`, "5"},
		{"--back 4", 4, `^$`, `needs a yes`, "5"},
		{"--back 2 --yes", 1, `^$`, `none to lead back to`, "5"},
		{"--back=-1 --yes", 1, `^$`, `none to lead back to`, "5"},
		{"--back 6 --yes", 1, `^$`, `no way back to version 6`, "5"},
		{"--back 4 --yes --json", 0, `^\{"version":4,"keys":4,"works":5,"oldest":3\}\n$`, `^$`, "4"},
		{"--back 4 --json", 0, `^\{"version":4,"keys":4,`, `^$`, "4"}, // there it is
		{"--back 5 --yes", 1, `^$`, `no way back to version 5`, "4"},
		{"--back 3", 4, `^$`, `needs a yes`, "4"},
		{"--back 3 --yes", 0, `version 3, that of the keys 3;`, `^$`, "3"},
	} {
		cmd := sh.command(t.Context(), "schema --config skrin.yaml "+row.flags)
		cmd.Env = append(cmd.Env, "SKRIN_S3_ACCESS_KEY=x", "SKRIN_S3_SECRET_KEY=x")
		out, trouble, status := exited(t, cmd)
		if status != row.status || !regexp.MustCompile(row.out).Match(out) || !regexp.MustCompile(row.trouble).Match(trouble) {
			t.Errorf("schema %s: %d\n%s%s", row.flags, status, out, trouble)
		}
		keys := c
		keys.Postgres = c.PostgresKeys
		if data, keys := databaseVersion(t, c), databaseVersion(t, keys); data != row.version || keys != row.version {
			t.Fatalf("after schema %s the databases have versions %s and %s, want %s", row.flags, data, keys, row.version)
		}
	}
	if o := sound(t, c, 1); o.Checked.Consents != 1 || databaseVersion(t, c) != "5" {
		t.Errorf("brought along again fsck sees %+v, with version %s", o.Checked, databaseVersion(t, c))
	}
	db.Exec(c.Postgres, "insert into skrin_schema (version) values (99)")
	cmd := sh.command(t.Context(), "schema --config skrin.yaml --back 4 --yes")
	cmd.Env = append(cmd.Env, "SKRIN_S3_ACCESS_KEY=x", "SKRIN_S3_SECRET_KEY=x")
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "of a newer skrin") {
		t.Errorf("of a database of a newer version: %v, %s", err, out)
	}
}
