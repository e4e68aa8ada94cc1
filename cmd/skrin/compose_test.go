// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// TestCompose: the compose file is YAML of the form that it should have, and
// starts the server with settings that have no fault.
func TestCompose(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "docker-compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services map[string]struct {
			Build       string
			Command     []string
			Environment map[string]string
			ReadOnly    bool `yaml:"read_only"`
			Volumes     []string
			Secrets     []string
		}
		Volumes map[string]any
		Secrets map[string]struct{ File string }
	}
	if err := yaml.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	s, ok := file.Services["skrin"]
	if !ok || s.Build == "" || !s.ReadOnly || len(file.Volumes) != 1 {
		t.Errorf("services: %+v", file.Services)
	}
	for _, name := range s.Secrets {
		if file.Secrets[name].File == "" {
			t.Errorf("the secret %s has no file", name)
		}
	}
	environ := []string{}
	for name, value := range s.Environment {
		if name == "SKRIN_BASE" {
			value = "https://pod.example.se"
		} else if strings.HasPrefix(value, "${") {
			value = "" // as where nothing is given
		}
		environ = append(environ, name+"="+value)
	}
	in := settle("", environ, new(settings), nil)
	in.check()
	for _, fault := range in.faults {
		t.Error(fault)
	}
	var c commands
	k, err := kong.New(&c, kong.Name("skrin"), kong.Exit(func(int) {}))
	must(t, err)
	if _, err := k.Parse(s.Command); err != nil {
		t.Errorf("%v: %v", s.Command, err)
	}
}
