// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"testing"
)

// TestRealClients runs the libraries with which Solid applications are written
// against the server, with DPoP-bound tokens.
func TestRealClients(t *testing.T) {
	needClients(t)
	w := newWorld(t)
	told := func(p *person) map[string]any {
		key, err := p.key.PEM()
		must(t, err)
		return map[string]any{"webid": p.id, "token": p.token, "key": string(key)}
	}
	world, err := json.Marshal(map[string]any{"root": w.Base + string(w.root), "owner": w.owner.ID, "alice": told(w.alice), "bob": told(w.bob)})
	must(t, err)
	for _, client := range []string{"inrupt", "rdflib", "files"} {
		t.Run(client, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), "node", client+".mjs")
			cmd.Dir, cmd.Stdin = clientsDir, bytes.NewReader(world)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
