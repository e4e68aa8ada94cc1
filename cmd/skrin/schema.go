// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"skrin/pod/postgres"
)

// schemaCommand tells which version the tables of a cluster's databases have, or leads
// them back before an older skrin is started on them. It is done here, not by a
// server, since no server may run then.
type schemaCommand struct {
	serveOptions `embed:""`
	dangerous
	Back int  `placeholder:"VERSION" help:"Lead the databases back to this version. All nodes must be stopped."`
	JSON bool `help:"Answer in JSON."`
}

// Versions says which versions there are.
type versions struct {
	Version int `json:"version"` // of the database
	Keys    int `json:"keys"`    // of that of the pods' keys
	Works   int `json:"works"`   // with which this program works
	Oldest  int `json:"oldest"`  // to which it leads back
}

// Run obeys kong.
func (c *schemaCommand) Run(ctx context.Context) error {
	conf, err := c.config()
	if err != nil {
		return err
	}
	if conf.Postgres == "" {
		return errors.New("a directory isn't led back to an older version: restore the backup that was made before the upgrade")
	}
	var databases []postgres.Options
	for _, url := range []string{conf.Postgres, cmp.Or(conf.PostgresKeys, conf.Postgres)} {
		databases = append(databases, postgres.Options{URL: url, Password: conf.PostgresPassword, Now: time.Now})
	}
	at, err := versionsOf(ctx, databases)
	if err == nil && c.Back != 0 {
		err = c.back(ctx, databases, at)
		if err == nil {
			at, err = versionsOf(ctx, databases)
		}
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(at)
	}
	_, err = fmt.Printf("the database has version %d, that of the keys %d; this program works with %d, and leads back to %d\n", at.Version, at.Keys, at.Works, at.Oldest)
	return err
}

func versionsOf(ctx context.Context, databases []postgres.Options) (s versions, err error) {
	s.Works, s.Oldest = postgres.Newest, postgres.Oldest
	if s.Version, err = postgres.Version(ctx, databases[0]); err == nil {
		s.Keys, err = postgres.Version(ctx, databases[1])
	}
	return s, err
}

// back leads the databases back, if that is meant. What was interrupted goes on when it
// is done again.
func (c *schemaCommand) back(ctx context.Context, databases []postgres.Options, at versions) error {
	switch {
	case c.Back < postgres.Oldest:
		return fmt.Errorf("version %d is none to lead back to: before %d not all was kept that a pod has; restore the backup of that time", c.Back, postgres.Oldest)
	case max(at.Version, at.Keys) > postgres.Newest:
		return fmt.Errorf("the database has version %d, of a newer skrin: lead it back with that one", max(at.Version, at.Keys))
	case c.Back > min(at.Version, at.Keys):
		return fmt.Errorf("there is no way back to version %d: the databases have %d and %d. What is older is brought to the version of a skrin that starts", c.Back, at.Version, at.Keys)
	case c.Back == at.Version && c.Back == at.Keys:
		return nil
	}
	if err := c.sure(ctx, fmt.Sprintf("The databases are led back from version %d to %d, which a skrin that works with a newer one undoes when it starts: all nodes must be stopped.%s There should be a backup.",
		max(at.Version, at.Keys), c.Back, postgres.Lost(c.Back))); err != nil {
		return err
	}
	for _, o := range databases {
		if err := postgres.Migrate(ctx, o, c.Back); err != nil {
			return err
		}
	}
	return nil
}
