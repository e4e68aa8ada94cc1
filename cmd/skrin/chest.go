// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"skrin/auth"
	"skrin/pod/blob"
	"skrin/pod/pebble"
	"skrin/pod/postgres"
	"skrin/pod/sealed"
	"skrin/pod/store"
)

// A keep says where everything is kept. Without Postgres it is Dir; with it S3 is
// needed too, and Dir is for what passes through.
type keep struct {
	Postgres         string   // URL of the database of a cluster; "" for Dir alone
	PostgresKeys     string   // URL of the database of the pods' keys; "" for the same as Postgres
	PostgresPassword string   // of both
	S3               string   // URL of the bucket, https://host/bucket or https://host/bucket/prefix
	S3Region         string   // "" for the server's own
	S3Access         string   // the access key
	S3Secret         string   // the secret key
	PodKeys          [][]byte // master keys of the pods' keys, the one to use first; without, one is derived
	KMS              string   // URL of the key management service that wraps the pods' keys instead; "" for none
	KMSKey           string   // the name of the key there
	KMSToken         string   // by which it knows us
}

// A chest is all that is kept, opened.
type chest struct {
	engine interface {
		store.Store
		store.Pods
		store.Feed
		auth.Records
	}
	store   *sealed.Store
	records *sealed.Records
	blobs   *sealed.Blobs
	keys    *sealed.Keys
	close   []func() error
	kept    struct { // as it is kept, sealed
		blobs store.Blobs
		keys  auth.Records
	}

	// Of the embedded engine alone, for backups.
	data, ring *pebble.Store
	dir        *blob.Dir
	root       string // the directory in which they are
}

// openChest opens what c says.
func openChest(ctx context.Context, c config, log *slog.Logger) (_ *chest, err error) {
	s := new(chest)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, err
	}
	derived, err := c.derive("keys of pods")
	if err != nil {
		return nil, err
	}
	master, err := sealed.NewMaster(append(c.PodKeys, derived)...)
	if err == nil && c.KMS != "" {
		master, err = openKMS(ctx, c.KMS, c.KMSKey, c.KMSToken, master)
	}
	if err != nil {
		return nil, err
	}
	open := s.openEmbedded
	if c.Postgres != "" {
		open = s.openCluster
	}
	blobs, keys, err := open(ctx, c, log)
	if err != nil {
		return nil, err
	}
	s.kept.blobs, s.kept.keys = blobs, keys
	key, err := c.derive("records")
	if err != nil {
		return nil, err
	}
	if s.records, err = sealed.NewRecords(s.engine, key); err != nil {
		return nil, err
	}
	s.keys = sealed.NewKeys(keys, master)
	s.store, s.blobs = sealed.NewStore(s.engine, s.keys), sealed.NewBlobs(blobs, s.keys)
	if err := s.upgrade(ctx, &upgrade{log: log, told: c.told}); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *chest) openEmbedded(_ context.Context, c config, log *slog.Logger) (_ store.Blobs, _ auth.Records, err error) {
	for name, to := range map[string]**pebble.Store{"store": &s.data, "keys": &s.ring} {
		if *to, err = pebble.Open(filepath.Join(c.Dir, name), pebble.Options{Log: log, Now: time.Now, Shred: name == "keys"}); err != nil {
			return nil, nil, err
		}
		s.close = append(s.close, (*to).Close)
	}
	if s.dir, err = blob.Open(filepath.Join(c.Dir, "blobs")); err != nil {
		return nil, nil, err
	}
	s.close = append(s.close, s.dir.Close)
	s.engine, s.root = s.data, c.Dir
	return s.dir, s.ring, nil
}

// openCluster opens a database and a bucket. The pods' keys have connections of
// their own: they are asked for in the midst of transactions, which must not wait
// for each other's end.
func (s *chest) openCluster(ctx context.Context, c config, log *slog.Logger) (store.Blobs, auth.Records, error) {
	open := func(url string) (*postgres.Store, error) {
		db, err := postgres.Open(ctx, postgres.Options{URL: url, Password: c.PostgresPassword, Now: time.Now, Log: log})
		if err == nil {
			s.close = append(s.close, db.Close)
		}
		return db, err
	}
	data, err := open(c.Postgres)
	if err != nil {
		return nil, nil, err
	}
	keys, err := open(cmp.Or(c.PostgresKeys, c.Postgres))
	if err != nil {
		return nil, nil, err
	}
	o, err := c.bucket()
	if err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(o.Spool, 0o700); err != nil {
		return nil, nil, err
	}
	bucket, err := blob.OpenBucket(ctx, o)
	s.engine = data
	return bucket, keys, err
}

// bucket reads the URL of the bucket.
func (c *config) bucket() (blob.Options, error) {
	u, err := url.Parse(c.S3)
	if err != nil || u.Host == "" {
		return blob.Options{}, errors.New("a cluster needs a bucket: want --s3 https://host/bucket")
	}
	name, prefix, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	if name == "" || u.User != nil {
		return blob.Options{}, fmt.Errorf("the bucket's URL at %s: want https://host/bucket, and the keys in files", u.Host)
	}
	return blob.Options{
		Endpoint: u.Scheme + "://" + u.Host, Bucket: name, Prefix: prefix, Region: c.S3Region,
		AccessKey: c.S3Access, SecretKey: c.S3Secret, Spool: filepath.Join(c.Dir, "spool"),
	}, nil
}

// Close closes what was opened, the last first.
func (s *chest) Close() error {
	var errs []error
	for i := len(s.close) - 1; i >= 0; i-- {
		errs = append(errs, s.close[i]())
	}
	return errors.Join(errs...)
}
